import UnixSignals
import Coordinator
import Domain
import Foundation
import Logging
import Metrics
import Realtime
import Server
import ServiceLifecycle
import StorageSQLite

/// Puts the parts together: the one place that knows all of them.
enum Wiring {
  static let version = "0.1.0"

  /// Serves until SIGTERM or SIGINT.
  /// - Parameters:
  ///   - prepare: runs on the opened database before the port is bound; what it throws stops the start.
  ///   - ready: told the bound port.
  static func serve(
    _ settings: Settings, isDemo: Bool = false, live: Bool = false, logger: Logger,
    prepare: (Deployment) async throws -> Void, ready: @escaping @Sendable (Int) -> Void
  ) async throws {
    FileLimit.raise(logger)
    let registry = PrometheusRegistry()
    RequestMetrics.describe(in: registry)
    SQLiteStore.describeMetrics { registry.describe($0, $1) }
    MetricsSystem.bootstrap(registry)
    let deployment = try Deployment(settings, logger: logger)
    defer { deployment.store.close() }
    try await prepare(deployment)

    let coordinator = deployment.coordinator
    var serverSettings = settings.server
    serverSettings.isDemo = isDemo
    let pages = try PageRoutes(settings: serverSettings)
    let services = EndpointServices(settings: serverSettings, metrics: registry, errorPage: pages.errorPage) {
      try await coordinator.authenticate(token: $0)
    }
    let endpoints = endpoints(coordinator, services, registry: registry) + pages.endpoints
    let server = HTTPServer(endpoints: endpoints, services: services)
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(service: DeadlineService(coordinator: coordinator, logger: logger)),
          .init(
            service: try server.service(logger: logger) { ready($0) }, successTerminationBehavior: .gracefullyShutdownGroup
          ),
        ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }

  private static func endpoints(
    _ coordinator: Coordinator, _ services: EndpointServices, registry: PrometheusRegistry
  ) -> [Endpoint] {
    let checks: [OperationRoutes.Check] = [
      (name: "database", run: { _ = try await coordinator.logBounds() })
    ]
    let live = EventRoutes.Live(
      socket: { _, _, _, _ in throw Rejection(.unavailable, "") }, stream: { _, _, _, _ in throw Rejection(.unavailable, "") },
      call: { _, _, _ in throw Rejection(.unavailable, "") })
    let endpoints =
      SessionRoutes(coordinator, settings: services.settings, signedOut: { _ in }).endpoints + DirectoryRoutes(coordinator).endpoints
      + ConsultRoutes(coordinator).endpoints + TripRoutes(coordinator).endpoints
      + EventRoutes(coordinator, live: live).endpoints + PeopleRoutes(coordinator).endpoints
      + OperationRoutes(checks: checks, registry: registry).endpoints
    return endpoints + [OperationRoutes.description(of: endpoints, version: version)]
  }

  static func openAPI() async throws -> [UInt8] { [] }
}

/// Sockets are files: the server takes as many as the system lets it.
enum FileLimit {
  static func raise(_ logger: Logger) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
      logger.warning("the limit of open files could not be raised", metadata: ["limit": "\(limit.rlim_cur)"])
    }
  }
}
