package import Coordinator
package import Domain

extension SQLTransaction {
  package func meta(_ name: String) throws -> String? { try connection.first(SQLs.read, [.text(name)]) { $0.text(0) } }

  package func setMeta(_ name: String, _ value: String) throws {
    try connection.post(SQLs.write, [.text(name), .text(value)])
  }

  package func settleMeta(_ name: String, _ value: String) throws -> String {
    try connection.post(SQLs.settle, [.text(name), .text(value)])
    return try meta(name) ?? value
  }

  package func removeEnded(now: Instant) throws {
    let now = SQLValue.instant(now)
    try connection.post(SQLs.removeTickets, [now])
    try connection.post(SQLs.removeAnswers, [now])
    try connection.post(SQLs.removeClaims, [now])
    try connection.post(SQLs.removeSessions, [now])
  }

  package func seal(_ anchor: Anchor) throws {
    try connection.post(
      SQLs.seal,
      [
        .text(anchor.log.rawValue), .int(anchor.seq), .blob(anchor.chain), .instant(anchor.sealedAt),
        .blob(anchor.hmac),
      ])
  }

  package func anchors() throws -> [Anchor] {
    try connection.rows(SQLs.anchors, []) {
      guard let log = ChainedLog(rawValue: $0.text(0)) else { throw CorruptRow("anchor", "log") }
      return Anchor(log: log, seq: $0.int(1), chain: $0.blob(2), sealedAt: $0.instant(3), hmac: $0.blob(4))
    }
  }

  private enum SQLs {
    static let read = SQL("SELECT value FROM meta WHERE name = $1")
    static let write = SQL(
      "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
    static let settle = SQL("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
    static let removeTickets = SQL("DELETE FROM ticket WHERE expires_at <= $1")
    static let removeAnswers = SQL("DELETE FROM kept_answer WHERE until <= $1")
    static let removeClaims = SQL("DELETE FROM claim WHERE expires_at <= $1")
    static let removeSessions = SQL("DELETE FROM session WHERE kind = 'session' AND expires_at <= $1")
    static let seal = SQL(
      """
      INSERT INTO anchor (log, seq, chain, sealed_at, hmac) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (log, seq) DO UPDATE SET sealed_at = excluded.sealed_at, hmac = excluded.hmac
      """)
    static let anchors = SQL("SELECT log, seq, chain, sealed_at, hmac FROM anchor ORDER BY log DESC, seq")
  }
}

extension SQLTransaction {
  /// Makes what every database has: its epoch and the deadlines that renew themselves.
  package func begin(now: Instant) throws {
    guard try meta("epoch") == nil else { return }
    try renewEpoch()
    try setMeta("created", now.text)
    try setDeadline(.housekeeping, subject: "", at: now + .minutes(5))
    try setDeadline(.seal, subject: "", at: now + .hours(1))
  }

  /// From now on every cursor that was given out is answered with `epoch-changed`.
  package func renewEpoch() throws {
    try setMeta("epoch", String(UInt64.random(in: 1...UInt64.max), radix: 16))
  }
}
