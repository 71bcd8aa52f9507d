package import Hummingbird
import Logging
package import NIOCore

/// What Hummingbird carries along with a request: the channel, for the peer's address and for upgrades.
package struct AppContext: RequestContext {
  package var coreContext: CoreRequestContextStorage
  package let channel: any Channel

  package init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    channel = source.channel
  }

  /// By which an answer and the log's lines are told to belong together; Hummingbird gives it.
  package var requestId: String { logger[metadataKey: "hb.request.id"]?.description ?? "unknown" }
}
