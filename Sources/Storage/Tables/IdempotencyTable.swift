package import Coordinator
package import Domain

extension SQLTransaction {
  package func keptAnswer(scope: String, key: String, now: Instant) throws -> KeptAnswer? {
    try connection.first(SQLs.read, [.text(scope), .text(key), .instant(now)]) { row in
      guard let status = Answer.Status(rawValue: Int(row.int(1))) else { throw CorruptRow("kept_answer", "status") }
      let answer = Answer(status, version: row.optionalInt(2), body: row.isNull(3) ? nil : row.blob(3))
      return KeptAnswer(bodyHash: row.blob(0), answer: answer)
    }
  }

  package func keep(_ kept: KeptAnswer, scope: String, key: String, until: Instant, now: Instant) throws {
    try connection.postOne(
      SQLs.write,
      [
        .text(scope), .text(key), .blob(kept.bodyHash), .int(Int64(kept.answer.status.rawValue)),
        .orNull(kept.answer.version), kept.answer.body.map { .blob($0) } ?? .null, .instant(until), .instant(now),
      ])
  }

  private enum SQLs {
    static let read = SQL(
      "SELECT body_hash, status, version, body FROM kept_answer WHERE scope = $1 AND key = $2 AND until > $3")
    /// Changes no row when the same key was used by a transaction that committed meanwhile: its answer is the first.
    static let write = SQL(
      """
      INSERT INTO kept_answer (scope, key, body_hash, status, version, body, until) VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT (scope, key) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
        version = excluded.version, body = excluded.body, until = excluded.until
      WHERE kept_answer.until <= $8
      """)
  }
}
