package import Coordinator
import Domain
import Foundation
import GRDB
package import Logging
import Storage
import Synchronization

/// The embedded engine: a file, a writer, a few readers (docs/ARCHITECTURE.md "Storage").
package final class SQLiteStore: Store {
  private let writer: Writer
  private let readers: Readers
  private let checkpointer: Checkpointer
  private let queues: [DatabaseQueue]
  private let logger: Logger
  private let listeners: Listeners<StoreChange>
  private let locks: [DataLock]
  private let isClosed = Atomic<Bool>(false)
  package let path: String

  /// Opens the database, making it and bringing its schema up to date where needed. Blocks: call it at start.
  /// - Parameter serves: it is opened by a server, of which there may be one.
  package init(
    path: String, logger: Logger, serves: Bool = false,
    busyTimeoutMilliseconds: Int = Limits.busyTimeoutMilliseconds
  ) throws {
    self.path = path
    try FileManager.default.createDirectory(
      at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
    locks = [try DataLock(path: path, kind: .shared)] + (serves ? [try DataLock(path: path, kind: .serving)] : [])
    try Self.create(path)
    func open(_ label: String, readOnly: Bool = false) throws -> DatabaseQueue {
      try Self.open(path, readOnly: readOnly, label: label, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }
    let first = try open("writer")
    let applied = try first.writeWithoutTransaction { database in try Self.migrate(database) }
    for migration in applied {
      logger.info("schema brought up to date", metadata: ["migration": "\(migration.number) \(migration.name)"])
    }
    listeners = Listeners()
    let second = try open("checkpoint")
    let reading = try (0..<Limits.readConnections).map { try open("reader-\($0)", readOnly: true) }
    self.logger = logger
    // The last to be closed may write, and so takes what is left of the log into the database.
    queues = reading + [second, first]
    checkpointer = Checkpointer(queue: second, logger: logger)
    writer = Writer(
      queue: first, checkpointer: checkpointer, logger: logger, busyTimeoutMilliseconds: busyTimeoutMilliseconds,
      changed: listeners.tell)
    readers = Readers(queues: reading)
    checkpointer.start()
    writer.start()
    readers.start()
  }

  deinit { close() }

  /// Lets what waits be written, ends the threads and closes the files; safe to call twice.
  package func close() {
    guard !isClosed.exchange(true, ordering: .sequentiallyConsistent) else { return }
    readers.stop()
    writer.stop()
    checkpointer.stop()
    for queue in queues {
      do {
        try queue.close()
      } catch {
        logger.warning("a connection stays open", metadata: ["error": "\(error)"])
      }
    }
  }

  package static let metricDescriptions = [
    (label: "storage.commit.groups", help: "Groups of write transactions, each committed by one fdatasync."),
    (label: "storage.transactions", help: "Write transactions that were tried."),
  ]

  /// How many commit groups there were since the start.
  package var commitGroups: Int { writer.commitGroups }

  package func read<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    do {
      return try await withCheckedThrowingContinuation { readers.add(TransactionJob(body, $0)) }
    } catch let error as SQLiteFailure {
      throw StoreFailure("\(error)")
    }
  }

  package func write<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    for _ in 0..<Limits.rerunsOfLostRace {
      do {
        return try await withCheckedThrowingContinuation { writer.add(TransactionJob(body, $0)) }
      } catch is StaleVersion {
        continue
      } catch let error as SQLiteFailure {
        if error.isUniqueViolation { continue }
        throw StoreFailure("\(error)")
      }
    }
    throw StoreFailure("the transaction lost every race")
  }

  /// After a write that was not kept only another write can tell whether the disk has room again; a read always works.
  package func check() async throws {
    if writer.lastWriteFailed {
      try await write { try $0.setMeta("written", Instant.system.text) }
    } else {
      _ = try await read { try $0.meta("epoch") }
    }
  }

  /// Removes the database and what belongs to it. Refuses while somebody has it open.
  package static func remove(path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else { return }
    let lock = try DataLock(path: path, kind: .exclusive)
    for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: path + suffix) {
      try FileManager.default.removeItem(atPath: path + suffix)
    }
    withExtendedLifetime(lock) {}
  }

  package func onChange(_ body: @escaping @Sendable (StoreChange) -> Void) { listeners.add(body) }

  /// The one writer numbers what it writes.
  package func settle() async throws {}

  package let peers: any Peers = NoPeers()

  /// Makes a new file that only its owner may read, whatever the umask is; SQLite's log and index take after it. One
  /// that is there already is not touched: closing it here would drop this process's locks on it.
  private static func create(_ path: String) throws {
    let descriptor = Foundation.open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      if errno == EEXIST { return }
      throw StoreFailure("\(path) cannot be made: \(String(cString: strerror(errno)))")
    }
    Foundation.close(descriptor)
  }

  private static func open(
    _ path: String, readOnly: Bool, label: String, busyTimeoutMilliseconds: Int
  ) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.label = "hoichan.\(label)"
    configuration.busyMode = .timeout(TimeInterval(busyTimeoutMilliseconds) / 1000)
    configuration.foreignKeysEnabled = true
    configuration.prepareDatabase { database in
      if !readOnly {
        try useLog(database, busyTimeoutMilliseconds)
        try database.execute(sql: "PRAGMA wal_autocheckpoint = 0")
      }
      try database.execute(sql: "PRAGMA temp_store = MEMORY")
      try database.execute(sql: "PRAGMA cache_size = -\(readOnly ? 16_000 : 64_000)")
      if readOnly { try database.execute(sql: "PRAGMA query_only = ON") }
    }
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    // Set once more after opening and read back: a connection that is not FULL loses answered bookings.
    try queue.writeWithoutTransaction { database in
      try database.execute(sql: "PRAGMA synchronous = FULL")
      let mode = try Int.fetchOne(database, sql: "PRAGMA synchronous")
      guard mode == 2 else { throw StoreFailure("synchronous is \(mode ?? -1), not FULL") }
    }
    return queue
  }

  /// Makes it a database with a write-ahead log, which a new one is not. SQLite reads the header first and does not wait
  /// for who comes in between (its busy handler is for those who hold nothing yet), so it is asked again.
  private static func useLog(_ database: Database, _ busyTimeoutMilliseconds: Int) throws {
    let deadline = ContinuousClock.now + .milliseconds(busyTimeoutMilliseconds)
    while true {
      do {
        return try database.execute(sql: "PRAGMA journal_mode = WAL")
      } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY && ContinuousClock.now < deadline {
        Thread.sleep(forTimeInterval: 0.01)
      }
    }
  }

  private static func migrate(_ database: Database) throws -> [Migration] {
    guard let handle = database.sqliteConnection else { throw StoreFailure("the database did not open") }
    let connection = SQLiteConnection(handle: handle)
    defer { connection.close() }
    // Two that start at once take turns here.
    try connection.script("BEGIN IMMEDIATE")
    do {
      let now = Instant.system
      let applied = try Migrations.run(on: connection, now: now)
      try SQLTransaction(connection).begin(now: now)
      try connection.script("COMMIT")
      return applied
    } catch {
      if !connection.isAutocommit { try connection.script("ROLLBACK") }
      throw error
    }
  }
}
