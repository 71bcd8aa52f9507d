import Coordinator
import Domain
import Foundation
import GRDB
import Storage

/// Threads that read, each over its own connection and one short snapshot at a time: a long one would keep the
/// write-ahead log from being begun anew.
final class Readers: Sendable {
  private let queues: [DatabaseQueue]
  private let jobs = JobQueue(limit: Limits.readQueue)
  private let ended = DispatchSemaphore(value: 0)

  init(queues: [DatabaseQueue]) { self.queues = queues }

  func start() {
    for (index, queue) in queues.enumerated() {
      let thread = Thread { [self] in
        queue.inDatabase { database in
          guard let handle = database.sqliteConnection else { return }
          let connection = SQLiteConnection(handle: handle)
          defer { connection.close() }
          work(connection)
        }
        ended.signal()
      }
      thread.name = "hoichan-reader-\(index)"
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  func add(_ job: any Job) { jobs.add(job) }

  func stop() {
    jobs.close()
    for _ in queues { ended.wait() }
  }

  private func work(_ connection: SQLiteConnection) {
    let transaction = SQLTransaction(connection)
    while jobs.serve(within: 3600, { for job in $0 { run(job, connection, transaction) } }) {}
  }

  private func run(_ job: any Job, _ connection: SQLiteConnection, _ transaction: SQLTransaction) {
    var failure: (any Error)?
    do {
      try connection.run(Self.begin, [])
      // What the body throws is kept in the job, and reaches the caller from there.
      try? job.attempt(transaction)
    } catch {
      failure = StoreFailure("\(error)")
    }
    if !connection.isAutocommit { _ = try? connection.run(Self.commit, []) }
    job.finish(failure)
  }

  private static let begin = SQL("BEGIN")
  private static let commit = SQL("COMMIT")
}
