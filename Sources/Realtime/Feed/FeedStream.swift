import Coordinator
import Domain
package import HTTPTypes
package import HummingbirdCore
package import NIOCore
import ServiceLifecycle
import Synchronization

/// The feed as Server-Sent Events: the same source as the sockets, pulled by the task of its request as fast as the
/// client reads. Durable events only; `id:` is the cursor.
package struct FeedStream: Sendable {
  package static let headers: HTTPFields = {
    var headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store, no-transform"]
    // nginx would hold events back otherwise.
    if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
    return headers
  }()

  private let subscription: FeedSubscription
  private let channel: any Channel

  /// `channel` is the request's: it is closed under a client that does not read.
  package init(_ subscription: FeedSubscription, channel: any Channel) {
    self.subscription = subscription
    self.channel = channel
  }

  package var body: ResponseBody {
    ResponseBody { writer in
      try await follow(&writer)
      try await writer.finish(nil)
    }
  }

  /// Writes until the sign-in ends, the server stops or the client goes.
  private func follow(_ writer: inout any ResponseBodyWriter) async throws {
    let hub = subscription.hub
    if let gap = subscription.gap {
      hub.metrics.ended(.gap)
      return try await writer.write(Self.gap(gap, subscription.bounds))
    }
    let signal = StreamSignal(channel, hub.backlog)
    let input = InputWatch { signal.end(.left) }
    try await channel.pipeline.addHandler(input, position: .first)
    hub.metrics.subscribed(.stream)
    hub.add(signal)
    if subscription.isOutdated { signal.end() }
    let watch = hub.sessions.watch(subscription.caller) { _ in signal.end(.signedOut) }
    defer {
      hub.sessions.unwatch(watch)
      hub.remove(signal)
      channel.pipeline.removeHandler(input, promise: nil)
      hub.metrics.unsubscribed(.stream, signal.reason ?? .left)
    }
    do {
      try await withGracefulShutdownHandler {
        try await pull(&writer, signal)
      } onGracefulShutdown: {
        signal.end()
      }
    } catch let cut as LogCut {
      // It was read so slowly that what comes next has gone to the archive.
      signal.note(.gap)
      try await signal.writing { try await writer.write(Self.gap(.tooOld, cut.bounds)) }
    } catch let failure as StoreFailure {
      signal.note(.failed)
      throw failure
    }
  }

  private func pull(_ writer: inout any ResponseBodyWriter, _ signal: StreamSignal) async throws {
    let hub = subscription.hub
    var position = subscription.start
    signal.stands(at: position.seq)
    // The client knows its position from the start: also who heard nothing yet can come back without a loss.
    try await signal.writing { try await writer.write(Self.position(position)) }
    var told = ContinuousClock.now
    var wakes = signal.wakes.makeAsyncIterator()
    func keepAlive() async throws {
      guard !signal.isEnded, ContinuousClock.now - told >= hub.timing.keepAlive else { return }
      try await signal.writing { try await writer.write(Self.position(position)) }
      told = ContinuousClock.now
    }
    var ahead: ArraySlice<FeedItem> = []
    while true {
      while !signal.isEnded {
        if ahead.isEmpty { ahead = try await hub.items(after: position.seq)[...] }
        let stretch = Array(ahead.prefix(Limits.feedPage))
        guard let last = stretch.last else { break }
        ahead = ahead.dropFirst(stretch.count)
        let page = hub.pages.page(stretch, after: position.seq, through: last.cursor, for: subscription.key)
        position = last.cursor
        signal.stands(at: position.seq)
        guard let bytes = page.bytes else {
          // Whoever wants little of a long log is told where the search has come to.
          try await keepAlive()
          continue
        }
        try await signal.writing(bytes.readableBytes) { try await writer.write(bytes) }
        hub.metrics.delivered(page.count)
        told = ContinuousClock.now
      }
      try await keepAlive()
      guard !signal.isEnded, await wakes.next() != nil else { return }
    }
  }

  // MARK: The wire

  /// A comment that keeps the link, and an id without data: it moves the client's `Last-Event-ID` past events that
  /// were not for it, and is no event.
  private static func position(_ cursor: Cursor) -> ByteBuffer { ByteBuffer(string: ": \nid: \(cursor.text)\n\n") }

  private static func gap(_ gap: CursorGap, _ bounds: LogBounds) -> ByteBuffer {
    let data: JSON = [
      "reason": .string(gap.rawValue), "oldest": .string(bounds.oldest.text), "head": .string(bounds.head.text),
    ]
    return ByteBuffer(string: "event: gap\nretry: 60000\ndata: \(data.text)\n\n")
  }
}

/// How the hub reaches the task of a stream.
final class StreamSignal: Sendable {
  let wakes: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation
  private let channel: any Channel
  private let backlog: FeedBacklog
  /// Since when the client has taken nothing of what is being written to it.
  private let writingSince = Mutex<NIODeadline?>(nil)
  private let ended = Atomic<Bool>(false)
  private let firstReason = Mutex<FeedEnd?>(nil)
  /// Below zero until it is known.
  private let seq = Atomic<Int64>(-1)

  init(_ channel: any Channel, _ backlog: FeedBacklog) {
    self.channel = channel
    self.backlog = backlog
    (wakes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  var isEnded: Bool { ended.load(ordering: .acquiring) }

  /// Why it ended, if that was this server's doing.
  var reason: FeedEnd? { firstReason.withLock { $0 } }

  /// Behind what was written, or is being; nil for who waits for a page.
  var position: Int64? {
    let seq = seq.load(ordering: .relaxed)
    return seq < 0 ? nil : seq
  }

  func wake() { continuation.yield() }

  func stands(at seq: Int64) { self.seq.store(seq, ordering: .relaxed) }

  func note(_ reason: FeedEnd) { firstReason.withLock { $0 = $0 ?? reason } }

  /// Ends the stream behind what it is writing; a write that waits for the client is cut off, since it might wait
  /// for ever.
  func end(_ reason: FeedEnd = .goingAway) {
    note(reason)
    ended.store(true, ordering: .releasing)
    continuation.finish()
    if writingSince.withLock({ $0 }) != nil { channel.close(promise: nil) }
  }

  func beat(patience: TimeAmount) {
    wake()
    if let since = writingSince.withLock({ $0 }), .now() >= since + patience {
      note(.tooSlow)
      channel.close(promise: nil)
    }
  }

  func writing(_ bytes: Int = 0, _ write: () async throws -> Void) async throws {
    writingSince.withLock { $0 = .now() }
    backlog.add(bytes)
    defer {
      writingSince.withLock { $0 = nil }
      backlog.remove(bytes)
    }
    try await write()
  }
}
