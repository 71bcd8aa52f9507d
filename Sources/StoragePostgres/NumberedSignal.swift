import Synchronization

/// Wakes those who wait for the log's next rows.
final class NumberedSignal: Sendable {
  private struct State {
    var count = 0
    var tickets = 0
    /// Who waits: a ticket has its place before the continuation is there, and none any more once it is over.
    var waiting: [Int: CheckedContinuation<Void, Never>?] = [:]
  }
  private let state = Mutex(State())

  /// What has not fired yet.
  func next() -> Int { state.withLock { $0.count } }

  func fire() {
    let waiting = state.withLock { state in
      state.count += 1
      defer { state.waiting = [:] }
      return state.waiting
    }
    for continuation in waiting.values { continuation?.resume() }
  }

  /// Comes back when it has fired since `next`, or after the time.
  func wait(for next: Int, atMost limit: Duration) async {
    let ticket = state.withLock { state -> Int? in
      guard state.count == next else { return nil }
      state.tickets += 1
      state.waiting.updateValue(nil, forKey: state.tickets)
      return state.tickets
    }
    guard let ticket else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.wait(ticket) }
      group.addTask { try? await Task.sleep(for: limit) }
      await group.next()
      let continuation = state.withLock { $0.waiting.removeValue(forKey: ticket) ?? nil }
      continuation?.resume()
      group.cancelAll()
    }
  }

  private func wait(_ ticket: Int) async {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if state.waiting.keys.contains(ticket) { state.waiting.updateValue(continuation, forKey: ticket) }
        return !state.waiting.keys.contains(ticket)
      }
      if isOver { continuation.resume() }
    }
  }
}
