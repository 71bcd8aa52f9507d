package import Domain

/// A numbered step of the schema. Steps are never edited once released: a change is a new step, which expands first
/// and contracts one release later, so that two releases can run side by side during an upgrade.
package struct Migration: Sendable {
  package var number: Int64
  package var name: String
  /// In the shared dialect, with `BIGINT` and `BYTEA` for the few types on which the engines differ.
  package var script: String
}

package enum Migrations {
  package static let all: [Migration] = [
    Migration(number: 1, name: "first release", script: Schema.release1)
  ]

  /// Brings the schema up to date inside the open transaction, under the engine's lock. Returns what it ran.
  ///
  /// Throws when the database was written by a later release than this one.
  package static func run(on connection: any SQLConnection, now: Instant) throws -> [Migration] {
    try connection.script(Schema.migrationTable)
    let done = try refuseNewer(on: connection)
    var ran: [Migration] = []
    for migration in all where !done.contains(migration.number) {
      try connection.script(migration.script)
      try connection.run(SQLs.record, [.int(migration.number), .text(migration.name), .instant(now)])
      ran.append(migration)
    }
    return ran
  }

  /// The migrations that the database has; throws when one of them is from a later release.
  @discardableResult
  package static func refuseNewer(on connection: any SQLConnection) throws -> [Int64] {
    let done = try connection.rows(SQLs.done, []) { $0.int(0) }
    if let last = done.max(), last > (all.last?.number ?? 0) {
      throw NewerSchema(description: "the database has schema \(last), which is newer than this release knows")
    }
    return done
  }

  private enum SQLs {
    static let done = SQL("SELECT number FROM migration")
    static let record = SQL("INSERT INTO migration (number, name, applied_at) VALUES ($1, $2, $3)")
  }
}

/// The database was made by a later release.
package struct NewerSchema: Error, CustomStringConvertible { package var description: String }
