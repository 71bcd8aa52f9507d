package import Coordinator
import Domain

/// Who looked at what: chained like the events, and never in the feed.
extension SQLTransaction {
  /// One row per person, record and five minutes.
  private static let bucket = Span.minutes(5)

  private static func bucket(of entry: AccessEntry) -> Int64 { entry.at.milliseconds / bucket.milliseconds }

  package func unlogged(_ entries: [AccessEntry]) throws -> [AccessEntry] {
    try entries.filter(isNew)
  }

  private func isNew(_ entry: AccessEntry) throws -> Bool {
    try connection.first(
      SQLs.exists, [.text(entry.person), .text(entry.subject), .text(entry.action), .int(Self.bucket(of: entry))]
    ) { $0.int(0) } == nil
  }

  package func log(_ entries: [AccessEntry]) throws {
    guard connection.isOnlyWriter else {
      for entry in entries {
        hasOutgoing = true
        try connection.post(SQLs.addToOutbox, Self.columns(entry))
      }
      return
    }
    // Asked one by one, since one call may hold the same entry twice.
    for entry in entries where try isNew(entry) {
      let head = try accessLogHead() ?? (seq: 0, chain: Self.genesis)
      var row = entry
      row.seq = head.seq + 1
      let chain = Self.chain(after: head.chain, Self.canonical(row, Self.bucket(of: row)))
      try connection.post(SQLs.insert, [.int(row.seq)] + Self.columns(row) + [.blob(chain)])
    }
  }

  private static func columns(_ entry: AccessEntry) -> [SQLValue] {
    [
      .instant(entry.at), .int(bucket(of: entry)), .text(entry.person), .text(entry.personName), .text(entry.action),
      .text(entry.subject), .orNull(entry.facility),
    ]
  }

  package func accessLogHead() throws -> (seq: Int64, chain: [UInt8])? {
    try connection.first(SQLs.head, []) { ($0.int(0), $0.blob(1)) }
  }

  /// What the chain covers: every column.
  package static func canonical(_ entry: AccessEntry, _ bucket: Int64) -> [UInt8] {
    JSON.array([
      .int(entry.seq), .int(entry.at.milliseconds), .int(bucket), .string(entry.person), .string(entry.personName),
      .string(entry.action), .string(entry.subject), .orNull(entry.facility),
    ]).bytes
  }

  package func accessLog(person: String?, subject: String?, facilities: Set<String>, page: Page) throws -> [AccessEntry]
  {
    let before = SQLValue.orNull(page.after.flatMap { Int64($0) })
    let limit = SQLValue.int(Int64(page.limit))
    return try connection.rows(
      SQLs.list, [.orNull(person), .orNull(subject), .text(commaList(facilities.sorted())), before, limit]
    ) { try Self.entry($0).entry }
  }

  package func accessChain(after seq: Int64, limit: Int) throws -> [(entry: AccessEntry, bucket: Int64, chain: [UInt8])]
  {
    try connection.rows(SQLs.chain, [.int(seq), .int(Int64(limit))], Self.entry)
  }

  package static func entry(_ row: any SQLRow) throws -> (entry: AccessEntry, bucket: Int64, chain: [UInt8]) {
    let entry = AccessEntry(
      seq: row.int(0), at: row.instant(1), person: row.text(3), personName: row.text(4), action: row.text(5),
      subject: row.text(6), facility: row.optionalText(7))
    return (entry, row.int(2), row.blob(8))
  }

  private enum SQLs {
    static let exists = SQL(
      """
      SELECT 1 FROM access_log WHERE person = $1 AND subject = $2 AND action = $3 AND bucket = $4
      UNION ALL SELECT 1 FROM access_outbox WHERE person = $1 AND subject = $2 AND action = $3 AND bucket = $4
      """)
    /// Another transaction's same row is waited for, and then is the one.
    static let addToOutbox = SQL(
      """
      INSERT INTO access_outbox (at, bucket, person, person_name, action, subject, facility)
      SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT),
        CAST($6 AS TEXT), CAST($7 AS TEXT)
      WHERE NOT EXISTS (
        SELECT 1 FROM access_log WHERE person = $3 AND subject = $6 AND action = $5 AND bucket = $2)
      ON CONFLICT (person, subject, action, bucket) DO NOTHING
      """)
    static let head = SQL("SELECT seq, chain FROM access_log ORDER BY seq DESC LIMIT 1")
    static let insert = SQL(
      """
      INSERT INTO access_log (seq, at, bucket, person, person_name, action, subject, facility, chain)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      """)
    static let list = SQL(
      """
      SELECT seq, at, bucket, person, person_name, action, subject, facility, chain FROM access_log
      WHERE (CAST($1 AS TEXT) IS NULL OR person = $1) AND (CAST($2 AS TEXT) IS NULL OR subject = $2)
        AND (facility IS NULL OR replace(CAST($3 AS TEXT), ',' || facility || ',', '') <> CAST($3 AS TEXT))
        AND (CAST($4 AS BIGINT) IS NULL OR seq < $4)
      ORDER BY seq DESC LIMIT $5
      """)
    static let chain = SQL(
      """
      SELECT seq, at, bucket, person, person_name, action, subject, facility, chain FROM access_log
      WHERE seq > $1 ORDER BY seq LIMIT $2
      """)
  }
}
