package import Coordinator
package import Domain

extension SQLTransaction {
  package func setDeadline(_ kind: Deadline.Kind, subject: String, at: Instant) throws {
    try connection.post(SQLs.set, [.text(kind.rawValue), .text(subject), .instant(at)])
  }

  package func clearDeadline(_ kind: Deadline.Kind, subject: String) throws {
    try connection.post(SQLs.clear, [.text(kind.rawValue), .text(subject)])
  }

  package func takeDeadline(_ deadline: Deadline, now: Instant) throws -> Bool {
    try connection.run(SQLs.take, [.text(deadline.kind.rawValue), .text(deadline.subject), .instant(now)]) == 1
  }

  package func dueDeadlines(now: Instant, limit: Int) throws -> [Deadline] {
    // A newer release beside this one may have set kinds that only it can fire.
    let known = SQLValue.text(commaList(Deadline.Kind.allCases.map(\.rawValue)))
    return try connection.rows(SQLs.due, [.instant(now), .int(Int64(limit)), known]) { row in
      guard let kind = Deadline.Kind(rawValue: row.text(0)) else { throw CorruptRow("deadline", row.text(0)) }
      return Deadline(kind: kind, subject: row.text(1), at: row.instant(2))
    }
  }

  package func nextDeadline() throws -> Instant? {
    try connection.first(SQLs.next, []) { $0.instant(0) }
  }

  private enum SQLs {
    static let set = SQL(
      """
      INSERT INTO deadline (kind, subject, at) VALUES ($1, $2, $3)
      ON CONFLICT (kind, subject) DO UPDATE SET at = excluded.at
      """)
    static let clear = SQL("DELETE FROM deadline WHERE kind = $1 AND subject = $2")
    static let take = SQL("DELETE FROM deadline WHERE kind = $1 AND subject = $2 AND at <= $3")
    static let due = SQL(
      """
      SELECT kind, subject, at FROM deadline
      WHERE at <= $1 AND replace(CAST($3 AS TEXT), ',' || kind || ',', '') <> CAST($3 AS TEXT) ORDER BY at LIMIT $2
      """)
    static let next = SQL("SELECT at FROM deadline ORDER BY at LIMIT 1")
  }
}
