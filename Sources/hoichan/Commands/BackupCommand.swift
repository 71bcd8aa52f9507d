import ArgumentParser
import Coordinator
import Domain
import Foundation
import Storage

/// An online backup: a server may go on beside it.
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Writes a consistent copy of the database, its chain sealed, to FILE.")
  @OptionGroup var settings: SettingsOptions
  @Argument(help: "The file to write; it must not exist.") var file: String

  func run() async throws {
    let database = try await settings.read().database
    try await administer(settings) { coordinator, _ in
      let (secrets, now) = (coordinator.secrets, coordinator.now())
      try await coordinator.store.settle()
      try await coordinator.store.write { try $0.sealHeads(secrets, at: now) }
      try database.backup(to: file)
      let head = try await coordinator.logBounds().head
      print("backed up to \(file), with the log up to event \(head.seq)")
    }
  }
}

/// Puts a backup in the database's place. Every cursor that was given out is answered with `epoch-changed` then.
struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Replaces the database by a backup; refuses while a server holds it.")
  @OptionGroup var settings: SettingsOptions
  @Argument(help: "The backup.") var file: String

  func run() async throws {
    let settings = try await settings.read()
    try settings.database.restore(file, now: .system)
    print(
      "restored \(file). Readers of the feed begin anew; accounts, sessions and tokens are as they were at the backup.")
  }
}

/// Checks integrity, chain and claims.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Checks the database's integrity, the log's chain, and claims against appointments.")
  @OptionGroup var settings: SettingsOptions
  @Option(
    help: "A file with a head that an earlier verify printed ('SEQ CHAIN'): the log must still hold it.")
  var head: String?

  func run() async throws {
    let settings = try await settings.read()
    let known = try head.map { try Self.head(in: $0) }
    try Self.report(try settings.database.integrityProblems(), count: nil)
    try await administer(self.settings) { coordinator, _ in
      let report = try await coordinator.store.verify(secrets: coordinator.secrets, head: known)
      print(
        "\(report.events) events (\(report.archivedEvents) archived), \(report.anchors) seals, "
          + "\(report.accessEntries) access entries, \(report.bookedConsults) booked consults, "
          + "\(report.outcomes) outcomes, \(report.signatures) signatures")
      try Self.report(report.problems, count: report.problemCount)
      print("verified: no problem found")
      print("head: \(report.head.seq) \(Secrets.hex(report.head.chain))")
    }
  }

  /// Says what is wrong, and ends with status 1 if anything is.
  private static func report(_ problems: [String], count: Int?) throws {
    guard !problems.isEmpty else { return }
    for problem in problems { FileHandle.standardError.write(Data("\(problem)\n".utf8)) }
    if let count, count > problems.count {
      FileHandle.standardError.write(Data("… and \(count - problems.count) more\n".utf8))
    }
    throw ExitCode(1)
  }

  private static func head(in file: String) throws -> (seq: Int64, chain: [UInt8]) {
    let text = String(decoding: try ImportFile.bytes(of: file), as: UTF8.self)
    // The last line that is a head: the whole output of an earlier verify will do.
    for line in text.split(separator: "\n").reversed() {
      let words = line.split(separator: " ").suffix(2)
      if words.count == 2, let seq = words.first.flatMap({ Int64($0) }),
        let chain = words.last.flatMap({ bytes(String($0)) })
      {
        return (seq, chain)
      }
    }
    throw ValidationError("\(file) holds no head such as '42 9f86d0…'.")
  }

  private static func bytes(_ hex: String) -> [UInt8]? {
    guard hex.utf8.count == 64 else { return nil }
    let digits = hex.compactMap(\.hexDigitValue)
    guard digits.count == 64 else { return nil }
    return stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
