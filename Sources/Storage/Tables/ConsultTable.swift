package import Coordinator
package import Domain

extension SQLTransaction {
  package func consult(_ id: String) throws -> Consult? { try connection.first(SQLs.byId, [.text(id)], Self.consult) }

  package func consults(_ filter: ConsultFilter, page: Page) throws -> [Consult] {
    let (after, limit) = keyset(page)
    let states = filter.states.isEmpty ? nil : commaList(filter.states.map(\.rawValue))
    return try connection.rows(
      SQLs.list,
      [
        .orNull(states), .orNull(filter.specialty?.rawValue), .orNull(filter.station), .orNull(filter.practitioner),
        .orNull(filter.from), .orNull(filter.to), filter.overdue.map { .bool($0) } ?? .null, after, limit,
        .orNull(filter.reach.map { commaList($0.facilities.sorted()) }), .orNull(filter.reach?.practitioner),
        .orNull(filter.reach?.specialty?.rawValue),
      ], Self.consult)
  }

  package func insert(_ consult: Consult) throws {
    try connection.post(
      SQLs.insert,
      [
        .text(consult.id), .int(consult.version), .text(consult.state.rawValue), .text(consult.specialty.rawValue),
        .text(consult.station), .orNull(consult.practitioner), .orNull(consult.serving),
        .orNull(consult.appointment?.id), .orNull(consult.appointment?.start), .orNull(consult.appointment?.end),
        .instant(consult.requestedAt), .instant(consult.dueAt), .bool(consult.overdue), .orNull(consult.startedAt),
        .orNull(consult.endedAt), .text(consult.createdBy), .text(consult.urgency.rawValue),
        .text(consult.mode.rawValue),
      ])
    try connection.post(
      SQLs.insertDocument, [.text(consult.id), .text(consult.document.text), .blob(consult.bodyHash)])
  }

  package func update(_ consult: inout Consult) throws {
    try connection.postOne(
      SQLs.update,
      [
        .text(consult.id), .int(consult.version), .text(consult.state.rawValue), .orNull(consult.practitioner),
        .orNull(consult.serving), .orNull(consult.appointment?.id), .orNull(consult.appointment?.start),
        .orNull(consult.appointment?.end), .bool(consult.overdue), .orNull(consult.startedAt), .orNull(consult.endedAt),
      ])
    consult.version += 1
  }

  package func insert(_ reason: ConsultReason, of consult: Consult) throws {
    try connection.post(
      SQLs.insertReason,
      [
        .text(consult.id), .int(consult.version), .instant(reason.at), .text(reason.transition.rawValue),
        .text(reason.actor), .text(reason.reason),
      ])
  }

  package func reasons(of consult: String) throws -> [ConsultReason] {
    try connection.rows(SQLs.reasons, [.text(consult)]) { row in
      guard let transition = ConsultTransition(rawValue: row.text(1)) else {
        throw CorruptRow("consult_reason", "transition")
      }
      return ConsultReason(transition: transition, at: row.instant(0), actor: row.text(2), reason: row.text(3))
    }
  }

  package func outcomes(of consult: String) throws -> [Outcome] {
    try connection.rows(SQLs.outcomes, [.text(consult)], Self.outcome)
  }

  package func outcome(of consult: String, version: Int64) throws -> Outcome? {
    try connection.first(SQLs.outcome, [.text(consult), .int(version)], Self.outcome)
  }

  package func insert(_ outcome: Outcome) throws {
    try connection.post(
      SQLs.insertOutcome,
      [
        .text(outcome.consult), .int(outcome.version), .blob(outcome.document), .instant(outcome.concludedAt),
        .text(outcome.concludedBy),
      ])
  }

  package func sign(_ outcome: Outcome) throws {
    guard let signature = outcome.signature else { return }
    try connection.postOne(
      SQLs.sign,
      [
        .text(outcome.consult), .int(outcome.version), .text(signature.sha256), .text(signature.signedBy),
        .instant(signature.signedAt),
      ])
  }

  private static func consult(_ row: any SQLRow) throws -> Consult {
    let id = row.text(0)
    guard let state = ConsultState(rawValue: row.text(2)) else { throw CorruptRow("consult \(id)", "state") }
    let requestedAt = row.instant(9)
    var appointment: Appointment?
    if let appointmentId = row.optionalText(6), let practitioner = row.optionalText(4) {
      appointment = Appointment(
        id: appointmentId, practitioner: practitioner, start: row.instant(7), end: row.instant(8))
    }
    guard let specialty = Specialty(rawValue: row.text(15)), let urgency = Urgency(rawValue: row.text(16)),
      let mode = ConsultMode(rawValue: row.text(17))
    else { throw CorruptRow("consult \(id)", "specialty, urgency or mode") }
    return Consult(
      id: id, version: row.int(1), state: state, station: row.text(3), practitioner: row.optionalText(4),
      serving: row.optionalText(5), appointment: appointment, requestedAt: requestedAt, dueAt: row.instant(10),
      overdue: row.bool(11), startedAt: row.optionalInstant(12), endedAt: row.optionalInstant(13),
      createdBy: row.text(14), specialty: specialty, urgency: urgency, mode: mode,
      document: ConsultDocument(stored: row.text(18), on: requestedAt.day), bodyHash: row.blob(19))
  }

