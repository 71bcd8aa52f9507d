import ArgumentParser
import Foundation

/// Prints the description of the interface that the server also gives at `/openapi.json`.
struct OpenAPICommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "openapi", abstract: "Prints the OpenAPI 3.1 description.")

  func run() async throws {
    FileHandle.standardOutput.write(Data(try await Wiring.openAPI()))
  }
}

/// Prints the description of the sockets that the server also gives at `/asyncapi.json`.
struct AsyncAPICommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "asyncapi", abstract: "Prints the AsyncAPI 3.0 description of the sockets.")

  func run() async throws {
    FileHandle.standardOutput.write(Data(try await Wiring.asyncAPI()))
  }
}

/// Brings the schema up to date without serving.
struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Makes the database or brings its schema up to date.")
  @OptionGroup var settings: SettingsOptions

  func run() async throws { try await administer(settings, .make) { _, _ in print("The schema is up to date.") } }
}
