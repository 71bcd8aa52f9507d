import ArgumentParser
import CMalloc
import Coordinator
import Domain
import Foundation
import HTTPTypes
import Logging
import Metrics
import NIOCore
import Realtime
import Server
import ServiceLifecycle
import StoragePostgres
import UnixSignals

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
    SystemLimits.keepFreedMemory()
    SystemLimits.raiseOpenFiles(logger)
    let registry = PrometheusRegistry()
    MetricsSystem.bootstrap(registry)
    let publisher = FeedPublisher()
    let opened = try await WaitingServer.open(settings, logger: logger) {
      try await Deployment(settings, .serve, isDemo: isDemo, logger: logger, publish: publisher.publish)
    }
    // Stopped before there was a database.
    guard let deployment = opened else { return }
    defer { deployment.store.close() }
    try await prepare(deployment)

    var serverSettings = settings.server
    serverSettings.isDemo = isDemo
    for (label, help) in settings.database.metricDescriptions { registry.describe(label, help) }
    let app = try App(
      deployment, serverSettings, feedMemory: settings.feedMemory, publisher: publisher, registry: registry)
    let node = NodeService(deployment.store, settings)
    var services: [any Service] = [
      DeadlineService(coordinator: deployment.coordinator, logger: logger),
      RetentionService(coordinator: deployment.coordinator, retention: settings.retention, logger: logger), app.hub,
      app.rooms, app.webhooks,
    ]
    if live { services.append(LiveTraffic(coordinator: deployment.coordinator, logger: logger)) }
    // They end in reverse: the server stops taking requests first, while the feed still says good-bye.
    services.append(
      try app.server.service(logger: logger) { port in
        node.serves(port)
        ready(port)
      })
    services.append(node)
    let group = ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw ValidationError("\(settings.server.host):\(settings.server.port) is taken by another program.")
    }
  }

  /// The description of the interface, without serving it.
  static func openAPI() async throws -> [UInt8] { try await describe { OpenAPIDocument($0, version: version).json } }

  /// The description of its sockets.
  static func asyncAPI() async throws -> [UInt8] { try await describe { AsyncAPIDocument($0, version: version).json } }

  private static func describe(_ document: ([Endpoint]) -> JSON) async throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "hoichan-\(ProcessInfo.processInfo.processIdentifier)")
    defer { try? FileManager.default.removeItem(at: folder) }
    var settings = try await SettingsOptions.parse([]).read(["database": "sqlite:\(folder.path)/hoichan.sqlite"])
    settings.secretKey = String(repeating: "-", count: 32)
    let logger = Logger(label: "hoichan", factory: { _ in SwiftLogNoOpLogHandler() })
    let deployment = try await Deployment(settings, .make, logger: logger)
    defer { deployment.store.close() }
    let app = try App(
      deployment, settings.server, feedMemory: settings.feedMemory, publisher: FeedPublisher(),
      registry: PrometheusRegistry())
    return document(app.server.endpoints).bytes
  }
}

/// Everything that answers: the hub, the rooms, what sends events out, and the server over them.
struct App {
  let hub: FeedHub
  let rooms: CallRooms
  let webhooks: WebhookService
  let server: HTTPServer

  init(
    _ deployment: Deployment, _ settings: ServerSettings, feedMemory: FeedMemory, publisher: FeedPublisher,
    registry: PrometheusRegistry
  ) throws {
    let coordinator = deployment.coordinator
    for (label, help) in FeedMetrics.descriptions + CallMetrics.descriptions + WebhookMetrics.descriptions {
      registry.describe(label, help)
    }
    let hub = FeedHub(coordinator, publisher: publisher, logger: deployment.logger, memory: feedMemory)
    let rooms = CallRooms(
      coordinator, sessions: hub.sessions, turn: TurnSettings(urls: settings.turnURLs, secrets: settings.turnSecrets),
      publish: publisher.publish, logger: deployment.logger)
    let webhooks = WebhookService(
      coordinator, sender: WebhookSender(allowsLocal: coordinator.allowsLocalReceivers), logger: deployment.logger)
    server = try HTTPServer.assemble(
      coordinator, settings: settings, registry: registry, version: Wiring.version, live: Self.live(hub, rooms),
      testWebhook: { try await webhooks.test($0, id: $1) }
    ) { hub.sessionEnded($0.sessionId) }
    self.hub = hub
    self.rooms = rooms
    self.webhooks = webhooks
  }

  private static func live(_ hub: FeedHub, _ rooms: CallRooms) -> EventRoutes.Live {
    EventRoutes.Live(
      socket: { request, caller, filter, after, volatility in
        let subscription = try await hub.subscribe(caller, after: after, filter: filter, volatility: volatility)
        return try await SocketUpgrade.accept(
          request, subprotocol: FeedHub.subprotocol, limits: FeedHub.socketLimits, delegate: subscription.delegate)
      },
      stream: { request, caller, filter, after in
        let stream = FeedStream(
          try await hub.subscribe(caller, after: after, filter: filter), channel: request.context.channel)
        return EndpointResponse(.ok, headers: FeedStream.headers, body: .stream(stream.body))
      },
      page: { request, caller, filter, after, wait in
        try await hub.page(
          Call(caller), after: after, filter: filter, limit: request.limit, wait: .seconds(wait),
          on: request.context.channel)
      },
      call: { request, caller, consult in
        let admission = try await rooms.admit(caller, consult: consult)
        return try await SocketUpgrade.accept(
          request, subprotocol: CallRooms.subprotocol, limits: CallRooms.socketLimits, delegate: admission.delegate)
      }, status: { hub.status() })
  }
}

/// What the system gives a process, set to what a server needs.
enum SystemLimits {
  /// Memory that was freed is kept for the next request: glibc would give it back and fetch it anew a thousand times a
  /// second, which costs a twelfth of the bookings. What is kept was once in use at the same time.
  static func keepFreedMemory() { mallopt(M_TRIM_THRESHOLD, 64 << 20) }

  /// Sockets are files: the server takes as many as the system lets it.
  static func raiseOpenFiles(_ logger: Logger) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
      logger.warning("the limit of open files could not be raised", metadata: ["limit": "\(limit.rlim_cur)"])
    }
  }
}
