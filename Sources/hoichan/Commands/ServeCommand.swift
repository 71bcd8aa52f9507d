import ArgumentParser
import Coordinator
import Domain
import Foundation
import Logging
import StorageSQLite

/// The server.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "serve", abstract: "Serves the pages and interfaces.")
  @OptionGroup var settings: SettingsOptions
  @Option(help: "host:port. Also HOICHAN_LISTEN.") var listen: String?

  func run() async throws {
    let settings = try await settings.read(["listen": listen])
    let logger = Deployment.logger(settings)
    try await Wiring.serve(settings, logger: logger) { deployment in
      let demo = try await deployment.store.read { try $0.meta("demo") }
      // Its accounts and password are known to everybody.
      if demo != nil, !settings.isLoopback {
        throw ValidationError("This is a demo database: its passwords are public. It is served on loopback only.")
      }
    } ready: { port in
      logger.notice("ready", metadata: ["address": "\(Deployment.address(settings, port: port))"])
    }
  }
}
