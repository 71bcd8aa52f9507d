import Domain
import Synchronization

/// The newest events of the log, shared by all readers: each reads from its own position, nobody has a queue.
final class FeedRing: Sendable {
  private struct State {
    var slots: [FeedItem?]
    /// The position behind the newest item; nil until the log's head is known.
    var head: Cursor?
    /// Number of the oldest item that is held; one past the head when there is none.
    var first: Int64 = 0
  }

  private let state: Mutex<State>
  private let capacity: Int64

  init(capacity: Int = Limits.ringEvents) {
    self.capacity = Int64(capacity)
    state = Mutex(State(slots: Array(repeating: nil, count: capacity)))
  }

  /// Where the newest item stands; nil before `start`.
  var head: Cursor? { state.withLock { $0.head } }

  /// Begins behind this position, unless it has begun.
  func start(at head: Cursor) {
    state.withLock { state in
      guard state.head == nil else { return }
      state.head = head
      state.first = head.seq + 1
    }
  }

  /// Begins anew: what it held is no part of the log any more.
  func restart(at head: Cursor) {
    state.withLock { state in
      state.slots = Array(repeating: nil, count: state.slots.count)
      state.head = head
      state.first = head.seq + 1
    }
  }

  /// Puts the log's next events in; the oldest make room. Numbers that are already there are left alone, so that two
  /// overlapping reads of the log do no harm.
  func append(_ items: [FeedItem]) {
    state.withLock { state in
      for item in items {
        guard let head = state.head, item.cursor.seq > head.seq else { continue }
        // The log has no holes. If it ever had, readers would have to cross it in the log, not here.
        if item.cursor.seq != head.seq + 1 { state.first = item.cursor.seq }
        state.slots[Int(item.cursor.seq % capacity)] = item
        state.head = item.cursor
        state.first = max(state.first, item.cursor.seq - capacity + 1)
      }
    }
  }

  /// The items behind a position, oldest first, up to another position and a number; nil when the position is older
  /// than what the ring holds, so that the log has to be read.
  func items(after seq: Int64, through last: Int64 = .max, limit: Int = Limits.feedPage) -> [FeedItem]? {
    state.withLock { state in
      guard let head = state.head, seq >= state.first - 1 else { return nil }
      let end = min(head.seq, last)
      guard seq < end else { return [] }
      return (seq + 1...min(end, seq + Int64(limit))).compactMap { state.slots[Int($0 % capacity)] }
    }
  }
}
