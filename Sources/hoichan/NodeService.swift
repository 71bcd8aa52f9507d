import Coordinator
import Server
import ServiceLifecycle

/// Says to the other nodes that this one serves, and, when it is asked to stop, that it will be gone.
struct NodeService: Service {
  private let store: any Store
  private let settings: Settings

  init(_ store: any Store, _ settings: Settings) {
    self.store = store
    self.settings = settings
  }

  func serves(_ port: Int) {
    store.peers.register(address: "\(settings.server.host):\(port)", version: Wiring.version)
  }

  func run() async throws {
    try? await gracefulShutdown()
    store.peers.drain()
  }
}
