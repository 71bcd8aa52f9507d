import ArgumentParser
import Coordinator
import Domain
import Foundation

/// Loads a CSV file, all or nothing (docs/IMPORT.md).
struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Loads facilities, practitioners, schedules or vehicles from a CSV file.")
  @OptionGroup var settings: SettingsOptions
  @Argument(help: "facilities, practitioners, schedules or vehicles.") var kind: String
  @Argument(help: "The CSV file: UTF-8, ',' or ';'.") var file: String
  @Flag(help: "Only says what is wrong; changes nothing.") var check = false

  func run() async throws {
    guard let kind = ImportKind(rawValue: kind) else {
      throw ValidationError("'\(kind)' cannot be imported; facilities, practitioners, schedules and vehicles can.")
    }
    try await administer(settings, .make) { coordinator, _ in
      let known = try await coordinator.store.read { tx in
        KnownDirectory(
          facilities: try tx.allFacilities(), practitioners: try tx.calendars().map { $0.practitioner.id })
      }
      let result = try ImportFile.read(kind, path: file, known: known)
      guard result.problems.isEmpty else {
        for problem in result.problems { FileHandle.standardError.write(Data("\(problem)\n".utf8)) }
        FileHandle.standardError.write(Data("Nothing was changed.\n".utf8))
        throw ExitCode(1)
      }
      if !check { try await coordinator.load(result.batch) }
      print("\(result.rows) \(kind.rawValue) \(check ? "would be loaded" : "loaded")")
    }
  }
}
