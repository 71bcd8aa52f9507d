import CPostgres
import Coordinator
package import Domain
import Foundation
import Storage

/// Backups by PostgreSQL's own programs, while nodes serve: `pg_dump` and `pg_restore`, from Debian's
/// postgresql-client.
package enum PostgresFiles {
  /// Writes the database as it is at one moment to `file`, which must not exist; whole and on the disk, or nothing.
  package static func backup(_ settings: PostgresSettings, to file: String) throws {
    let partial = file + ".partial"
    // The name is taken first, so that two backups cannot both believe that it is free.
    let descriptor = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw StoreFailure("\(file) cannot be made: \(String(cString: strerror(errno)))") }
    close(descriptor)
    do {
      try run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", "--file", partial], settings)
      try sync(partial)
      guard rename(partial, file) == 0 else { throw StoreFailure("\(file): \(String(cString: strerror(errno)))") }
      try sync(URL(fileURLWithPath: file).deletingLastPathComponent().path)
    } catch {
      unlink(partial)
      unlink(file)
      throw error
    }
  }

  /// Puts a backup in the database's place, all or nothing, with a new epoch. Refuses while a node serves it.
  package static func restore(_ file: String, to settings: PostgresSettings, now: Instant) throws {
    guard FileManager.default.isReadableFile(atPath: file) else { throw StoreFailure("there is no file \(file)") }
    let contents = try run("pg_restore", ["--list", file], settings)
    guard contents.contains(" TABLE DATA "), contents.contains(" event "), contents.contains(" call_room ") else {
      throw StoreFailure("\(file) is no backup of hoichan")
    }
    do {
      try PostgresStore.refuseNodes(PostgresConnection(settings))
      try run(
        "pg_restore",
        [
          "--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error",
          "--dbname", option("dbname", settings) ?? "postgres", file,
        ], settings)
      let connection = try PostgresConnection(settings)
      _ = try PostgresSchema.migrate(connection)
      try connection.script("BEGIN")
      let tables = SQLTransaction(connection)
      try tables.renewEpoch()
      try tables.setMeta("restored", now.text)
      // Whoever served then does not now.
      try connection.script(
        "DELETE FROM node; DELETE FROM call_room; UPDATE lease SET holder = '', until_at = 0; COMMIT")
    } catch let failure as PostgresFailure {
      throw failure.asStoreFailure
    }
  }

  /// Runs a program with the URI in its environment, where no list of processes shows a password; returns its output.
  @discardableResult
  private static func run(_ program: String, _ arguments: [String], _ settings: PostgresSettings) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    var environment = ProcessInfo.processInfo.environment
    for (name, value) in try options(settings).compactMap({ option in option.variable.map { ($0, option.value) } }) {
      environment[name] = value
    }
    // The first host of the list may be a standby.
    environment["PGTARGETSESSIONATTRS"] = "read-write"
    process.environment = environment
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // What these programs say on either is short; a list of contents is a few kilobytes.
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let reason = process.terminationStatus == 127 ? "it is not installed (postgresql-client)" : complaint
      throw StoreFailure("\(program): \(reason)")
    }
    return text
  }

  private static func option(_ keyword: String, _ settings: PostgresSettings) throws -> String? {
    try options(settings).first { $0.keyword == keyword }?.value
  }

  /// The parts of the URI, and the environment variables by which libpq's programs take them.
  private static func options(
    _ settings: PostgresSettings
  ) throws -> [(keyword: String, variable: String?, value: String)] {
    guard let parsed = PQconninfoParse(settings.uri, nil) else { throw StoreFailure("the database's URI is malformed") }
    defer { PQconninfoFree(parsed) }
    var options: [(String, String?, String)] = []
    var next = parsed
    while let keyword = next.pointee.keyword {
      if let value = next.pointee.val {
        options.append(
          (String(cString: keyword), next.pointee.envvar.map { String(cString: $0) }, String(cString: value)))
      }
      next = next.advanced(by: 1)
    }
    return options
  }

  private static func sync(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw StoreFailure("\(path): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw StoreFailure("\(path): \(String(cString: strerror(errno)))") }
  }
}
