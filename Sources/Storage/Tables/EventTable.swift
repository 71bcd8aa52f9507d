import Crypto
package import Domain

/// The event log: gapless numbers, each row chained to the one before it.
extension SQLTransaction {
  /// The chain before the first event.
  package static let genesis = [UInt8](repeating: 0, count: 32)

  package func append(_ draft: EventDraft, at now: Instant) throws {
    let event = EventRecord(
      seq: 0, id: UUIDv7.make(at: now), type: draft.type.rawValue, time: now, subject: draft.subject,
      facilities: draft.facilities, specialty: draft.specialty?.rawValue, actor: draft.actor,
      data: draft.data.text, chain: [])
    if connection.isOnlyWriter {
      try number(event)
    } else {
      hasOutgoing = true
      try connection.post(SQLs.appendToOutbox, Self.columns(event))
    }
  }

  /// Gives the event the next number.
  private func number(_ draft: EventRecord) throws {
    // Read inside the transaction: the command line may have written beside the server.
    let head = try head ?? logHead()
    var event = draft
    event.seq = head.seq + 1
    event.chain = Self.chain(after: head.chain, event.canonicalBytes)
    try connection.post(SQLs.append, [.int(event.seq)] + Self.columns(event) + [.blob(event.chain)])
    self.head = (event.seq, event.chain)
    if appended == nil { appended = LogStretch(after: head, []) }
    appended?.append(event)
  }

  /// Those that a transaction knows; number and chain come with the place in the log.
  private static func columns(_ event: EventRecord) -> [SQLValue] {
    [
      .text(event.id), .text(event.type), .instant(event.time), .text(event.subject),
      .text(event.facilities.joined(separator: ",")), .orNull(event.specialty), .text(event.actor), .text(event.data),
    ]
  }

  /// Where the log ends.
  package func logHead() throws -> (seq: Int64, chain: [UInt8]) {
    try connection.first(SQLs.head, []) { (seq: $0.int(0), chain: $0.blob(1)) } ?? (0, Self.genesis)
  }

  /// SHA-256 over the previous chain and these bytes.
  package static func chain(after previous: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: previous)
    hash.update(data: bytes)
    return Array(hash.finalize())
  }

  package func events(after seq: Int64, limit: Int) throws -> [EventRecord] {
    try connection.rows(SQLs.after, [.int(seq), .int(Int64(limit))], Self.event)
  }

  package func event(seq: Int64) throws -> EventRecord? { try connection.first(SQLs.one, [.int(seq)], Self.event) }

  package func logBounds() throws -> LogBounds {
    let epoch = try meta("epoch").flatMap { UInt64($0, radix: 16) } ?? 0
    let head = try logHead()
    let oldest = try connection.first(SQLs.archiveHead, []) { (seq: $0.int(0), chain: $0.blob(1)) }
    return LogBounds(
      epoch: epoch, oldest: Cursor(epoch: epoch, seq: oldest?.seq ?? 0, chain: oldest?.chain ?? Self.genesis),
      head: Cursor(epoch: epoch, seq: head.seq, chain: head.chain))
  }

  package func archiveEvents(through seq: Int64) throws -> Int {
    // Of two nodes that do the same at once one is refused, by the archive's key, and finds it done when it runs again.
    try connection.post(SQLs.archive, [.int(seq)])
    try Migrations.require(Migrations.eventArchive, on: connection)
    return try connection.run(SQLs.cut, [.int(seq)])
  }

  package func archivedEvents(after seq: Int64, limit: Int) throws -> [EventRecord] {
    try connection.rows(SQLs.archivedAfter, [.int(seq), .int(Int64(limit))], Self.event)
  }

  package static func event(_ row: any SQLRow) throws -> EventRecord {
    EventRecord(
      seq: row.int(0), id: row.text(1), type: row.text(2), time: row.instant(3), subject: row.text(4),
      facilities: row.text(5).split(separator: ",").map(String.init), specialty: row.optionalText(6),
      actor: row.text(7), data: row.text(8), chain: row.blob(9))
  }

  private enum SQLs {
    static let head = SQL("SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1")
    static let append = SQL(
      """
      INSERT INTO event (seq, id, type, time, subject, facilities, specialty, actor, data, chain)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      """)
    static let appendToOutbox = SQL(
      """
      INSERT INTO event_outbox (event_id, type, time, subject, facilities, specialty, actor, data)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      """)
    static let after = SQL(
      """
      SELECT seq, id, type, time, subject, facilities, specialty, actor, data, chain FROM event
      WHERE seq > $1 ORDER BY seq LIMIT $2
      """)
    static let archiveHead = SQL("SELECT seq, chain FROM event_archive ORDER BY seq DESC LIMIT 1")
    static let archive = SQL(
      """
      INSERT INTO event_archive (seq, id, type, time, subject, facilities, specialty, actor, data, chain)
      SELECT seq, id, type, time, subject, facilities, specialty, actor, data, chain FROM event WHERE seq <= $1
      """)
    static let cut = SQL("DELETE FROM event WHERE seq <= $1")
    static let archivedAfter = SQL(
      """
      SELECT seq, id, type, time, subject, facilities, specialty, actor, data, chain FROM event_archive
      WHERE seq > $1 ORDER BY seq LIMIT $2
      """)
    static let one = SQL(
      """
      SELECT seq, id, type, time, subject, facilities, specialty, actor, data, chain FROM event WHERE seq = $1
      """)
  }
}
