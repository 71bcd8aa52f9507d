import Domain
import Synchronization

/// The newest events of the log, shared by all readers: each reads from its own position, nobody has a queue. It holds
/// as many as fit into its memory.
final class FeedRing: Sendable {
  /// What it holds.
  struct Size: Sendable, Equatable {
    var events: Int
    /// What they take at most (`FeedItem.memory`).
    var bytes: Int
    /// When the oldest of them was recorded.
    var since: Instant?
  }

  private struct State {
    var slots: [FeedItem?]
    /// The position behind the newest item; nil until the log's head is known.
    var head: Cursor?
    /// Number of the oldest item that is held; one past the head when there is none.
    var first: Int64 = 0
    var bytes = 0
    var restarts = 0

    init(capacity: Int) { slots = Array(repeating: nil, count: capacity) }

    var count: Int64 { head.map { $0.seq + 1 - first } ?? 0 }

    func place(_ seq: Int64) -> Int { Int(seq % Int64(slots.count)) }

    mutating func put(_ item: FeedItem) {
      slots[place(item.cursor.seq)] = item
      head = item.cursor
      bytes += item.memory
    }

    mutating func dropOldest() {
      let place = place(first)
      bytes -= slots[place]?.memory ?? 0
      slots[place] = nil
      first += 1
    }

    /// Forgets what it held: it begins behind this position.
    mutating func begin(at head: Cursor) {
      let restarts = restarts
      self = State(capacity: slots.count)
      self.restarts = restarts
      self.head = head
      first = head.seq + 1
    }
  }

  /// What its items may take, in bytes.
  let memory: Int
  private let state: Mutex<State>
  /// How many it can hold.
  let capacity: Int

  /// - Parameters:
  ///   - capacity: how many events at most.
  ///   - memory: what they may take, in bytes. No more slots are made than the smallest events would fill.
  init(capacity: Int = Limits.ringEvents, memory: Int = Limits.feedMemory) {
    self.memory = memory
    self.capacity = max(1, min(capacity, memory / FeedItem.leastMemory))
    state = Mutex(State(capacity: self.capacity))
  }

  /// Where the newest item stands; nil before `start`.
  var head: Cursor? { state.withLock { $0.head } }

  var size: Size {
    state.withLock { state in
      let count = state.count
      let oldest = count > 0 ? state.slots[state.place(state.first)] : nil
      return Size(events: Int(count), bytes: state.bytes, since: oldest?.event.time)
    }
  }

  /// Begins behind this position, unless it has begun.
  /// - Parameter items: the newest events up to it, without a hole and not more than `capacity`; of another log than the
  ///   position's, or not up to it, they are left out.
  func start(at head: Cursor, holding items: [FeedItem] = []) {
    state.withLock { state in
      guard state.head == nil else { return }
      state.begin(at: head)
      guard let first = items.first, items.last?.cursor == head, items.count <= capacity else { return }
      state.first = first.cursor.seq
      for item in items { state.put(item) }
      while state.count > 0, state.bytes > memory { state.dropOldest() }
    }
  }

  /// Begins anew: what it held is no part of the log any more.
  func restart(at head: Cursor) {
    state.withLock { state in
      state.begin(at: head)
      state.restarts += 1
    }
  }

  /// How often it began anew. Positions from before belong to a log that is no more.
  var restarts: Int { state.withLock { $0.restarts } }

  /// Puts the log's next events in; the oldest make room. Numbers that are already there are left alone, so that two
  /// overlapping reads of the log do no harm.
  func append(_ items: [FeedItem]) {
    state.withLock { state in
      for item in items {
        guard let head = state.head, item.cursor.seq > head.seq else { continue }
        // The log has no holes. If it ever had, readers would have to cross it in the log, not here.
        while state.count > 0, item.cursor.seq != head.seq + 1 || state.count >= state.slots.count {
          state.dropOldest()
        }
        if state.count == 0 { state.first = item.cursor.seq }
        state.put(item)
        // Also the newest, if it is too big: then its readers find it in the log.
        while state.count > 0, state.bytes > memory { state.dropOldest() }
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
      return (seq + 1...min(end, seq + Int64(limit))).compactMap { state.slots[state.place($0)] }
    }
  }
}
