import Coordinator
import Domain
import Storage

/// What PostgreSQL names otherwise than the shared dialect, and the tables as a whole.
enum PostgresSchema {
  /// Migrations. Texts are compared by their bytes, as SQLite does, whatever the database's language is.
  static func translate(_ text: String) -> String {
    text.replacing("BIGINT NOT NULL PRIMARY KEY /* counted */", with: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
      .replacing("/* unlogged */", with: "UNLOGGED").replacing(" TEXT", with: " TEXT COLLATE \"C\"")
  }

  static func translateStatement(_ text: String) -> String {
    text.replacing(SQL.databaseNow, with: "(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
  }

  /// Any number: what begins or changes the schema holds this lock.
  private static let lock = 4_862_019_001

  /// Brings the schema up to date; of nodes that start at once one does it and the others wait.
  static func migrate(_ connection: PostgresConnection, _ migrations: [Migration] = Migrations.all) throws
    -> [Migration]
  {
    try inLock(connection) {
      let now = Instant.system
      let applied = try Migrations.run(migrations, on: connection, now: now)
      try SQLTransaction(connection).begin(now: now)
      return applied
    }
  }

  /// Removes every table of the product; what else is in the database stays.
  static func remove(_ connection: PostgresConnection) throws {
    try inLock(connection) {
      let tables = Schema.tables + ["migration"]
      try connection.script("DROP TABLE IF EXISTS \(tables.joined(separator: ", ")) CASCADE")
    }
  }

  private static func inLock<T>(_ connection: PostgresConnection, _ body: () throws -> T) throws -> T {
    try connection.script("BEGIN")
    do {
      // Another node may be at it, or an index may take its time.
      try connection.script("SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(\(lock))")
      let result = try body()
      try connection.script("COMMIT")
      return result
    } catch {
      // A connection that was lost has rolled back by itself.
      try? connection.rollback()
      throw error
    }
  }
}
