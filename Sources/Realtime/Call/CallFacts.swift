import Coordinator
import Domain
import Logging
import Metrics
import Synchronization

/// Something that happened in a call and belongs into the log.
struct CallFact: Sendable {
  let type: EventType
  let consult: String
  let participant: RoomMachine.Participant?
  let participants: Int
}

/// Records the facts of calls in their order, beside the calls: a slow disk holds up nobody's offer.
final class CallFacts: Sendable {
  private static let pause = Duration.seconds(1)
  private static let lastTries = 3

  private let coordinator: Coordinator
  private let logger: Logger
  private let facts: AsyncStream<CallFact>
  private let queue: AsyncStream<CallFact>.Continuation
  private let isFinishing = Atomic<Bool>(false)

  init(_ coordinator: Coordinator, logger: Logger) {
    self.coordinator = coordinator
    self.logger = logger
    (facts, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Limits.callFacts))
  }

  func add(_ fact: CallFact) {
    if case .dropped = queue.yield(fact) {
      logger.error("a fact of a call is lost: too many wait", metadata: ["type": "\(fact.type.rawValue)"])
    }
  }

  /// What waits is still recorded; then `run` returns.
  func finish() {
    isFinishing.store(true, ordering: .releasing)
    queue.finish()
  }

  func run() async {
    for await fact in facts {
      for attempt in 1... {
        do {
          try await record(fact)
          break
        } catch {
          logger.error(
            "a fact of a call could not be recorded",
            metadata: ["type": "\(fact.type.rawValue)", "attempt": "\(attempt)", "error": "\(error)"])
          if Task.isCancelled || isFinishing.load(ordering: .acquiring) && attempt >= Self.lastTries { break }
          try? await Task.sleep(for: Self.pause)
        }
      }
    }
  }

  private func record(_ fact: CallFact) async throws {
    // As the consult is now, which may have moved on since the socket was let in.
    guard let consult = try await coordinator.store.read({ try $0.consult(fact.consult) }) else { return }
    try await coordinator.recordCall(
      fact.type, consult: consult, by: fact.participant?.caller, role: fact.participant?.role,
      participants: fact.participants)
  }
}

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
