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

/// A bounded queue between tasks and the threads that run them, in groups.
///
/// A thread takes what waits at once when no other is at work. Beside others it takes a whole group, or what has waited
/// long enough: a few full groups cost less than many small ones.
package final class JobQueue: Sendable {
  private struct Waiting {
    var job: any Job
    var since = ContinuousClock.now
    var isAlone = false
  }

  private struct State {
    var jobs: [Waiting] = []
    var busyThreads = 0
    var isClosed = false
  }

  private enum Step { case take([any Job]), wait(Duration?), end }

  private let state = Mutex(State())
  // NSCondition is safe to use from every thread; it guards no data of its own, `state` does.
  private let condition = NSCondition()
  private let limit: Int
  private let group: Int
  private let patience: Duration

  /// - Parameters:
  ///   - limit: how many may wait.
  ///   - group: how many a thread takes at most.
  ///   - patience: how long a job waits for a group to fill while another thread is at work.
  package init(limit: Int, group: Int = 1, patience: Duration = .zero) {
    self.limit = limit
    self.group = group
    self.patience = patience
  }

  /// Refuses when the queue is full or closed: the caller hears it at once rather than late.
  package func add(_ job: any Job) {
    var isNews = false
    let refusal: (any Error)? = state.withLock { state in
      if state.isClosed { return StoreFailure("the store is closed") }
      if state.jobs.count >= limit { return Rejection(.unavailable, "Too much is asked at once.", retryAfter: 1) }
      state.jobs.append(Waiting(job: job))
      isNews = state.busyThreads == 0 || state.jobs.count == 1 || state.jobs.count % group == 0
      return nil
    }
    if let refusal { return job.finish(refusal) }
    if isNews { wakeOne() }
  }

  /// Puts back a group that could not be run as one, in front: each is given out by itself, to whichever thread is free.
  package func putBackAlone(_ jobs: [any Job]) {
    state.withLock { $0.jobs.insert(contentsOf: jobs.map { Waiting(job: $0, isAlone: true) }, at: 0) }
    condition.lock()
    condition.broadcast()
    condition.unlock()
  }

  private func wakeOne() {
    condition.lock()
    condition.signal()
    condition.unlock()
  }

  /// Runs the body with the next jobs, or with none when none came in time; false once the queue is closed and empty.
  package func serve(within seconds: TimeInterval, _ body: ([any Job]) -> Void) -> Bool {
    guard let jobs = next(until: Date(timeIntervalSinceNow: seconds)) else { return false }
    body(jobs)
    if !jobs.isEmpty { state.withLock { $0.busyThreads -= 1 } }
    return true
  }

  private func next(until deadline: Date) -> [any Job]? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      switch step() {
      case .end: return nil
      case .take(let jobs): return jobs
      case .wait(let time):
        let isWoken = condition.wait(until: time.map { Date(timeIntervalSinceNow: $0 / .seconds(1)) } ?? deadline)
        if !isWoken, time == nil { return [] }
      }
    }
  }

  private func step() -> Step {
    state.withLock { state in
      guard let oldest = state.jobs.first else { return state.isClosed ? .end : .wait(nil) }
      let left = patience - (.now - oldest.since)
      let isTime = state.busyThreads == 0 || state.jobs.count >= group || left <= .zero
      guard isTime || oldest.isAlone || state.isClosed else { return .wait(left) }
      let taken = oldest.isAlone ? [oldest.job] : state.jobs.prefix(group).prefix { !$0.isAlone }.map(\.job)
      state.jobs.removeFirst(taken.count)
      state.busyThreads += 1
      // Somebody has to look after the rest.
      if !state.jobs.isEmpty { condition.signal() }
      return .take(taken)
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
