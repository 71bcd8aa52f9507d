import Coordinator
import Domain
import Foundation
import GRDB
import Storage
import StorageSQLite
import Testing

/// What the embedded engine promises beside what every engine does. That each commit group costs one fdatasync is
/// counted from outside, in the end-to-end tests: a process cannot see its own.
@Suite(.timeLimit(.minutes(10))) struct SQLiteStoreTests {
  /// Holds the writer inside a transaction until it is let go.
  private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func close(_ store: any Store) async -> Task<Void, any Error> {
      let (entered, enter) = AsyncStream.makeStream(of: Void.self)
      let task = Task {
        try await store.write { [semaphore] _ in
          enter.finish()
          semaphore.wait()
        }
      }
      for await _ in entered {}
      return task
    }

    func open() { semaphore.signal() }
  }

  private static func pragma(_ store: SQLiteStore, _ sql: Storage.SQL) async throws -> String? {
    try await store.write { transaction in
      guard let tables = transaction as? SQLTransaction else { return nil }
      return try tables.connection.first(sql, []) { $0.text(0) }
    }
  }

  @Test func theWritersConnectionIsDurable() async throws {
    try await withSQLite { store, _ async throws in
      #expect(try await Self.pragma(store, Storage.SQL("PRAGMA synchronous")) == "2")
      #expect(try await Self.pragma(store, Storage.SQL("PRAGMA journal_mode")) == "wal")
      #expect(try await Self.pragma(store, Storage.SQL("PRAGMA wal_autocheckpoint")) == "0")
      #expect(try await Self.pragma(store, Storage.SQL("PRAGMA foreign_keys")) == "1")
    }
  }

  @Test func onlyTheOwnerMayReadTheFiles() async throws {
    try await withSQLite { store, path async throws in
      for name in ["", "-wal", "-shm", ".lock"] {
        let attributes = try FileManager.default.attributesOfItem(atPath: path + name)
        let permissions = try #require(attributes[.posixPermissions] as? NSNumber)
        #expect(permissions.intValue == 0o600, "\(name)")
      }
      #expect(store.path == path)
    }
  }

  @Test func waitingTransactionsAreOneGroup() async throws {
    try await withSQLite { store, _ async throws in
      let gate = Gate()
      let held = await gate.close(store)
      let before = store.commitGroups
      try await withThrowingTaskGroup(of: Void.self) { group in
        let started = Counter()
        for job in 0..<200 {
          group.addTask {
            started.add()
            try await store.write { try $0.setMeta("k\(job)", "v") }
          }
        }
        await started.reaches(200)
        gate.open()
        try await group.waitForAll()
      }
      try await held.value
      // The one that was held and, but for tasks that were slow to come, one for all the others.
      #expect(store.commitGroups - before < 50)
      #expect(try await store.int(Storage.SQL("SELECT count(*) FROM meta WHERE name LIKE 'k%'")) == 200)
    }
  }

  /// A transaction that is through waits for its group's commit before anybody hears of it.
  @Test func nobodyIsAnsweredBeforeTheCommit() async throws {
    try await withSQLite { store, path async throws in
      let first = Gate()
      let held = await first.close(store)
      let second = DispatchSemaphore(value: 0)
      let (entered, enter) = AsyncStream.makeStream(of: Void.self)
      let answered = Counter()
      try await withThrowingTaskGroup(of: Void.self) { group in
        let early = Counter()
        group.addTask {
          early.add()
          try await store.write { try $0.setMeta("early", "1") }
          answered.add()
        }
        await early.reaches(1)
        group.addTask {
          try await store.write { _ in
            enter.finish()
            second.wait()
          }
        }
        first.open()
        for await _ in entered {}
        for _ in 0..<1000 { await Task.yield() }
        // Whether both came into one group or into two: what another connection cannot see was not answered.
        let visible = try await store.read { try $0.meta("early") } != nil
        #expect(answered.value == 0 || visible)
        second.signal()
        try await group.waitForAll()
      }
      try await held.value
      #expect(try await store.read { try $0.meta("early") } == "1")
      #expect(store.path == path)
    }
  }

  @Test func aFullQueueRefuses() async throws {
    try await withSQLite { store, _ async throws in
      let gate = Gate()
      let held = await gate.close(store)
      let beyond = 50
      let written = try await withThrowingTaskGroup(of: Rejection?.self) { group in
        for job in 0..<Limits.writeQueue + beyond {
          group.addTask {
            do {
              try await store.write { try $0.setMeta("k\(job)", "v") }
              return nil
            } catch let rejection as Rejection { return rejection }
          }
        }
        for _ in 0..<beyond {
          let rejection = try #require(try await group.next() ?? nil)
          #expect(rejection.code == .unavailable)
          #expect(rejection.retryAfter != nil)
        }
        gate.open()
        return try await group.reduce(0) { $0 + ($1 == nil ? 1 : 0) }
      }
      try await held.value
      #expect(written == Limits.writeQueue)
      #expect(try await store.int(Storage.SQL("SELECT count(*) FROM meta WHERE name LIKE 'k%'")) == Int64(written))
    }
  }

  /// Out of space, SQLite rolls the whole group back: who did nothing wrong is run again.
  @Test func aFullDiskStopsOnlyWhoNeedsTheSpace() async throws {
    try await withSQLite { store, _ async throws in
      let pages = try #require(Int(try await Self.pragma(store, Storage.SQL("PRAGMA page_count")) ?? ""))
      try await Self.limit(store, pages: pages + 30)
      let gate = Gate()
      let held = await gate.close(store)
      try await withThrowingTaskGroup(of: Void.self) { group in
        let started = Counter()
        for job in 0..<20 {
          group.addTask {
            started.add()
            try await store.write { try $0.setMeta("small-\(job)", "v") }
          }
          if job == 10 {
            group.addTask {
              started.add()
              let answer = Answer(.ok, body: Array(repeating: 1, count: 4 << 20))
              await #expect(throws: StoreFailure.self) {
                try await store.write {
                  try $0.keep(
                    KeptAnswer(bodyHash: [], answer: answer), scope: "s", key: "k", until: Fixture.now,
                    now: Fixture.now)
                }
              }
            }
          }
        }
        await started.reaches(21)
        gate.open()
        try await group.waitForAll()
      }
      try await held.value
      #expect(try await store.int(Storage.SQL("SELECT count(*) FROM meta WHERE name LIKE 'small-%'")) == 20)
      #expect(try await store.int(Storage.SQL("SELECT count(*) FROM kept_answer")) == 0)
      // With space again, it goes on.
      try await Self.limit(store, pages: 1 << 30)
      try await store.write { try $0.setMeta("large", String(repeating: "x", count: 4 << 20)) }
    }
  }

  private static func limit(_ store: SQLiteStore, pages: Int) async throws {
    try await store.write { transaction in
      try (transaction as? SQLTransaction)?.connection.script("PRAGMA max_page_count = \(pages)")
    }
  }

  // MARK: Beside another process

  @Test func noticesThatAnotherProcessWrote() async throws {
    try await withSQLite { store, path async throws in
      let (commits, told) = AsyncStream.makeStream(of: StoreChange.self)
      let others = Counter()
      store.onChange { source in
        if case .changedElsewhere = source { others.add() }
        told.yield(source)
      }
      // What it wrote itself is no other's.
      for value in 0..<20 { try await store.write { try $0.setMeta("own", "\(value)") } }
      #expect(others.value == 0)
      let other = try SQLiteStore(path: path, logger: .silent)
      defer { other.close() }
      try await other.write { try $0.setMeta("theirs", "1") }
      for await source in commits { if case .changedElsewhere = source { break } }
      #expect(try await store.read { try $0.meta("theirs") } == "1")
    }
  }

  @Test func twoProcessesWriteOneLog() async throws {
    try await withSQLite { store, path async throws in
      let other = try SQLiteStore(path: path, logger: .silent)
      defer { other.close() }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<100 {
          let writer = index % 2 == 0 ? store : other
          group.addTask { try await writer.write { try $0.append(Fixture.draft(), at: Fixture.now) } }
        }
        try await group.waitForAll()
      }
      let events = try await store.read { try $0.events(after: 0, limit: 200) }
      #expect(events.map(\.seq) == Array(1...100))
      #expect(try await store.verify(secrets: Secrets(key: [1])).isSound)
    }
  }

  /// Holds a statement's transaction open in another connection, as another process would.
  private static func holding(_ path: String, _ sql: String, _ body: () async throws -> Void) async throws {
    let queue = try DatabaseQueue(path: path)
    let release = DispatchSemaphore(value: 0)
    let (entered, enter) = AsyncStream.makeStream(of: Void.self)
    let ended = Task {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        DispatchQueue.global().async {
          continuation.resume(
            with: Result {
              try queue.writeWithoutTransaction { database in
                try database.execute(sql: sql)
                enter.finish()
                release.wait()
                try database.execute(sql: "COMMIT")
              }
            })
        }
      }
    }
    for await _ in entered {}
    let result: Result<Void, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    release.signal()
    try await ended.value
    try result.get()
  }

  /// Twenty wait together for the lock, not one after another.
  @Test func aLockedDatabaseRefusesAllThatWait() async throws {
    try await withFolder { folder async throws in
      let path = folder + "/hoichan.sqlite"
      let store = try SQLiteStore(path: path, logger: .silent, busyTimeoutMilliseconds: 3_000)
      defer { store.close() }
      try await Self.holding(path, "BEGIN IMMEDIATE") { () async throws in
        let before = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
          for job in 0..<20 {
            group.addTask {
              await #expect(throws: StoreFailure.self) { try await store.write { try $0.setMeta("k\(job)", "v") } }
            }
          }
        }
        // One after another they would wait for a minute.
        #expect(ContinuousClock.now - before < .seconds(30))
        // Reading goes on meanwhile; ready for requests it is not.
        #expect(try await store.read { try $0.meta("epoch") } != nil)
        await #expect(throws: StoreFailure.self) { try await store.check() }
      }
      try await store.check()
      try await store.write { try $0.setMeta("after", "v") }
      #expect(try await store.int(Storage.SQL("SELECT count(*) FROM meta WHERE name LIKE 'k%'")) == 0)
    }
  }

  /// A backup or `verify` reads for long. Bookings must not wait for it.
  @Test func aLongReaderHoldsUpNoWriter() async throws {
    try await withFolder { folder async throws in
      let path = folder + "/hoichan.sqlite"
      let store = try SQLiteStore(path: path, logger: .silent, busyTimeoutMilliseconds: 60_000)
      defer { store.close() }
      try await Self.holding(path, "BEGIN; SELECT count(*) FROM meta") { () async throws in
        var slowest = Duration.zero
        for index in 0..<14 {
          let before = ContinuousClock.now
          try await store.write { try $0.setMeta("large", String(repeating: "\(index % 10)", count: 4 << 20)) }
          slowest = max(slowest, ContinuousClock.now - before)
        }
        #expect(slowest < .seconds(30))
      }
    }
  }

  @Test func theLogIsBegunAnew() async throws {
    try await withSQLite { store, path async throws in
      for index in 0..<50 {
        try await store.write { try $0.setMeta("large", String(repeating: "\(index % 10)", count: 4 << 20)) }
        #expect(try await store.read { try $0.meta("large")?.utf8.count } == 4 << 20)
      }
      let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? NSNumber
      // 200 MB went through it.
      #expect(try #require(size).intValue < 100 << 20)
    }
  }

  // MARK: Opening and closing

  @Test func closingLetsWhatWaitsBeWritten() async throws {
    try await withFolder { folder async throws in
      let path = folder + "/hoichan.sqlite"
      let store = try SQLiteStore(path: path, logger: .silent)
      let gate = Gate()
      let held = await gate.close(store)
      let started = Counter()
      let writers = (0..<300).map { job in
        Task {
          started.add()
          do {
            try await store.write { try $0.setMeta("k\(job)", "v") }
            return 1
          } catch is StoreFailure { return 0 }
        }
      }
      await started.reaches(300)
      let closed = Task {
        await withCheckedContinuation { continuation in
          DispatchQueue.global().async {
            store.close()
            continuation.resume()
          }
        }
      }
      gate.open()
      await closed.value
      try await held.value
      var written = 0
      for writer in writers { written += try await writer.value }
      await #expect(throws: StoreFailure.self) { try await store.write { try $0.setMeta("late", "v") } }
      await #expect(throws: StoreFailure.self) { try await store.read { try $0.meta("late") } }
      store.close()

      let again = try SQLiteStore(path: path, logger: .silent)
      defer { again.close() }
      #expect(try await again.int(Storage.SQL("SELECT count(*) FROM meta WHERE name LIKE 'k%'")) == Int64(written))
    }
  }

  /// Opened again a database is what it was: the same schema, epoch and migrations.
  @Test func openingTwiceChangesNothing() async throws {
    try await withSQLite { store, path async throws in
      let before = try await Self.description(path)
      store.close()
      let again = try SQLiteStore(path: path, logger: .silent)
      defer { again.close() }
      #expect(try await Self.description(path) == before)
      #expect(try await again.int(Storage.SQL("SELECT count(*) FROM migration")) == Int64(Migrations.all.count))
    }
  }

  private static func description(_ path: String) async throws -> [String] {
    try await DatabaseQueue(path: path).read { database in
      try String.fetchAll(database, sql: "SELECT coalesce(sql, '') FROM sqlite_master ORDER BY name")
        + String.fetchAll(database, sql: "SELECT number || name || applied_at FROM migration")
        + String.fetchAll(database, sql: "SELECT name || value FROM meta ORDER BY name")
    }
  }

  /// SQLite does not wait for who holds a new file while it is made one with a log; several that start at once would
  /// fail.
  @Test func waitsForWhoHoldsANewFile() async throws {
    try await withFolder { folder async throws in
      let path = folder + "/hoichan.sqlite"
      var configuration = Configuration()
      configuration.allowsUnsafeTransactions = true
      let other = try DatabaseQueue(path: path, configuration: configuration)
      try other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
      let begun = ContinuousClock.now
      let refusal = #expect(throws: DatabaseError.self) {
        try SQLiteStore(path: path, logger: .silent, busyTimeoutMilliseconds: 200)
      }
      #expect(refusal?.resultCode == .SQLITE_BUSY && ContinuousClock.now - begun >= .milliseconds(200))
      try other.inDatabase { try $0.execute(sql: "COMMIT") }
      try SQLiteStore(path: path, logger: .silent).close()
    }
  }

  @Test func severalMayOpenANewDatabaseAtOnce() async throws {
    try await withFolder { folder async throws in
      let path = folder + "/new/hoichan.sqlite"
      let stores = try await withThrowingTaskGroup(of: SQLiteStore.self) { group in
        for _ in 0..<4 { group.addTask { try SQLiteStore(path: path, logger: .silent) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let epochs = try await stores.asyncMap { store in try await store.read { try $0.logBounds().epoch } }
      #expect(Set(epochs).count == 1)
      for store in stores { store.close() }
    }
  }

  @Test func migrationsCountFromOne() {
    #expect(Migrations.all.map(\.number) == Array(1...Int64(Migrations.all.count)))
  }

  @Test func refusesADatabaseOfALaterRelease() async throws {
    try await withSQLite { store, path async throws in
      let later = Int64(Migrations.all.count + 1)
      try await store.run(
        Storage.SQL("INSERT INTO migration (number, name, applied_at) VALUES ($1, 'later', 0)"), values: [.int(later)])
      // It only added something: this release goes on beside the later one.
      try SQLiteStore(path: path, logger: .silent).close()
      try await store.setNeeded(later)
      store.close()
      #expect(throws: NewerSchema.self) { try SQLiteStore(path: path, logger: .silent) }
      // It was left as it is, and nothing is held.
      let raw = try DatabaseQueue(path: path)
      try await raw.write {
        try $0.execute(sql: "DELETE FROM migration WHERE number = ?", arguments: [later])
        try $0.execute(sql: "UPDATE meta SET value = '1' WHERE name = 'schema.neededBy'")
      }
      let again = try SQLiteStore(path: path, logger: .silent)
      again.close()
    }
  }

  @Test func refusesWhatIsNoDatabase() async throws {
    try await withFolder { folder async throws in
      let path = folder + "/hoichan.sqlite"
      let text = Data(repeating: 0x41, count: 9_000)
      try text.write(to: URL(fileURLWithPath: path))
      #expect(throws: (any Error).self) { try SQLiteStore(path: path, logger: .silent) }
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
    }
  }
}

extension Sequence {
  fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
    var result: [T] = []
    for element in self { result.append(try await transform(element)) }
    return result
  }
}
