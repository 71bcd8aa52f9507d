package import Coordinator
package import Domain
import Metrics
package import NIOCore
import ServiceLifecycle
import Synchronization

/// Plain paging that waits: a page that would be empty is answered when an event comes that belongs on it.
extension FeedHub {
  /// A page as `Coordinator.eventPage` answers it. An empty one waits, woken by the ring as streams are: it holds no
  /// thread, and the log is read again only when there is something to answer. When the time is over, the server stops
  /// or the client has closed its side, an ordinary empty page is the answer, with the position up to which was looked.
  /// - Parameters:
  ///   - wait: how long at most.
  ///   - channel: the request's.
  /// - Throws: what `eventPage` throws; `tooMany` when too many wait; `unauthenticated` when the sign-in ended meanwhile.
  package func page(
    _ call: Call, after: String?, filter: EventFilter, limit: Int, wait: TimeAmount, on channel: any Channel
  ) async throws -> Answer {
    let page = try await coordinator.readEventPage(call, after: after, filter: filter, limit: limit)
    guard page.items.isEmpty, page.isAtHead, wait > .zero else { return page.answer }
    let key = lenses.key(filter, Visibility(call.caller))
    let waiting = PageWait(channel, backlog)
    let watch = sessions.watch(call.caller) { _ in waiting.revoke() }
    defer { sessions.unwatch(watch) }
    try waits.begin()
    defer { waits.end() }
    let input = InputWatch { waiting.signal.end() }
    try await channel.pipeline.addHandler(input, position: .first)
    let timer = channel.eventLoop.scheduleTask(in: wait) { waiting.signal.end() }
    add(waiting.signal)
    defer {
      remove(waiting.signal)
      timer.cancel()
      channel.pipeline.removeHandler(input, promise: nil)
    }
    // Behind `add`: what is written from here on wakes it.
    try await begin(at: LogBounds(epoch: page.head.epoch, oldest: page.oldest, head: page.head))
    let reached = try await withGracefulShutdownHandler {
      try await look(from: page.cursor, for: key, waiting.signal)
    } onGracefulShutdown: {
      waiting.signal.end()
    }
    guard !waiting.isRevoked else { throw Rejection.unauthenticated }
    return try await coordinator.eventPage(call, after: reached.text, filter: filter, limit: limit)
  }

  /// Where the next event of a lens stands behind a position; when the signal ended before it came, how far was looked.
  private func look(from start: Cursor, for key: FeedLensKey, _ signal: StreamSignal) async throws -> Cursor {
    var position = start
    var wakes = signal.wakes.makeAsyncIterator()
    do {
      repeat {
        while !signal.isEnded, case let found = try await items(after: position.seq), let last = found.last {
          if found.contains(where: { key.passes($0.event) }) { return position }
          position = last.cursor
        }
      } while await wakes.next() != nil
    } catch is LogCut {
      // The page from here on is the gap.
    }
    return position
  }
}

/// How many requests wait: each holds memory and a place among its address's connections, and no more than that.
final class PageWaits: Sendable {
  private let limit: Int
  private let count = Mutex(0)
  private let gauge = Gauge(label: "feed.waiting")

  init(limit: Int = Limits.waitingPages) { self.limit = limit }

  var waiting: Int { count.withLock { $0 } }

  /// Refuses with `tooMany` when so many wait already.
  func begin() throws(Rejection) {
    let isTaken = count.withLock { count in
      guard count < limit else { return false }
      count += 1
      gauge.record(count)
      return true
    }
    guard isTaken else { throw Rejection(.tooMany, "Too many wait for events already.", retryAfter: 30) }
  }

  func end() {
    count.withLock { count in
      count -= 1
      gauge.record(count)
    }
  }
}

/// One request that waits.
private final class PageWait: Sendable {
  let signal: StreamSignal
  private let revoked = Atomic<Bool>(false)

  init(_ channel: any Channel, _ backlog: FeedBacklog) { signal = StreamSignal(channel, backlog) }

  var isRevoked: Bool { revoked.load(ordering: .acquiring) }

  func revoke() {
    revoked.store(true, ordering: .releasing)
    signal.end()
  }
}
