package import Domain

/// A numbered step of the schema. Steps are never edited once released: a change is a new step, which expands first
/// and contracts one release later, so that two releases can run side by side during an upgrade.
package struct Migration: Sendable {
  package var number: Int64
  package var name: String
  /// In the shared dialect, with `BIGINT` and `BYTEA` for the few types on which the engines differ.
  package var script: String
  /// The number that a release must know at least to work with the schema from this step on: smaller than the step's
  /// own when the step only adds, so that the release before goes on beside it, and can even be started again.
  package var neededBy: Int64

  package init(number: Int64, name: String, script: String, neededBy: Int64) {
    self.number = number
    self.name = name
    self.script = script
    self.neededBy = neededBy
  }
}

package enum Migrations {
  package static let all: [Migration] = [
    Migration(number: 1, name: "first release", script: Schema.release1, neededBy: 1),
    Migration(number: 2, name: "several nodes", script: Schema.release2, neededBy: 2),
    Migration(number: eventArchive, name: "event archive", script: Schema.release3, neededBy: 2),
    Migration(number: 4, name: "webhooks", script: Schema.release4, neededBy: 2),
  ]

  /// What a release must know once events were archived: it would take the rest of the log for the whole.
  package static let eventArchive: Int64 = 3

  /// From now on no release may start that does not know this step, though the schema alone would not mind.
  static func require(_ number: Int64, on connection: any SQLConnection) throws {
    if try Self.needed(connection) ?? 0 < number { try connection.post(SQLs.setNeeded, [.text(String(number))]) }
  }

  private static func needed(_ connection: any SQLConnection) throws -> Int64? {
    try connection.first(SQLs.needed, []) { $0.text(0) }.flatMap { Int64($0) }
  }

  /// Brings the schema up to date inside the open transaction, under the engine's lock. Returns what it ran.
  ///
  /// Throws when the database was brought by a later release to where this one cannot follow.
  package static func run(
    _ migrations: [Migration] = all, on connection: any SQLConnection, now: Instant
  ) throws -> [Migration] {
    try connection.script(Schema.migrationTable)
    let done = try refuseNewer(than: migrations, on: connection)
    let wanted = migrations.filter { !done.contains($0.number) }
    for migration in wanted {
      try connection.script(migration.script)
      try connection.run(SQLs.record, [.int(migration.number), .text(migration.name), .instant(now)])
    }
    if !wanted.isEmpty, let needed = migrations.map(\.neededBy).max() { try require(needed, on: connection) }
    return wanted
  }

  /// The migrations that the database has; throws when this release is too old for one of them.
  @discardableResult
  package static func refuseNewer(than migrations: [Migration] = all, on connection: any SQLConnection) throws
    -> [Int64]
  {
    let done = try connection.rows(SQLs.done, []) { $0.int(0) }
    let known = migrations.last?.number ?? 0
    guard let last = done.max(), last > known else { return done }
    let needed = try Self.needed(connection) ?? last
    guard needed <= known else {
      throw NewerSchema(description: "the database has schema \(last), which is newer than this release knows")
    }
    return done
  }

  private enum SQLs {
    static let done = SQL("SELECT number FROM migration")
    static let needed = SQL("SELECT value FROM meta WHERE name = 'schema.neededBy'")
    static let setNeeded = SQL(
      """
      INSERT INTO meta (name, value) VALUES ('schema.neededBy', $1)
      ON CONFLICT (name) DO UPDATE SET value = excluded.value
      """)
    static let record = SQL("INSERT INTO migration (number, name, applied_at) VALUES ($1, $2, $3)")
  }
}

/// The database was made by a later release.
package struct NewerSchema: Error, CustomStringConvertible { package var description: String }
