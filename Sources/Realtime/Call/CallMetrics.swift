import Metrics
import Synchronization

/// What an operator sees of the calls.
package final class CallMetrics: Sendable {
  package static let descriptions: [(label: String, help: String)] = [
    ("call.rooms", "Calls with somebody in them, or expected back."),
    ("call.participants", "Seats in calls."),
    ("call.messages", "Messages that were sent to participants."),
  ]

  private let open = Gauge(label: "call.rooms")
  private let seats = Gauge(label: "call.participants")
  private let messages = Counter(label: "call.messages")
  private let count = Mutex(0)

  func rooms(_ count: Int) { open.record(count) }

  func participants(_ change: Int) {
    guard change != 0 else { return }
    count.withLock { count in
      count += change
      seats.record(count)
    }
  }

  func sent() { messages.increment() }
}
