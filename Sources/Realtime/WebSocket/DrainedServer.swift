package import ServiceLifecycle

/// A server on `SharedPortChannel` whose end is that of its last connection. Sockets have no task of their own, so the
/// server itself ends when it has answered its last request, while sockets may still be about to say goodbye.
package struct DrainedServer: Service {
  private let server: any Service
  private let connections: ConnectionLimits

  /// - Parameter connections: the ones that the server's channels were configured with.
  package init(server: any Service, connections: ConnectionLimits) {
    self.server = server
    self.connections = connections
  }

  package func run() async throws {
    try await server.run()
    await connections.emptied()
  }
}
