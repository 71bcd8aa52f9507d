import Coordinator
import Domain
import Logging
import Synchronization

extension CallRooms {
  private static let reviewInterval = Duration.seconds(1)
  /// A room that nobody joined is forgotten.
  private static let emptyRoomLifetime = Duration.seconds(60)

  func reviewRegularly() async {
    while !Task.isCancelled {
      do {
        try await review()
        try await takeOverOrphans()
        try await reviewNodes()
      } catch {
        state.withLock { $0.isStale = true }
        logger.error("calls could not be reviewed; trying again", metadata: ["error": "\(error)"])
      }
      try? await Task.sleep(for: Self.reviewInterval)
    }
  }

  /// Sends away who may no longer be in a call: a specialist who declined the consult, for one.
  func review() async throws {
    let consults = state.withLock { state in
      defer { state.isStale = false }
      return state.isStale ? Array(state.rooms.keys) : []
    }
    for id in consults {
      guard let consult = try await coordinator.store.read({ try $0.consult(id) }) else { continue }
      _ = change(id) { machine in
        machine.dismiss { $0.caller.may(.joinCall(consult.scope())) != .allowed }
      }
    }
    let now = ContinuousClock.now
    let unused = state.withLock { state in
      state.rooms.filter { $0.value.machine.isEmpty && now - $0.value.openedAt > Self.emptyRoomLifetime }.map(\.key)
    }
    for id in unused { forget(id) }
  }

  /// Nobody came into this room.
  private func forget(_ consult: String) {
    state.withLock { state in
      guard let room = state.rooms[consult], room.machine.isEmpty else { return }
      state.rooms[consult] = nil
      keeper.remove(consult, .init(term: room.term, document: nil, facts: room.facts))
      metrics.rooms(state.rooms.count)
    }
  }
}
