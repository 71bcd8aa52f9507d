import ArgumentParser
import Coordinator
import Domain
import Foundation
import Logging
import Storage

/// Carries a province over from one database to another, such as from a file to PostgreSQL (docs/SCALING.md).
struct CopyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copy",
    abstract: "Copies a whole database into an empty one, and verifies it. No server may run on either.")
  @Option(help: "sqlite:PATH or postgres://…: what is copied.") var from: String
  @Option(help: "sqlite:PATH or postgres://…: an empty database.") var to: String
  @OptionGroup var settings: SettingsOptions

  func run() async throws {
    var source = try await settings.read()
    var target = source
    (source.database, target.database) = (try Database(from), try Database(to))
    guard source.database != target.database else { throw ValidationError("--from and --to are the same database.") }
    var logger = Deployment.logger(source)
    logger.logLevel = max(logger.logLevel, .warning)

    let original = try source.database.openAlone(.use, logger: logger)
    defer { original.close() }
    let isDemo = try await original.read { try $0.meta("demo") } != nil
    let key = try await SecretKey.read(source, original, mayMake: false, isDemo: false)
    let secrets = Secrets(key: key)
    let copy = try target.database.openAlone(.make, logger: logger)
    defer { copy.close() }
    let started = ContinuousClock.now
    try await DatabaseCopy(from: original, to: copy).run(secrets: secrets) { table, rows in print("\(table): \(rows)") }
    try await SecretKey.hand(key, to: copy, target.database, isDemo: isDemo)
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    let head = try await copy.read { try $0.logBounds().head.seq }
    print("copied and verified in \(seconds.tenths) s, with the log up to event \(head)")
    if !isDemo {
      print("Every node needs the key of the source: HOICHAN_SECRET_KEY=file:PATH, a copy of its secret.key.")
    }
  }
}
