package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
import NIOSSL
import Realtime
package import ServiceLifecycle

/// Puts the endpoints, the settings and the port together.
package struct HTTPServer: Sendable {
  package var endpoints: [Endpoint]
  package var services: EndpointServices

  package init(endpoints: [Endpoint], services: EndpointServices) {
    self.endpoints = endpoints
    self.services = services
  }

  /// The router that the server runs and that tests call.
  package var responder: RouterResponder<AppContext> {
    let router = Router(context: AppContext.self, options: .autoGenerateHeadEndpoints)
    for endpoint in endpoints {
      router.on(
        RouterPath(endpoint.path), method: endpoint.method, responder: EndpointResponder(endpoint, services))
    }
    // Last: a middleware of the router applies to what is added after it, and to what nobody takes.
    router.add(middleware: UnmatchedPaths(endpoints, services))
    return router.buildResponder()
  }

  /// The server as a service: it listens when it runs, and ends by graceful shutdown.
  /// - Parameter onRunning: told the port that was bound, which is not the setting when that is 0.
  /// - Throws: when a certificate or key can't be read.
  package func service(
    logger: Logger, onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
  ) throws -> some Service {
    try Self.application(responder, services.settings, logger: logger, onRunning: onRunning)
  }

  static func application(
    _ responder: some HTTPResponder<AppContext>, _ settings: ServerSettings, logger: Logger,
    onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
  ) throws -> some Service {
    let connections = connections(settings)
    let application = Application(
      responder: responder,
      server: try builder(settings, connections),
      configuration: .init(address: .hostname(settings.host, port: settings.port), backlog: 1_024),
      onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? settings.port) },
      logger: logger)
    return DrainedServer(server: application, connections: connections)
  }

  /// How many connections are held at once, all in all and from one address.
  private static func connections(_ settings: ServerSettings) -> ConnectionLimits {
    ConnectionLimits(total: settings.connections, perAddress: settings.connectionsPerAddress) { address in
      settings.trustedProxies.contains { $0.contains(ClientAddress(address)) }
    }
  }

  private static func builder(
    _ settings: ServerSettings, _ connections: ConnectionLimits
  ) throws -> HTTPServerBuilder {
    let plain = HTTPServerBuilder.sharedPort(configuration: .init(connections: connections))
    guard let tls = settings.tls else { return plain }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try Self.reading(tls.certificate) { try NIOSSLCertificate.fromPEMFile($0) }.map {
        .certificate($0)
      }, privateKey: .privateKey(try Self.reading(tls.key) { try NIOSSLPrivateKey(file: $0, format: .pem) }))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return try .tls(plain, tlsConfiguration: configuration)
  }

  /// NIO's errors do not say which file they are about.
  private static func reading<T>(_ path: String, _ read: (String) throws -> T) throws -> T {
    do { return try read(path) } catch {
      throw UnreadablePEM(description: "\(path) holds no certificate or key in PEM that can be read: \(error)")
    }
  }
}

/// A file of TLS that cannot be used.
package struct UnreadablePEM: Error, CustomStringConvertible { package var description: String }
