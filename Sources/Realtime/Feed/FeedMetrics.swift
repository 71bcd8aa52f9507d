import Metrics
import Synchronization

/// What an operator sees of the feed, in `/metrics` and on the administrator's page.
package final class FeedMetrics: Sendable {
  enum Kind: Sendable { case socket, stream }

  /// Subscribers that are behind the log's head, and by how many events the last of them is.
  struct Behind: Sendable, Equatable {
    private(set) var subscribers = 0
    private(set) var events: Int64 = 0

    mutating func add(_ distance: Int64) {
      guard distance > 0 else { return }
      subscribers += 1
      events = max(events, distance)
    }

    mutating func add(_ other: Behind) {
      subscribers += other.subscribers
      events = max(events, other.events)
    }
  }

  package static let descriptions: [(label: String, help: String)] = [
    ("feed.subscribers", "Feed sockets and event streams that are open."),
    ("feed.streams", "Event streams among the subscribers."),
    ("feed.deliveries", "Durable events that were written to subscribers."),
    ("feed.encodes", "Durable events that were encoded, from the ring or the log."),
    ("feed.deflates", "Durable events that were compressed, from the ring or the log."),
    ("feed.lag.seconds", "Time from the newest event's recording until it was there to be sent."),
    ("feed.ring.events", "Events that the ring holds."),
    ("feed.ring.bytes", "What these events take at most, encoded and compressed."),
    ("feed.backlog.bytes", "What waits for subscribers who do not read."),
    ("feed.behind", "Subscribers that stand behind the log's head; looked at every few seconds."),
    ("feed.replay.depth", "How many events the last of them is behind."),
    ("feed.replay.pages", "Pages of the log that were read for subscribers behind the ring."),
    ("feed.slow", "Subscribers that were closed because they did not read."),
    ("feed.ends", "Subscribers that ended or were refused, by reason."),
    ("feed.waiting", "Requests for a page of events that wait for one."),
  ]

  private struct State {
    var sockets = 0
    var streams = 0
    /// Milliseconds; nil until an event was shown.
    var lag: Int64?
    /// What each event loop found among its readers, and the hub among the streams.
    var behind: [ObjectIdentifier: Behind] = [:]
  }

  let deliveries = Tally("feed.deliveries")
  let encodes = Tally("feed.encodes")
  let deflates = Tally("feed.deflates")
  let replays = Tally("feed.replay.pages")
  private let slow = Tally("feed.slow")
  private let ends = FeedEnd.allCases.map { (reason: $0, tally: Tally("feed.ends", [("reason", $0.rawValue)])) }
  private let subscriberGauge = Gauge(label: "feed.subscribers")
  private let streamGauge = Gauge(label: "feed.streams")
  private let lagGauge = Gauge(label: "feed.lag.seconds")
  private let ringEvents = Gauge(label: "feed.ring.events")
  private let ringBytes = Gauge(label: "feed.ring.bytes")
  private let backlogBytes = Gauge(label: "feed.backlog.bytes")
  private let behindGauge = Gauge(label: "feed.behind")
  private let depthGauge = Gauge(label: "feed.replay.depth")
  private let state = Mutex(State())

  package var openCount: Int { state.withLock { $0.sockets + $0.streams } }
  var open: (sockets: Int, streams: Int) {
    state.withLock { (sockets: $0.sockets, streams: $0.streams) }
  }
  var lag: Int64? { state.withLock { $0.lag } }
  var behind: Behind { state.withLock { Self.sum($0.behind) } }
  var endCounts: [(reason: FeedEnd, count: Int)] { ends.map { ($0.reason, $0.tally.value) } }

  func subscribed(_ kind: Kind) { count(kind, 1) }

  func unsubscribed(_ kind: Kind, _ reason: FeedEnd) {
    // First the reason: who sees that it is gone sees also why.
    ended(reason)
    count(kind, -1)
  }

  private func count(_ kind: Kind, _ change: Int) {
    state.withLock { state in
      switch kind {
      case .socket: state.sockets += change
      case .stream: state.streams += change
      }
      subscriberGauge.record(state.sockets + state.streams)
      streamGauge.record(state.streams)
    }
  }

  /// A subscriber ended, or was none because it was refused.
  func ended(_ reason: FeedEnd) {
    ends.first { $0.reason == reason }?.tally.add()
    if reason == .tooSlow { slow.add() }
  }

  func delivered(_ count: Int) { deliveries.add(count) }
  func replayed() { replays.add() }

  func lagged(milliseconds: Int64) {
    state.withLock { $0.lag = milliseconds }
    lagGauge.record(Double(milliseconds) / 1000)
  }

  func holds(_ ring: FeedRing.Size) {
    ringEvents.record(ring.events)
    ringBytes.record(ring.bytes)
  }

  func waits(_ bytes: Int) { backlogBytes.record(bytes) }

  /// - Parameter place: whose subscribers these are; what it said before counts no more.
  func note(_ behind: Behind, in place: ObjectIdentifier) {
    state.withLock { state in
      state.behind[place] = behind.subscribers == 0 ? nil : behind
      let sum = Self.sum(state.behind)
      behindGauge.record(sum.subscribers)
      depthGauge.record(sum.events)
    }
  }

  private static func sum(_ places: [ObjectIdentifier: Behind]) -> Behind {
    var sum = Behind()
    for behind in places.values { sum.add(behind) }
    return sum
  }
}

/// A counter that this node can read, too.
final class Tally: Sendable {
  private let counter: Counter
  private let total = Atomic<Int>(0)

  init(_ label: String, _ dimensions: [(String, String)] = []) {
    counter = Counter(label: label, dimensions: dimensions)
  }

  var value: Int { total.load(ordering: .relaxed) }

  func add(_ amount: Int = 1) {
    guard amount > 0 else { return }
    counter.increment(by: amount)
    total.wrappingAdd(amount, ordering: .relaxed)
  }
}
