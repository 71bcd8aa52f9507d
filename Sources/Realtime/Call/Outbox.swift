import Domain

/// What was relayed to a seat and is not known to have arrived: sent again when the seat is resumed.
///
/// A link may be dead for a while before anybody sees it, so a message counts as arrived only when the participant
/// answered a ping that was sent behind it. Bounded: what falls out is lost, and remembered as lost.
struct Outbox {
  struct Message: Equatable {
    let json: JSON
    /// Whose offer, answer or candidate it is; nil for words.
    let signalFrom: String?
  }

  private struct Entry {
    let number: Int
    let message: Message
    let bytes: Int
  }

  private var entries: [Entry] = []
  private var bytes = 0
  private var count = 0
  /// The newest message in front of the ping that is under way.
  private var pinged: Int?
  /// The newest message that fell out.
  private var lost: Int?

  /// Whether messages fell out that may not have arrived.
  var hasLost: Bool { lost != nil }

  var messages: [Message] { entries.map(\.message) }

  /// Keeps a message. With a link the oldest makes room, since it has most surely arrived; without one the newest is
  /// dropped, so that what is delivered later has no hole in it.
  mutating func add(_ message: Message, isLinked: Bool) {
    count += 1
    let entry = Entry(number: count, message: message, bytes: message.json.bytes.count)
    while isLinked, isFull(for: entry), let oldest = entries.first {
      entries.removeFirst()
      bytes -= oldest.bytes
      lost = max(lost ?? 0, oldest.number)
    }
    guard !isFull(for: entry) else {
      lost = count
      return
    }
    entries.append(entry)
    bytes += entry.bytes
  }

  private func isFull(for entry: Entry) -> Bool {
    entries.count >= Limits.undelivered || bytes + entry.bytes > Limits.undeliveredBytes
  }

  /// Whether a ping shall go out now: one is under way at most.
  mutating func ping() -> Bool {
    guard pinged == nil, !entries.isEmpty || lost != nil else { return false }
    pinged = count
    return true
  }

  /// The ping came back: what was in front of it has arrived.
  mutating func pong() {
    guard let pinged else { return }
    self.pinged = nil
    remove { $0.number <= pinged }
    if let lost, lost <= pinged { self.lost = nil }
  }

  mutating func linkLost() { pinged = nil }

  /// What was kept is gone: nobody knows what has arrived.
  mutating func forgotten() { lost = count }

  /// That member has begun a new generation: what it signalled in the older one is void.
  mutating func dropSignals(from member: String) { remove { $0.message.signalFrom == member } }

  private mutating func remove(where matches: (Entry) -> Bool) {
    entries.removeAll(where: matches)
    bytes = entries.reduce(0) { $0 + $1.bytes }
  }
}
