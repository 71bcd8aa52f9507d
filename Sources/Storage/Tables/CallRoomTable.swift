package import Coordinator
import Domain

extension SQLTransaction {
  package func callRoom(_ consult: String) throws -> KeptRoom? {
    try connection.first(SQLs.room, [.text(consult)]) {
      KeptRoom(node: $0.optionalText(0), isServed: !$0.isNull(3), term: $0.int(1), document: $0.text(2))
    }
  }

  package func callRooms(of consults: [String]) throws -> [(consult: String, document: String)] {
    guard !consults.isEmpty else { return [] }
    return try connection.rows(SQLs.rooms, [.text(commaList(consults))]) { ($0.text(0), $0.text(1)) }
  }

  package func insertCallRoom(_ consult: String, node: String, document: String) throws {
    try connection.post(SQLs.insert, [.text(consult), .text(node), .text(document)])
  }

  package func takeCallRoom(_ consult: String, node: String, from term: Int64) throws {
    try connection.postOne(SQLs.take, [.text(consult), .text(node), .int(term)])
  }

  package func keepCallRoom(
    _ consult: String, node: String, term: Int64, document: String, isReleased: Bool
  ) throws -> Bool {
    let values: [SQLValue] = [
      .text(consult), .text(node), .int(term), .text(document), isReleased ? .null : .text(node),
    ]
    return try connection.run(SQLs.keep, values) == 1
  }

  package func removeCallRoom(_ consult: String, term: Int64) throws {
    try connection.post(SQLs.remove, [.text(consult), .int(term)])
  }

  package func orphanedCallRooms(besides node: String, limit: Int) throws -> [String] {
    try connection.rows(SQLs.orphans, [.text(node), .int(Int64(limit))]) { $0.text(0) }
  }

  package func liveNodes() throws -> Set<String> { Set(try connection.rows(SQLs.live, []) { $0.text(0) }) }

  private enum SQLs {
    static let room = SQL(
      """
      SELECT call_room.node, term, document, node.id FROM call_room
      LEFT JOIN node ON node.id = call_room.node AND node.state = 'serving'
        AND node.heartbeat_at > database_now() - 3000
      WHERE consult = $1
      """)
    static let rooms = SQL(
      """
      SELECT consult, document FROM call_room
      WHERE replace(CAST($1 AS TEXT), ',' || consult || ',', '') <> CAST($1 AS TEXT) ORDER BY consult
      """)
    static let insert = SQL("INSERT INTO call_room (consult, node, term, document) VALUES ($1, $2, 1, $3)")
    static let take = SQL("UPDATE call_room SET node = $2, term = term + 1 WHERE consult = $1 AND term = $3")
    static let keep = SQL(
      "UPDATE call_room SET document = $4, node = $5 WHERE consult = $1 AND node = $2 AND term = $3")
    static let remove = SQL("DELETE FROM call_room WHERE consult = $1 AND term = $2")
    static let orphans = SQL(
      """
      SELECT consult FROM call_room
      LEFT JOIN node ON node.id = call_room.node AND node.heartbeat_at > database_now() - 3000
      WHERE node.id IS NULL AND (call_room.node IS NULL OR call_room.node <> $1) ORDER BY consult LIMIT $2
      """)
    static let live = SQL("SELECT id FROM node WHERE heartbeat_at > database_now() - 3000")
  }
}
