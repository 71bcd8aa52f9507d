import Coordinator
import Domain
import Logging
import Server
import ServiceLifecycle
import StoragePostgres
import Synchronization
import UnixSignals

/// What answers while the database is not there yet: a node that started first must not look like one that crashed.
enum WaitingServer {
  /// Opens the deployment; as long as its database cannot be reached, `/readyz` and every request say so.
  /// - Returns: nil when the process was asked to stop meanwhile.
  static func open(
    _ settings: Settings, logger: Logger, _ open: @escaping @Sendable () async throws -> Deployment
  ) async throws -> Deployment? {
    let reason: DatabaseUnreachable
    do { return try await open() } catch let unreachable as DatabaseUnreachable { reason = unreachable }
    logger.error("waiting for the database", metadata: ["error": "\(reason)"])
    let opener = Opener(open: open)
    let server = try HTTPServer.unavailable(settings.server, "The database can't be reached yet.", logger: logger)
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(service: server), .init(service: opener, successTerminationBehavior: .gracefullyShutdownGroup),
        ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
    return opener.opened
  }

  /// Tries until it succeeds.
  private final class Opener: Service {
    private let open: @Sendable () async throws -> Deployment
    private let deployment = Mutex<Deployment?>(nil)

    init(open: @escaping @Sendable () async throws -> Deployment) { self.open = open }

    var opened: Deployment? { deployment.withLock { $0 } }

    func run() async throws {
      try await cancelWhenGracefulShutdown {
        while !Task.isCancelled {
          do {
            let made = try await self.open()
            return self.deployment.withLock { $0 = made }
          } catch is DatabaseUnreachable {
            try? await Task.sleep(for: .milliseconds(500))
          }
        }
      }
    }
  }
}
