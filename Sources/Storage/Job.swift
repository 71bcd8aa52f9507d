package import Coordinator
import Domain
package import Foundation
import Synchronization

/// A transaction that waits for its turn.
package protocol Job: AnyObject, Sendable {
  /// Runs the body; the outcome is kept until `finish`. Throws what the body threw.
  func attempt(_ transaction: SQLTransaction) throws
  /// Answers the caller with the kept outcome, or with this error when the transaction could not be kept.
  func finish(_ error: (any Error)?)
}

package final class TransactionJob<T: Sendable>: Job {
  private let body: @Sendable (any StoreTransaction) throws -> T
  private let continuation: CheckedContinuation<T, any Error>
  private let outcome = Mutex<Result<T, any Error>?>(nil)

  package init(
    _ body: @escaping @Sendable (any StoreTransaction) throws -> T, _ continuation: CheckedContinuation<T, any Error>
  ) {
    self.body = body
    self.continuation = continuation
  }

  package func attempt(_ transaction: SQLTransaction) throws {
    do {
      let value = try body(transaction)
      outcome.withLock { $0 = .success(value) }
    } catch {
      outcome.withLock { $0 = .failure(error) }
      throw error
    }
  }

  package func finish(_ error: (any Error)?) {
    if let error { return continuation.resume(throwing: error) }
    continuation.resume(with: outcome.withLock { $0 } ?? .failure(StoreFailure("the transaction never ran")))
  }
}

/// A bounded queue between tasks and threads.
package final class JobQueue: Sendable {
  private struct Waiting {
    var job: any Job
    var since: ContinuousClock.Instant
  }

  private struct State {
    var jobs: [Waiting] = []
    var isClosed = false
  }

  private let state = Mutex(State())
  // NSCondition is safe to use from every thread; it guards no data of its own, `state` does.
  private let condition = NSCondition()
  private let limit: Int

  package init(limit: Int) { self.limit = limit }

  /// Refuses when the queue is full or closed: the caller hears it at once rather than late.
  package func add(_ job: any Job) {
    let refusal: (any Error)? = state.withLock { state in
      if state.isClosed { return StoreFailure("the store is closed") }
      if state.jobs.count >= limit { return Rejection(.unavailable, "Too much is asked at once.", retryAfter: 1) }
      state.jobs.append(Waiting(job: job, since: .now))
      return nil
    }
    if let refusal { return job.finish(refusal) }
    condition.lock()
    condition.signal()
    condition.unlock()
  }

  /// Up to `count` jobs, as soon as there is one; none at the deadline; nil once closed and empty.
  package func take(_ count: Int, within seconds: TimeInterval) -> [any Job]? {
    let deadline = Date(timeIntervalSinceNow: seconds)
    condition.lock()
    defer { condition.unlock() }
    while true {
      let taken: [any Job]? = state.withLock { state in
        if state.jobs.isEmpty { return state.isClosed ? nil : [] }
        let taken = state.jobs.prefix(count).map(\.job)
        state.jobs.removeFirst(taken.count)
        return taken
      }
      guard let taken else { return nil }
      if !taken.isEmpty || !condition.wait(until: deadline) { return taken }
    }
  }

  /// Answers those that nobody took for so long: whoever waits for them hears it rather than nothing.
  package func refuse(olderThan age: Duration, _ failure: StoreFailure) {
    let now = ContinuousClock.now
    let old = state.withLock { state in
      let count = state.jobs.firstIndex { now - $0.since < age } ?? state.jobs.count
      defer { state.jobs.removeFirst(count) }
      return state.jobs.prefix(count).map(\.job)
    }
    for job in old { job.finish(failure) }
  }

  package func close() {
    state.withLock { $0.isClosed = true }
    condition.lock()
    condition.broadcast()
    condition.unlock()
  }
}
