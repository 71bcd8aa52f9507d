import Domain
import Synchronization

/// Reads the log in pages for readers who are behind the ring: a few pages at a time, and one page once for all who
/// ask for it. Each reader has at most one request here, so the queue is as bounded as sockets and streams are.
final class FeedReplay: Sendable {
  typealias Completion = @Sendable (Result<[FeedItem], any Error>) -> Void

  private struct State {
    var order: [Int64] = []
    var waiting: [Int64: [Completion]] = [:]
    var hasEnded = false
  }

  private let state = Mutex(State())
  private let wakes: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  init() {
    (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// The page behind this position; `completion` is called from any thread.
  func request(after seq: Int64, _ completion: @escaping Completion) {
    let hasEnded = state.withLock { state in
      if state.hasEnded { return true }
      if state.waiting[seq] == nil { state.order.append(seq) }
      state.waiting[seq, default: []].append(completion)
      return false
    }
    if hasEnded { return completion(.failure(CancellationError())) }
    wake.yield()
  }

  /// The same for a task; throws when the server stops.
  func page(after seq: Int64) async throws -> [FeedItem] {
    try await withCheckedThrowingContinuation { continuation in
      request(after: seq) { continuation.resume(with: $0) }
    }
  }

  private func next() -> (after: Int64, completions: [Completion])? {
    state.withLock { state in
      guard !state.order.isEmpty else { return nil }
      let after = state.order.removeFirst()
      return (after, state.waiting.removeValue(forKey: after) ?? [])
    }
  }

  /// Serves requests until the task is cancelled.
  func run(_ read: @escaping @Sendable (Int64) async throws -> [FeedItem]) async {
    await withTaskGroup(of: Void.self) { group in
      var running = 0
      for await _ in wakes {
        while let request = next() {
          if running == Limits.replaysAtOnce {
            await group.next()
            running -= 1
          }
          running += 1
          group.addTask {
            let result: Result<[FeedItem], any Error>
            do {
              result = .success(try await read(request.after))
            } catch {
              result = .failure(error)
            }
            for completion in request.completions { completion(result) }
          }
        }
      }
    }
    end()
  }

  /// Nobody waits for a page that never comes.
  private func end() {
    let waiting = state.withLock { state in
      defer { state = State(hasEnded: true) }
      return state.waiting.values.joined()
    }
    for completion in waiting { completion(.failure(CancellationError())) }
  }
}