  private static func outcome(_ row: any SQLRow) throws -> Outcome {
    var signature: Outcome.Signature?
    if let sha256 = row.optionalText(5), let signedBy = row.optionalText(6), let signedAt = row.optionalInstant(7) {
      signature = .init(sha256: sha256, signedBy: signedBy, signedAt: signedAt)
    }
    return Outcome(
      consult: row.text(0), version: row.int(1), document: row.blob(2), concludedAt: row.instant(3),
      concludedBy: row.text(4), signature: signature)
  }

  private enum SQLs {
    static let byId = SQL(
      """
      SELECT id, version, state, station, practitioner, serving, appointment_id, start_at, end_at, requested_at, due_at,
        overdue, started_at, ended_at, created_by, specialty, urgency, mode, document, body_hash
      FROM consult JOIN consult_document ON consult_document.consult = consult.id
      WHERE id = $1
      """)
    static let list = SQL(
      """
      SELECT id, version, state, station, practitioner, serving, appointment_id, start_at, end_at, requested_at, due_at,
        overdue, started_at, ended_at, created_by, specialty, urgency, mode, document, body_hash
      FROM consult JOIN consult_document ON consult_document.consult = consult.id
      WHERE (CAST($1 AS TEXT) IS NULL OR replace(CAST($1 AS TEXT), ',' || state || ',', '') <> CAST($1 AS TEXT))
        AND (CAST($2 AS TEXT) IS NULL OR specialty = $2) AND (CAST($3 AS TEXT) IS NULL OR station = $3)
        AND (CAST($4 AS TEXT) IS NULL OR practitioner = $4)
        AND (CAST($5 AS BIGINT) IS NULL OR coalesce(start_at, requested_at) >= $5)
        AND (CAST($6 AS BIGINT) IS NULL OR coalesce(start_at, requested_at) < $6)
        AND (CAST($7 AS BIGINT) IS NULL OR overdue = $7)
        AND (CAST($8 AS TEXT) IS NULL OR id < $8)
        AND (CAST($10 AS TEXT) IS NULL OR replace(CAST($10 AS TEXT), ',' || station || ',', '') <> CAST($10 AS TEXT)
          OR replace(CAST($10 AS TEXT), ',' || serving || ',', '') <> CAST($10 AS TEXT) OR practitioner = $11
          OR (practitioner IS NULL AND specialty = $12))
      ORDER BY id DESC LIMIT $9
      """)
    static let insert = SQL(
      """
      INSERT INTO consult (id, version, state, specialty, station, practitioner, serving, appointment_id, start_at,
        end_at, requested_at, due_at, overdue, started_at, ended_at, created_by, urgency, mode)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
      """)
    static let insertDocument = SQL("INSERT INTO consult_document (consult, document, body_hash) VALUES ($1, $2, $3)")
    static let update = SQL(
      """
      UPDATE consult SET version = version + 1, state = $3, practitioner = $4, serving = $5, appointment_id = $6,
        start_at = $7, end_at = $8, overdue = $9, started_at = $10, ended_at = $11
      WHERE id = $1 AND version = $2
      """)
    static let insertReason = SQL(
      "INSERT INTO consult_reason (consult, version, at, transition, actor, reason) VALUES ($1, $2, $3, $4, $5, $6)")
    static let reasons = SQL(
      "SELECT at, transition, actor, reason FROM consult_reason WHERE consult = $1 ORDER BY version")
    static let outcomes = SQL(
      """
      SELECT consult, version, document, concluded_at, concluded_by, sha256, signed_by, signed_at FROM outcome
      WHERE consult = $1 ORDER BY version
      """)
    static let outcome = SQL(
      """
      SELECT consult, version, document, concluded_at, concluded_by, sha256, signed_by, signed_at FROM outcome
      WHERE consult = $1 AND version = $2
      """)
    static let insertOutcome = SQL(
      """
      INSERT INTO outcome (consult, version, document, concluded_at, concluded_by) VALUES ($1, $2, $3, $4, $5)
      """)
    static let sign = SQL(
      """
      UPDATE outcome SET sha256 = $3, signed_by = $4, signed_at = $5
      WHERE consult = $1 AND version = $2 AND sha256 IS NULL
      """)
  }
}
