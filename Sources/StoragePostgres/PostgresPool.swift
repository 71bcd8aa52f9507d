import Coordinator
import Domain
import Foundation
import Logging
import Metrics
import Storage
import Synchronization

/// Threads that run transactions, each over its own connection: PostgreSQL does one thing at a time on each.
final class PostgresPool: Sendable {
  /// Whether a transaction only reads, in one snapshot.
  enum Mode { case read, write }

  private let settings: PostgresSettings
  private let mode: Mode
  private let count: Int
  private let jobs: JobQueue
  private let logger: Logger
  private let committed: @Sendable (_ hasOutgoing: Bool) -> Void
  private let ended = DispatchSemaphore(value: 0)
  private let failed = Atomic<Bool>(false)
  private let outage = Mutex<Outage?>(nil)
  private let counter = Counter(label: "storage.transactions")
  private let reruns = Counter(label: "storage.reruns")

  /// The database could not be reached; until then nobody tries again.
  private struct Outage {
    var failure: StoreFailure
    var until: ContinuousClock.Instant
    var tries: Int
  }

  init(
    _ settings: PostgresSettings, _ mode: Mode, connections: Int, logger: Logger,
    committed: @escaping @Sendable (_ hasOutgoing: Bool) -> Void = { _ in }
  ) {
    self.settings = settings
    self.mode = mode
    self.logger = logger
    self.committed = committed
    count = connections
    jobs = JobQueue(limit: mode == .write ? Limits.writeQueue : Limits.readQueue)
  }

  /// Whether the latest transaction could not be kept.
  var lastFailed: Bool { failed.load(ordering: .relaxed) }

  func start() {
    for index in 0..<count {
      let thread = Thread { [self] in
        work()
        ended.signal()
      }
      thread.name = "hoichan-\(mode == .write ? "writer" : "reader")-\(index)"
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  func add(_ job: any Job) { jobs.add(job) }

  /// What waits for so long is not answered any more by a database that hangs.
  func refuseOld() {
    jobs.refuse(olderThan: .seconds(Limits.statementSeconds), StoreFailure("no connection became free in time", .slow))
  }

  /// Lets what waits be done, then ends the threads.
  func stop() {
    jobs.close()
    for _ in 0..<count { ended.wait() }
  }

  private func work() {
    var connection: PostgresConnection?
    var transaction: SQLTransaction?
    while let group = jobs.take(1, within: 60) {
      for job in group { run(job, &connection, &transaction) }
    }
  }

  private func run(_ job: any Job, _ connection: inout PostgresConnection?, _ transaction: inout SQLTransaction?) {
    counter.increment()
    for attempt in 1... {
      let used: SQLTransaction
      let open: PostgresConnection
      do {
        (open, used) = try connected(&connection, &transaction)
      } catch {
        return finish(job, error)
      }
      var isCommitting = false
      do {
        used.forget()
        try open.begin(mode == .write ? Self.begin : Self.beginRead)
        do {
          try job.attempt(used)
        } catch {
          throw error
        }
        isCommitting = true
        if mode == .write { try open.commit() } else { try open.endRead() }
        return finish(job, nil, hasOutgoing: used.hasOutgoing)
      } catch {
        if let failure = error as? PostgresFailure, failure.isConnectionLost {
          (connection, transaction) = (nil, nil)
          if isCommitting, mode == .write {
            let reason = "it is not known whether the transaction was kept: \(failure)"
            return finish(job, StoreFailure(reason, .unreachable))
          }
        } else {
          do { try open.rollback() } catch { (connection, transaction) = (nil, nil) }
        }
        guard isWorthAnother(error, attempt) else { return finish(job, error) }
        reruns.increment()
        Self.pause(attempt)
      }
    }
  }

  /// A lost race is run again; what a lost connection interrupted too, once, since nothing of it was kept.
  private func isWorthAnother(_ error: any Error, _ attempt: Int) -> Bool {
    if let failure = error as? PostgresFailure {
      return failure.isConnectionLost ? attempt == 1 : failure.isLostRace && attempt < Limits.rerunsOfLostRace
    }
    return error is StaleVersion && attempt < Limits.rerunsOfLostRace
  }

  private func finish(_ job: any Job, _ error: (any Error)?, hasOutgoing: Bool = false) {
    switch error {
    case nil:
      failed.store(false, ordering: .relaxed)
      job.finish(nil)
      if mode == .write { committed(hasOutgoing) }
    case let failure as PostgresFailure:
      failed.store(true, ordering: .relaxed)
      logger.error("a transaction was not kept", metadata: ["error": "\(failure)"])
      job.finish(failure.asStoreFailure)
    case is StaleVersion: job.finish(StoreFailure("the transaction lost every race"))
    case let failure as StoreFailure:
      failed.store(true, ordering: .relaxed)
      job.finish(failure)
    // What the body threw of its own is its answer.
    default: job.finish(nil)
    }
  }

  private func connected(
    _ connection: inout PostgresConnection?, _ transaction: inout SQLTransaction?
  ) throws -> (PostgresConnection, SQLTransaction) {
    if let connection, let transaction { return (connection, transaction) }
    // One look at a database that is away is enough for all who wait.
    let known = outage.withLock { $0.flatMap { $0.until > .now ? $0.failure : nil } }
    if let known { throw known }
    do {
      let made = try PostgresConnection(settings)
      let used = SQLTransaction(made)
      (connection, transaction) = (made, used)
      let was = outage.withLock { outage in
        defer { outage = nil }
        return outage
      }
      if was != nil { logger.notice("the database is back") }
      return (made, used)
    } catch {
      let failure = StoreFailure("the database cannot be reached: \(error)", .unreachable)
      let tries = outage.withLock { outage in
        let tries = (outage?.tries ?? 0) + 1
        let wait = Double.random(in: 0.5...1) * min(1, 0.05 * Double(1 << min(tries, 6)))
        outage = Outage(failure: failure, until: .now + .seconds(wait), tries: tries)
        return tries
      }
      if tries == 1 { logger.error("the database cannot be reached", metadata: ["error": "\(error)"]) }
      throw failure
    }
  }

  /// Two that lost against each other must not meet again at once.
  private static func pause(_ attempt: Int) {
    usleep(UInt32.random(in: 500...(2_000 << UInt32(min(attempt, 5)))))
  }

  private static let begin = SQL("BEGIN")
  private static let beginRead = SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
}
