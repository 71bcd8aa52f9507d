import Coordinator
import Domain
import Logging
import Synchronization

/// On which node a call's room is.
enum RoomPlace: Equatable {
  case here
  case elsewhere(node: String, term: Int64)
}

/// Keeps the rooms' rows, beside the calls: a slow disk holds up nobody's offer. A row names the node that has the
/// room and a term; whoever lost it writes nothing any more.
final class RoomKeeper: Sendable {
  enum Taken {
    /// With what the last node kept of it.
    case ours(JSON?, term: Int64)
    case theirs(node: String, term: Int64)
  }

  private enum Errand: Sendable {
    case keep(String)
    case release(String, term: Int64, JSON)
    case remove(String, term: Int64)
  }

  private static let pause = Duration.seconds(1)
  private static let lastTries = 3

  private let coordinator: Coordinator
  private let logger: Logger
  private let tasks: AsyncStream<Errand>
  private let queue: AsyncStream<Errand>.Continuation
  /// Rooms whose latest change waits already.
  private let waiting = Mutex<Set<String>>([])
  private let isFinishing = Atomic<Bool>(false)
  private let knownTree = Mutex(FacilityTree(parents: []))

  init(_ coordinator: Coordinator, logger: Logger) {
    self.coordinator = coordinator
    self.logger = logger
    (tasks, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Limits.callFacts))
  }

  /// The facilities, as they were when a room was last looked for.
  var tree: FacilityTree { knownTree.withLock { $0 } }

  /// Makes the room this node's, unless another that serves has it.
  func take(_ consult: String) async throws -> Taken {
    let tree = try await coordinator.facilityTree()
    knownTree.withLock { $0 = tree }
    let node = coordinator.store.peers.node
    let (kept, term) = try await coordinator.store.write { tx -> (KeptRoom?, Int64) in
      guard let kept = try tx.callRoom(consult) else {
        try tx.insertCallRoom(consult, node: node, document: "{}")
        return (nil, 1)
      }
      if kept.isServed, kept.node != node { return (kept, kept.term) }
      try tx.takeCallRoom(consult, node: node, from: kept.term)
      return (kept, kept.term + 1)
    }
    if let kept, let other = kept.node, kept.term == term { return .theirs(node: other, term: term) }
    return .ours(kept.flatMap { try? JSON(parsing: $0.document) }, term: term)
  }

  /// The room is to be written as it is then: many changes are one write.
  func changed(_ consult: String) {
    guard waiting.withLock({ $0.insert(consult).inserted }) else { return }
    add(.keep(consult))
  }

  /// Any node may have it from here on.
  func release(_ consult: String, term: Int64, _ document: JSON) { add(.release(consult, term: term, document)) }

  /// The call is over.
  func remove(_ consult: String, term: Int64) { add(.remove(consult, term: term)) }

  private func add(_ task: Errand) {
    if case .dropped = queue.yield(task) { logger.error("a call's room is not kept: too many wait") }
  }

  /// What waits is still written; then `run` returns.
  func finish() {
    isFinishing.store(true, ordering: .releasing)
    queue.finish()
  }

  /// - Parameters:
  ///   - current: a room's document and term; nil when it is not here any more.
  ///   - lost: told that another node has taken it.
  func run(
    current: @escaping @Sendable (String) -> (JSON, Int64)?, lost: @escaping @Sendable (String, Int64) -> Void
  ) async {
    for await task in tasks {
      for attempt in 1... {
        do {
          try await perform(task, current, lost)
          break
        } catch {
          logger.error("a call's room could not be kept", metadata: ["attempt": "\(attempt)", "error": "\(error)"])
          if Task.isCancelled || isFinishing.load(ordering: .acquiring) && attempt >= Self.lastTries { break }
          try? await Task.sleep(for: Self.pause)
        }
      }
    }
  }

  private func perform(
    _ task: Errand, _ current: (String) -> (JSON, Int64)?, _ lost: (String, Int64) -> Void
  ) async throws {
    let node = coordinator.store.peers.node
    switch task {
    case .keep(let consult):
      waiting.withLock { _ = $0.remove(consult) }
      guard let (document, term) = current(consult) else { return }
      let text = document.text
      let isKept = try await coordinator.store.write {
        try $0.keepCallRoom(consult, node: node, term: term, document: text, isReleased: false)
      }
      if !isKept { lost(consult, term) }
    case .release(let consult, let term, let document):
      let text = document.text
      _ = try await coordinator.store.write {
        try $0.keepCallRoom(consult, node: node, term: term, document: text, isReleased: true)
      }
    case .remove(let consult, let term):
      try await coordinator.store.write { try $0.removeCallRoom(consult, node: node, term: term) }
    }
  }
}
