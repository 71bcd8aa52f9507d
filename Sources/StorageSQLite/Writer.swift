import Coordinator
import Domain
import Foundation
import GRDB
import GRDBSQLite
import Logging
import Metrics
import Storage
import Synchronization

/// The one thread that writes. Waiting transactions are committed in groups: a savepoint each, one commit, one
/// fdatasync. Nobody is answered before the commit is durable.
final class Writer: Sendable {
  private let queue: DatabaseQueue
  private let jobs = JobQueue(limit: Limits.writeQueue, group: Limits.groupCommit)
  private let checkpointer: Checkpointer
  private let logger: Logger
  private let busyTimeoutMilliseconds: Int
  private let changed: @Sendable (StoreChange) -> Void
  private let ended = DispatchSemaphore(value: 0)
  private let groups = Atomic<Int>(0)
  private let failed = Atomic<Bool>(false)
  private let groupCounter = Counter(label: "storage.commit.groups")
  private let jobCounter = Counter(label: "storage.transactions")

  /// How many groups were committed: each cost one fdatasync.
  var commitGroups: Int { groups.load(ordering: .relaxed) }

  /// Whether the latest group could not be kept: the disk is full, or somebody else holds the database.
  var lastWriteFailed: Bool { failed.load(ordering: .relaxed) }

  init(
    queue: DatabaseQueue, checkpointer: Checkpointer, logger: Logger, busyTimeoutMilliseconds: Int,
    changed: @escaping @Sendable (StoreChange) -> Void
  ) {
    self.queue = queue
    self.checkpointer = checkpointer
    self.logger = logger
    self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
    self.changed = changed
  }

  func start() {
    let thread = Thread { [self] in
      // The whole life of the thread is one access, so that GRDB's queue is entered once and not per group.
      queue.inDatabase { database in
        guard let handle = database.sqliteConnection else { return }
        let connection = SQLiteConnection(handle: handle)
        defer { connection.close() }
        work(connection, Wal(handle, busyTimeoutMilliseconds: busyTimeoutMilliseconds))
      }
      ended.signal()
    }
    thread.name = "hoichan-writer"
    thread.stackSize = 4 << 20
    thread.start()
  }

  func add(_ job: any Job) { jobs.add(job) }

  /// Lets what waits be written, then ends the thread.
  func stop() {
    jobs.close()
    ended.wait()
  }

  private func work(_ connection: SQLiteConnection, _ wal: Wal) {
    let transaction = SQLTransaction(connection)
    var version = try? dataVersion(connection)
    while jobs.serve(
      within: 0.2,
      { group in
        guard !group.isEmpty else { return }
        commit(group, connection, transaction)
        groups.add(1, ordering: .relaxed)
        groupCounter.increment()
        jobCounter.increment(by: group.count)
        changed(.committed)
        changed(.logged(transaction.appended))
        wal.groupCommitted(checkpointer)
      })
    {
      // Changes only when somebody beside this connection wrote: the command line, for one.
      if let now = try? dataVersion(connection), now != version {
        version = now
        changed(.changedElsewhere)
        changed(.logged(nil))
      }
    }
  }

  private func dataVersion(_ connection: SQLiteConnection) throws -> Int64? {
    try connection.first(Self.version, []) { $0.int(0) }
  }

  /// Runs the group in one transaction; what fails alone fails alone.
  ///
  /// A savepoint a job copies every page that the job is the first to touch. Most jobs succeed, and most that are
  /// refused are refused before they write, so the group is run without, and again with, once a job failed half-way.
  private func commit(
    _ group: [any Job], _ connection: SQLiteConnection, _ transaction: SQLTransaction, savepoints: Bool = false
  ) {
    transaction.forget()
    do {
      try connection.run(Self.begin, [])
    } catch {
      // Another process holds the lock. Run alone, each would wait for it as long again, one after the other.
      logger.error("\(group.count) transactions could not begin", metadata: ["error": "\(error)"])
      failed.store(true, ordering: .relaxed)
      for job in group { job.finish(StoreFailure("\(error)")) }
      return
    }
    do {
      for job in group {
        if savepoints { try connection.run(Self.savepoint, []) }
        let before = connection.totalChanges
        do {
          try job.attempt(transaction)
        } catch {
          // Out of space or a lost disk make SQLite roll the whole batch back; the others did nothing wrong.
          if connection.isAutocommit { throw error }
          if savepoints {
            try connection.run(Self.rollbackTo, [])
            transaction.forget()
          } else if connection.totalChanges != before {
            try connection.run(Self.rollback, [])
            transaction.forget()
            return group.count == 1 ? job.finish(nil) : commit(group, connection, transaction, savepoints: true)
          }
        }
        if savepoints { try connection.run(Self.release, []) }
      }
      try connection.run(Self.commit, [])
    } catch {
      if !connection.isAutocommit { _ = try? connection.run(Self.rollback, []) }
      transaction.forget()
      if group.count == 1 {
        logger.error("a transaction was not kept", metadata: ["error": "\(error)"])
        failed.store(true, ordering: .relaxed)
        group[0].finish(StoreFailure("\(error)"))
      } else {
        for job in group { commit([job], connection, transaction) }
      }
      return
    }
    failed.store(false, ordering: .relaxed)
    for job in group { job.finish(nil) }
  }

  private static let begin = SQL("BEGIN IMMEDIATE")
  private static let savepoint = SQL("SAVEPOINT job")
  private static let rollbackTo = SQL("ROLLBACK TO job")
  private static let release = SQL("RELEASE job")
  private static let commit = SQL("COMMIT")
  private static let rollback = SQL("ROLLBACK")
  private static let version = SQL("PRAGMA data_version")
}
