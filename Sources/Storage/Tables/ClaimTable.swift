package import Domain

extension SQLTransaction {
  package func claim(
    resource: String, cells: Range<Int64>, holder: String, kind: String, expiresAt: Instant?, now: Instant,
    otherwise refusal: any Error
  ) throws {
    guard !cells.isEmpty else { return }
    try connection.post(
      SQLs.claim,
      [
        .text(resource), .int(cells.lowerBound), .int(cells.upperBound), .text(holder), .text(kind),
        .orNull(expiresAt), .instant(now),
      ], changing: cells.count, otherwise: refusal)
  }

  package func free(holder: String, keeping: (resource: String, cells: Range<Int64>)?) throws {
    if let keeping {
      try connection.post(
        SQLs.freeOthers,
        [
          .text(holder), .text(keeping.resource), .int(keeping.cells.lowerBound), .int(keeping.cells.upperBound),
        ])
    } else {
      try connection.post(SQLs.free, [.text(holder)])
    }
  }

  package func takenCells(resource: String, in cells: Range<Int64>, now: Instant) throws -> [Int64] {
    try connection.rows(
      SQLs.taken, [.text(resource), .int(cells.lowerBound), .int(cells.upperBound), .instant(now)]
    ) { $0.int(0) }
  }

  package func insert(_ appointment: Appointment, consult: String, by actor: String, at now: Instant) throws {
    try connection.post(
      SQLs.insertAppointment,
      [
        .text(appointment.id), .text(consult), .text(appointment.practitioner), .instant(appointment.start),
        .instant(appointment.end), .instant(now), .text(actor),
      ])
  }

  package func endAppointment(_ id: String, state: String, at now: Instant) throws {
    try connection.post(SQLs.endAppointment, [.text(id), .text(state), .instant(now)])
  }

  private enum SQLs {
    /// Takes the cells in their order (so that two bookings cannot lock each other out), from nobody but the holder
    /// itself and holds that have expired. Rows that belong to another are left, and so are missing from the count.
    static let claim = SQL(
      """
      INSERT INTO claim (resource_id, cell, holder_id, kind, expires_at)
      SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT) + n, CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT)
      FROM cell_offset WHERE n < CAST($3 AS BIGINT) - CAST($2 AS BIGINT) ORDER BY n
      ON CONFLICT (resource_id, cell) DO UPDATE
        SET holder_id = excluded.holder_id, kind = excluded.kind, expires_at = excluded.expires_at
        WHERE claim.holder_id = excluded.holder_id OR claim.expires_at <= $7
      """)
    static let free = SQL("DELETE FROM claim WHERE holder_id = $1")
    static let freeOthers = SQL(
      "DELETE FROM claim WHERE holder_id = $1 AND NOT (resource_id = $2 AND cell >= $3 AND cell < $4)")
    static let taken = SQL(
      """
      SELECT cell FROM claim WHERE resource_id = $1 AND cell >= $2 AND cell < $3
        AND (expires_at IS NULL OR expires_at > $4) ORDER BY cell
      """)
    static let insertAppointment = SQL(
      """
      INSERT INTO appointment (id, consult, practitioner, start_at, end_at, state, created_at, created_by)
      VALUES ($1, $2, $3, $4, $5, 'booked', $6, $7)
      """)
    static let endAppointment = SQL("UPDATE appointment SET state = $2, ended_at = $3 WHERE id = $1")
  }
}
