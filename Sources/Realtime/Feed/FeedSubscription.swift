import Domain
import NIOCore

/// A resolved wish to follow the feed: becomes a socket's delegate or a stream.
package struct FeedSubscription: Sendable {
  let hub: FeedHub
  let caller: Caller
  let key: FeedLensKey
  let volatility: FeedVolatility
  var start: Cursor
  let bounds: LogBounds
  /// The ring's, when this began.
  let restarts: Int
  var gap: CursorGap?

  /// Whether the log was rewound meanwhile: whoever did not follow yet was not told.
  var isOutdated: Bool { hub.ring.restarts != restarts }

  /// For `WebSocketUpgrade.accept`.
  package func delegate(_ socket: Socket) -> any SocketDelegate {
    if let gap { return FeedRefusal(.gap, gap.rawValue, frame: FeedFrames.gap(gap, bounds), metrics: hub.metrics) }
    guard hub.metrics.openCount < Limits.feedSockets else {
      return FeedRefusal(.tooMany, "too many follow the feed already", metrics: hub.metrics)
    }
    return FeedReader(self, loop: hub.loop(on: socket.eventLoop))
  }
}

/// A socket that is told why it gets no feed.
final class FeedRefusal: SocketDelegate {
  private let frame: ByteBuffer?
  private let code: CloseCode
  private let reason: String
  private let metrics: FeedMetrics

  init(_ code: CloseCode, _ reason: String, frame: ByteBuffer? = nil, metrics: FeedMetrics) {
    self.frame = frame
    self.code = code
    self.reason = reason
    self.metrics = metrics
  }

  func opened(_ socket: Socket) {
    metrics.ended(FeedEnd(code))
    if let frame { socket.send(frame) }
    socket.close(code, reason: reason)
  }

  func received(_ message: SocketMessage, on socket: Socket) {}

  func closed(_ socket: Socket, _ closure: SocketClosure) {}
}
