package import Hummingbird
package import NIOCore

/// What Hummingbird carries along with a request: the channel, for the peer's address and for upgrades.
package struct AppContext: RequestContext {
  package var coreContext: CoreRequestContextStorage
  package let channel: any Channel

  package init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    channel = source.channel
  }

  package var requestId: String { id }
}
