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

  /// A room as it is to be written.
  struct Room: Sendable {
    let term: Int64
    /// Nil when the call is over.
    let document: JSON?
    let facts: [(number: Int, fact: CallFact)]
  }

  private enum Errand: Sendable {
    case keep(String)
    case release(String, Room)
    case remove(String, Room)
  }

  private static let pause = Duration.seconds(1)
  private static let lastTries = 3

  private let coordinator: Coordinator
  private let logger: Logger
  private let errands: AsyncStream<Errand>
  private let queue: AsyncStream<Errand>.Continuation
  /// Rooms whose latest change waits already.
  private let waiting = Mutex<Set<String>>([])
  /// Rooms that are over and whose end is not written yet, with those who wait for that.
  private let ending = Mutex<[String: [CheckedContinuation<Void, any Error>]]>([:])
  private let isFinishing = Atomic<Bool>(false)
  private let knownTree = Mutex(FacilityTree(parents: []))

  init(_ coordinator: Coordinator, logger: Logger) {
    self.coordinator = coordinator
    self.logger = logger
    (errands, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Limits.callFacts))
  }

  /// The facilities, as they were when a room was last looked for.
  var tree: FacilityTree { knownTree.withLock { $0 } }

  /// Makes the room this node's, unless another that serves has it.
  func take(_ consult: String) async throws -> Taken {
    try await ended(consult)
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
    // What is not noted now is with the next change.
    if !add(.keep(consult)) { waiting.withLock { _ = $0.remove(consult) } }
  }

  /// Any node may have it from here on.
  func release(_ consult: String, _ room: Room) { _ = add(.release(consult, room)) }

  /// The call is over. Whoever begins another one waits until that is written: the row says otherwise till then.
  func remove(_ consult: String, _ room: Room) {
    ending.withLock { $0[consult] = $0[consult] ?? [] }
    if !add(.remove(consult, room)) { letIn(consult, .success(())) }
  }

  private func add(_ errand: Errand) -> Bool {
    switch queue.yield(errand) {
    case .enqueued: return true
    case .terminated: return false
    case .dropped: logger.error("a call's room is not kept: too many wait")
    @unknown default: logger.error("a call's room is not kept")
    }
    return false
  }

  private func ended(_ consult: String) async throws {
    try await withCheckedThrowingContinuation { continuation in
      let isOver = ending.withLock { ending in
        ending[consult]?.append(continuation)
        return ending[consult] == nil
      }
      if isOver { continuation.resume() }
    }
  }

  /// - Parameter isOver: whether nobody has to wait any more.
  private func letIn(_ consult: String, _ result: Result<Void, any Error>, isOver: Bool = true) {
    let those = ending.withLock { ending in
      defer { if ending[consult] != nil { ending[consult] = isOver ? nil : [] } }
      return ending[consult] ?? []
    }
    for continuation in those { continuation.resume(with: result) }
  }

  /// What waits is still written; then `run` returns.
  func finish() {
    isFinishing.store(true, ordering: .releasing)
    queue.finish()
  }

  /// - Parameters:
  ///   - current: a room as it is; nil when it is not here any more.
  ///   - kept: told up to which number a room's facts are in the log.
  ///   - lost: told that another node has taken it.
  func run(
    current: @escaping @Sendable (String) -> Room?, kept: @escaping @Sendable (String, Int64, Int) -> Void,
    lost: @escaping @Sendable (String, Int64) -> Void
  ) async {
    // By room and term: an errand may carry facts that the one before it has recorded.
    var recorded: [String: (term: Int64, number: Int)] = [:]
    for await errand in errands {
      guard let (consult, room, isReleased) = prepare(errand, current) else { continue }
      let last = recorded[consult].flatMap { $0.term == room.term ? $0.number : nil } ?? 0
      let facts = room.facts.filter { $0.number > last }
      let change = CallRoomChange(
        consult: consult, term: room.term, document: room.document, facts: facts.map(\.fact), isReleased: isReleased)
      for attempt in 1... {
        do {
          if try await coordinator.keep(change) {
            let number = facts.last?.number ?? last
            recorded[consult] = isReleased || room.document == nil ? nil : (room.term, number)
            kept(consult, room.term, number)
          } else {
            recorded[consult] = nil
            lost(consult, room.term)
          }
          break
        } catch {
          logger.error("a call's room could not be kept", metadata: ["attempt": "\(attempt)", "error": "\(error)"])
          letIn(consult, .failure(error), isOver: false)
          if Task.isCancelled || isFinishing.load(ordering: .acquiring) && attempt >= Self.lastTries { break }
          try? await Task.sleep(for: Self.pause)
        }
      }
      if room.document == nil { letIn(consult, .success(())) }
    }
    // Nobody waits for what is not done any more.
    queue.finish()
    for consult in ending.withLock({ Array($0.keys) }) { letIn(consult, .success(())) }
  }

  private func prepare(_ errand: Errand, _ current: (String) -> Room?) -> (String, Room, isReleased: Bool)? {
    switch errand {
    case .keep(let consult):
      waiting.withLock { _ = $0.remove(consult) }
      return current(consult).map { (consult, $0, false) }
    case .release(let consult, let room): return (consult, room, true)
    case .remove(let consult, let room): return (consult, room, false)
    }
  }
}
