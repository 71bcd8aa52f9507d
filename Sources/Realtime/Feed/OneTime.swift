import Synchronization

/// Something that is done once, by whoever needs it first; who needs it meanwhile waits. If it fails, the next one tries.
final class OneTime: Sendable {
  private enum State {
    case open
    case running([CheckedContinuation<Void, Never>])
    case done
  }

  private let state = Mutex(State.open)

  func run(_ body: () async throws -> Void) async throws {
    while !isDone {
      if !begins() {
        await turn()
        continue
      }
      do {
        try await body()
        end(.done)
      } catch {
        end(.open)
        throw error
      }
    }
  }

  private var isDone: Bool {
    state.withLock { if case .done = $0 { true } else { false } }
  }

  private func begins() -> Bool {
    state.withLock { state in
      guard case .open = state else { return false }
      state = .running([])
      return true
    }
  }

  /// Comes back when whoever does it has come to an end, with or without success.
  private func turn() async {
    await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
      let isRunning = state.withLock { state in
        guard case .running(let waiters) = state else { return false }
        state = .running(waiters + [waiter])
        return true
      }
      if !isRunning { waiter.resume() }
    }
  }

  private func end(_ next: State) {
    let waiters = state.withLock { state in
      defer { state = next }
      guard case .running(let waiters) = state else { return [CheckedContinuation<Void, Never>]() }
      return waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
