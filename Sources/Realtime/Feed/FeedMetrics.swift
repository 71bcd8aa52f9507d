import Metrics
import Synchronization

/// What an operator sees of the feed.
package final class FeedMetrics: Sendable {
  package static let descriptions: [(label: String, help: String)] = [
    ("feed.subscribers", "Feed sockets and event streams that are open."),
    ("feed.deliveries", "Durable events that were written to subscribers."),
    ("feed.lag.seconds", "Time from the newest event's recording until it was there to be sent."),
    ("feed.replay.pages", "Pages of the log that were read for subscribers behind the ring."),
    ("feed.slow", "Subscribers that were closed because they did not read."),
    ("feed.waiting", "Requests for a page of events that wait for one."),
  ]

  private let subscribers = Gauge(label: "feed.subscribers")
  private let deliveries = Counter(label: "feed.deliveries")
  private let lag = Gauge(label: "feed.lag.seconds")
  private let replays = Counter(label: "feed.replay.pages")
  private let slow = Counter(label: "feed.slow")
  private let open = Mutex(0)

  package var openCount: Int { open.withLock { $0 } }

  func subscribed() { count(1) }
  func unsubscribed() { count(-1) }

  private func count(_ change: Int) {
    open.withLock { open in
      open += change
      subscribers.record(open)
    }
  }

  func delivered(_ count: Int) {
    if count > 0 { deliveries.increment(by: count) }
  }

  func lagged(milliseconds: Int64) { lag.record(Double(milliseconds) / 1000) }
  func replayed() { replays.increment() }
  func closedSlow() { slow.increment() }
}
