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
  private let full = Atomic<Bool>(false)
  private let outage: Outage
  private let counter = Counter(label: "storage.transactions")
  private let reruns = Counter(label: "storage.reruns")

  init(
    _ settings: PostgresSettings, _ mode: Mode, connections: Int, outage: Outage, logger: Logger,
    committed: @escaping @Sendable (_ hasOutgoing: Bool) -> Void = { _ in }
  ) {
    self.settings = settings
    self.mode = mode
    self.outage = outage
    self.logger = logger
    self.committed = committed
    count = connections
    jobs =
      switch mode {
      case .read: JobQueue(limit: Limits.readQueue)
      case .write:
        JobQueue(
          limit: Limits.writeQueue, group: Limits.groupedWrites, patience: .milliseconds(Limits.groupMilliseconds))
      }
  }

  /// Whether the latest transaction could not be kept.
  var lastFailed: Bool { failed.load(ordering: .relaxed) }

  /// Whether there was no room for something, and nobody has found since that there is.
  var isFull: Bool { full.load(ordering: .relaxed) }

  func noteFull() { full.store(true, ordering: .relaxed) }

  func foundRoom() { full.store(false, ordering: .relaxed) }

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
    while jobs.serve(
      within: 60,
      { group in
        if group.count == 1 {
          run(group[0], &connection, &transaction)
        } else if !runTogether(group, &connection, &transaction) {
          jobs.putBackAlone(group)
        }
      })
    {}
  }

  /// Runs several in one transaction when many wait: what one writes goes along with what the next reads, and all share
  /// a commit. False when one failed half-way, or waited for another's lock: then nothing was kept, and each is to be
  /// run by itself, so that none fails or waits for another's sake.
  private func runTogether(
    _ group: [any Job], _ connection: inout PostgresConnection?, _ transaction: inout SQLTransaction?
  ) -> Bool {
    guard let open = connection, let used = transaction else { return false }
    counter.increment()
    var isCommitting = false
    do {
      used.forget()
      try open.begin(Self.begin)
      try open.post(Self.brieflyLocked, [])
      for job in group {
        let before = open.writes
        do { try job.attempt(used) } catch {
          // Most refusals come before anything was written, and are this one's only.
          guard !(error is PostgresFailure), open.writes == before, !open.hasFailed else { throw error }
        }
      }
      isCommitting = true
      try open.commit()
    } catch {
      if let failure = error as? PostgresFailure, failure.isConnectionLost {
        (connection, transaction) = (nil, nil)
        guard isCommitting else { return false }
        for job in group { finish(job, Self.unknown(failure)) }
        return true
      }
      do { try open.rollback() } catch { (connection, transaction) = (nil, nil) }
      reruns.increment()
      return false
    }
    failed.store(false, ordering: .relaxed)
    for job in group { job.finish(nil) }
    committed(used.hasOutgoing)
    return true
  }

  private static func unknown(_ failure: PostgresFailure) -> StoreFailure {
    StoreFailure("it is not known whether the transaction was kept: \(failure)", .unreachable)
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
        try job.attempt(used)
        isCommitting = true
        if mode == .write { try open.commit() } else { try open.endRead() }
        return finish(job, nil, hasOutgoing: used.hasOutgoing)
      } catch {
        if let failure = error as? PostgresFailure, failure.isConnectionLost {
          (connection, transaction) = (nil, nil)
          if isCommitting, mode == .write {
            return finish(job, Self.unknown(failure))
          }
        } else {
          do { try open.rollback() } catch { (connection, transaction) = (nil, nil) }
        }
        guard isWorthAnother(error, attempt) else { return finish(job, error, isBodys: !isCommitting) }
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

  /// - Parameter isBodys: the body threw it, and so the job knows it. Otherwise it came with the answers to the commit.
  private func finish(_ job: any Job, _ error: (any Error)?, hasOutgoing: Bool = false, isBodys: Bool = false) {
    switch error {
    case nil:
      failed.store(false, ordering: .relaxed)
      job.finish(nil)
      if mode == .write { committed(hasOutgoing) }
    case let failure as PostgresFailure:
      failed.store(true, ordering: .relaxed)
      logger.error("a transaction was not kept", metadata: ["error": "\(failure)"])
      let known = failure.asStoreFailure
      if known.kind == .full { noteFull() }
      job.finish(known)
    case is StaleVersion: job.finish(StoreFailure("the transaction lost every race"))
    case let failure as StoreFailure:
      failed.store(true, ordering: .relaxed)
      job.finish(failure)
    // A refusal is its answer.
    default: job.finish(isBodys ? nil : error)
    }
  }

  private func connected(
    _ connection: inout PostgresConnection?, _ transaction: inout SQLTransaction?
  ) throws -> (PostgresConnection, SQLTransaction) {
    if let connection, let transaction { return (connection, transaction) }
    try outage.check()
    while true {
      let begun = ContinuousClock.now
      do {
        let made = try PostgresConnection(settings)
        let used = SQLTransaction(made)
        (connection, transaction) = (made, used)
        outage.end()
        return (made, used)
      } catch {
        if outage.hasEnded(since: begun) { continue }
        throw outage.note(error)
      }
    }
  }

  /// Two that lost against each other must not meet again at once.
  private static func pause(_ attempt: Int) {
    usleep(UInt32.random(in: 500...(2_000 << UInt32(min(attempt, 5)))))
  }

  private static let begin = SQL("BEGIN")
  /// Two groups may take the same locks in another order; a transaction of one job does not.
  private static let brieflyLocked = SQL(dynamic: "SET LOCAL lock_timeout = \(Limits.groupLockMilliseconds)")
  private static let beginRead = SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
}
