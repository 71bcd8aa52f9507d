package import Domain
import Synchronization

/// Where positions and presence are handed in: made before the coordinator, who publishes, and the hub, who needs
/// the coordinator.
package final class FeedPublisher: Sendable {
  private let hub = Mutex<FeedHub?>(nil)

  package init() {}

  func connect(_ hub: FeedHub) { self.hub.withLock { $0 = hub } }

  package func publish(_ event: VolatileEvent) { hub.withLock { $0 }?.publish(event) }
}
