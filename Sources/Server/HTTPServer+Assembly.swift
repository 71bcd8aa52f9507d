package import Coordinator
package import Domain

extension HTTPServer {
  /// The whole server: every route of every noun, the pages, and the description of them all. `hoichan` runs what
  /// this makes, tests call it, and `hoichan openapi` prints its description.
  ///
  /// - Parameters:
  ///   - version: the program's, for the description.
  ///   - live: what Realtime does with sockets and streams.
  ///   - testWebhook: what Realtime does to try a receiver.
  ///   - checks: what `/readyz` asks besides the database.
  ///   - signedOut: told of a session that ended, so that its sockets close at once.
  /// - Throws: when a page's template or file is missing.
  package static func assemble(
    _ coordinator: Coordinator, settings: ServerSettings, registry: PrometheusRegistry, version: String,
    live: EventRoutes.Live, testWebhook: @escaping WebhookRoutes.Test, checks: [OperationRoutes.Check] = [],
    signedOut: @escaping @Sendable (Caller) async -> Void = { _ in }
  ) throws -> HTTPServer {
    RequestMetrics.describe(in: registry)
    let pages = try PageRoutes(settings: settings)
    let database: OperationRoutes.Check = ("database", { try await coordinator.store.check() })
    let node: OperationRoutes.Check = ("node", { try coordinator.store.peers.check() })
    let api =
      SessionRoutes(coordinator, settings: settings, signedOut: signedOut).endpoints
      + DirectoryRoutes(coordinator).endpoints + ConsultRoutes(coordinator).endpoints
      + TripRoutes(coordinator).endpoints + EventRoutes(coordinator, live: live).endpoints
      + WebhookRoutes(coordinator, test: testWebhook).endpoints
      + PeopleRoutes(coordinator).endpoints + ProblemRoutes().endpoints
      + OperationRoutes(checks: [database, node] + checks, registry: registry).endpoints
    let described = api + [OperationRoutes.socketDescription(of: api, version: version)]
    let services = EndpointServices(settings: settings, metrics: registry, errorPage: pages.errorPage) {
      try await coordinator.authenticate(token: $0)
    }
    return HTTPServer(
      endpoints: described + [OperationRoutes.description(of: described, version: version)] + pages.endpoints,
      services: services)
  }
}
