import Coordinator
import Domain

/// The lease of whoever numbers events is taken inside the sequencer's own transactions (`StoragePostgres`).
extension SQLTransaction {
  package var isServedAlone: Bool { connection.isOnlyWriter }

  package func isLeaseFree(_ name: String, for node: String, milliseconds: Int64) throws -> Bool {
    try connection.first(SQLs.isFree, [.text(name), .text(node), .int(milliseconds)]) { $0.int(0) } != nil
  }

  package func takeLease(_ name: String, node: String, milliseconds: Int64) throws -> Int64? {
    try connection.first(SQLs.take, [.text(name), .text(node), .int(milliseconds)]) { $0.int(0) }
  }

  package func renewLease(_ name: String, node: String, term: Int64, milliseconds: Int64) throws -> Bool {
    try connection.run(SQLs.renew, [.text(name), .text(node), .int(term), .int(milliseconds)]) == 1
  }

  package func giveBackLease(_ name: String, node: String, term: Int64) throws {
    try connection.post(SQLs.giveBack, [.text(name), .text(node), .int(term)])
  }

  private enum SQLs {
    // An end that is further away than any lease lasts was written before the database's clock was put back.
    static let isFree = SQL(
      """
      SELECT 1 FROM lease WHERE name = $1 AND (until_at <= database_now() OR holder = $2
        OR until_at > database_now() + $3)
      """)
    static let take = SQL(
      """
      UPDATE lease SET holder = $2, term = term + 1, until_at = database_now() + $3
      WHERE name = $1 AND (until_at <= database_now() OR holder = $2 OR until_at > database_now() + $3)
      RETURNING term
      """)
    static let renew = SQL(
      "UPDATE lease SET until_at = database_now() + $4 WHERE name = $1 AND holder = $2 AND term = $3")
    static let giveBack = SQL(
      "UPDATE lease SET until_at = 0, holder = '' WHERE name = $1 AND holder = $2 AND term = $3")
  }
}
