import Coordinator
package import Domain
import Foundation
import GRDB
import Storage

/// The database as a file: checked, copied while a server uses it, and put back.
package enum SQLiteFiles {
  /// What SQLite finds wrong with the file: pages, indexes, references. Empty when it is sound.
  package static func integrityCheck(_ path: String) throws -> [String] {
    do {
      return try open(path, readOnly: true).read { database in
        let pages = try String.fetchAll(database, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
        let references = try Row.fetchAll(database, sql: "PRAGMA foreign_key_check").map { row in
          "a row of \(row[0] as String? ?? "?") refers to a row of \(row[2] as String? ?? "?") that is not there"
        }
        return pages + references
      }
    } catch let error as DatabaseError
      where error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB
    {
      // Too damaged to be read to its end.
      return [error.message ?? "\(error.resultCode)"]
    }
  }

  /// Copies the database as it is at one moment, also while a server writes to it. Never overwrites a file; what
  /// stands at `file` afterwards is whole and on the disk, or nothing does.
  package static func backup(from path: String, to file: String) throws {
    let lock = try DataLock(path: path, kind: .shared)
    defer { withExtendedLifetime(lock) {} }
    // The name is taken first, so that two backups cannot both believe that it is free.
    let descriptor = Foundation.open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw StoreFailure("\(file) cannot be made: \(reason())") }
    close(descriptor)
    do {
      try copy(path, to: file + ".partial")
      try rename(file + ".partial", to: file)
    } catch {
      remove(file)
      throw error
    }
  }

  /// Puts a backup in the place of the database, with a new epoch, so that every cursor that was given out is told
  /// that the log is another one. Refuses while a server or command has the database open, and a damaged backup.
  package static func restore(_ file: String, to path: String, now: Instant) throws {
    try FileManager.default.createDirectory(
      at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
    let lock = try DataLock(path: path, kind: .exclusive)
    defer { withExtendedLifetime(lock) {} }
    let problems = try integrityCheck(file)
    guard problems.isEmpty else {
      throw StoreFailure("\(file) is damaged: \(problems.prefix(3).joined(separator: "; "))")
    }
    let restoring = path + ".restoring"
    try copy(file, to: restoring) { tables in
      guard try tables.meta("epoch") != nil else { throw StoreFailure("\(file) is no backup of hoichan") }
      try Migrations.refuseNewer(on: tables.connection)
      try tables.renewEpoch()
      try tables.setMeta("restored", now.text)
    }
    // A log that stayed behind would be read into the new database. What it holds goes into the old one first, so
    // that nothing is lost if this machine stops before the new file has the name; a database that is too damaged
    // for that is why one restores.
    if FileManager.default.fileExists(atPath: path) {
      try? open(path, readOnly: false).writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
    }
    remove(path + "-wal")
    remove(path + "-shm")
    try syncFolder(of: path)
    try rename(restoring, to: path)
  }

  /// Makes `file` a copy of the database at `path`, whole in one file and on the disk.
  private static func copy(
    _ path: String, to file: String, change: ((SQLTransaction) throws -> Void)? = nil
  ) throws {
    for leftover in ["", "-journal", "-wal", "-shm"] { remove(file + leftover) }
    // It holds patients' records: nobody else may read it, whatever the umask is.
    let descriptor = Foundation.open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw StoreFailure("\(file) cannot be made: \(reason())") }
    close(descriptor)
    do {
      let source = try open(path, readOnly: true)
      let copy = try open(file, readOnly: false)
      try source.backup(to: copy)
      try source.close()
      try copy.writeWithoutTransaction { database in
        // Out of the write-ahead mode, so that it is one file, and is readable from a medium that is not writable.
        try database.execute(sql: "PRAGMA journal_mode = DELETE")
        guard try String.fetchOne(database, sql: "PRAGMA quick_check") == "ok" else {
          throw StoreFailure("the copy of \(path) is damaged")
        }
        if let change { try inTransaction(database, change) }
      }
      try copy.close()
      try sync(file)
    } catch {
      for leftover in ["", "-journal"] { remove(file + leftover) }
      throw error
    }
  }

  private static func inTransaction(_ database: Database, _ body: (SQLTransaction) throws -> Void) throws {
    guard let handle = database.sqliteConnection else { throw StoreFailure("the database did not open") }
    let connection = SQLiteConnection(handle: handle)
    defer { connection.close() }
    try connection.script("BEGIN IMMEDIATE")
    do {
      try body(SQLTransaction(connection))
      try connection.script("COMMIT")
    } catch {
      if !connection.isAutocommit { try connection.script("ROLLBACK") }
      throw error
    }
  }

  /// Opens what is there; SQLite would make a file that is not.
  private static func open(_ path: String, readOnly: Bool) throws -> DatabaseQueue {
    guard FileManager.default.fileExists(atPath: path) else { throw StoreFailure("there is no file \(path)") }
    var configuration = Configuration()
    configuration.readonly = readOnly
    configuration.busyMode = .timeout(TimeInterval(Limits.busyTimeoutMilliseconds) / 1000)
    return try DatabaseQueue(path: path, configuration: configuration)
  }

  private static func rename(_ from: String, to: String) throws {
    guard Foundation.rename(from, to) == 0 else { throw StoreFailure("\(to) cannot be put in place: \(reason())") }
    try syncFolder(of: to)
  }

  /// Removes a file that may not be there.
  private static func remove(_ path: String) { unlink(path) }

  private static func syncFolder(of path: String) throws {
    try sync(URL(fileURLWithPath: path).deletingLastPathComponent().path)
  }

  private static func sync(_ path: String) throws {
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw StoreFailure("\(path) cannot be opened: \(reason())") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw StoreFailure("\(path) cannot be written to the disk: \(reason())") }
  }

  private static func reason() -> String { String(cString: strerror(errno)) }
}
