import Coordinator
import Domain
import Foundation
import GRDB
import Storage
import StorageSQLite
import Testing

@Suite(.timeLimit(.minutes(10))) struct SQLiteFilesTests {
  private static let secrets = Secrets(key: [1, 2, 3])

  private static func files(beside path: String) throws -> Set<String> {
    Set(
      try FileManager.default.contentsOfDirectory(atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path))
  }

  // MARK: Check

  @Test func aSoundFile() async throws {
    try await withSQLite { store, path async throws in
      #expect(try SQLiteFiles.integrityCheck(path) == [])
      try await store.write { try $0.setMeta("beside", "1") }
    }
  }

  @Test func findsDamagedPages() async throws {
    try await withSQLite { store, path async throws in
      try await store.write { tx in for _ in 0..<500 { try tx.append(Fixture.draft(), at: Fixture.now) } }
      let copy = path + ".copy"
      try SQLiteFiles.backup(from: path, to: copy)
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: copy))
      let size = try handle.seekToEnd()
      // Somewhere in the middle, a page of events.
      try handle.seek(toOffset: size / 8192 * 4096)
      try handle.write(contentsOf: Data(repeating: 0xAA, count: 4096))
      try handle.close()
      #expect(try !SQLiteFiles.integrityCheck(copy).isEmpty)
      #expect(throws: StoreFailure.self) { try SQLiteFiles.restore(copy, to: path + "2", now: Fixture.now) }
      #expect(try !Self.files(beside: path).contains { $0.hasPrefix("hoichan.sqlite2") && !$0.hasSuffix(".lock") })
    }
  }

  @Test func findsReferencesToNothing() async throws {
    try await withSQLite { store, path async throws in
      let trip = Fixture.trip()
      try await store.write { try $0.insert(trip) }
      store.close()
      var configuration = Configuration()
      configuration.foreignKeysEnabled = false
      let raw = try DatabaseQueue(path: path, configuration: configuration)
      try await raw.write { try $0.execute(sql: "UPDATE trip SET consult = 'nobody'") }
      #expect(try SQLiteFiles.integrityCheck(path) == ["a row of trip refers to a row of consult that is not there"])
    }
  }

  @Test func whatIsNotThere() async throws {
    try await withFolder { folder async throws in
      let (path, other) = (folder + "/none", folder + "/other")
      #expect(throws: StoreFailure.self) { try SQLiteFiles.integrityCheck(path) }
      #expect(throws: StoreFailure.self) { try SQLiteFiles.backup(from: path, to: other) }
      #expect(throws: StoreFailure.self) { try SQLiteFiles.restore(path, to: other, now: Fixture.now) }
      // None of them made a database by looking for one.
      #expect(try Self.files(beside: path).filter { !$0.hasSuffix(".lock") } == [])
    }
  }

  // MARK: Backup

  @Test func backsUpBesideAServer() async throws {
    try await withSQLite { store, path async throws in
      let copy = path + ".backup"
      // While it writes.
      let writers = Task {
        for index in 0..<400 {
          try await store.write { tx in
            try tx.append(Fixture.draft(.consultRequested, "consults/\(index)"), at: Fixture.now)
            try tx.setMeta("count", "\(index + 1)")
          }
        }
      }
      while try await store.read({ try $0.logBounds().head.seq }) < 20 { await Task.yield() }
      try SQLiteFiles.backup(from: path, to: copy)
      try await writers.value

      // One file, which only its owner may read, and nothing beside it.
      #expect(try Self.files(beside: path).filter { $0.contains("backup") } == ["hoichan.sqlite.backup"])
      let attributes = try FileManager.default.attributesOfItem(atPath: copy)
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
      #expect(try SQLiteFiles.integrityCheck(copy) == [])
      let (events, count) = try await DatabaseQueue(path: copy).read { database in
        (
          try Int.fetchOne(database, sql: "SELECT count(*) FROM event"),
          try String.fetchOne(database, sql: "SELECT value FROM meta WHERE name = 'count'")
        )
      }
      // A moment between two transactions, after the twentieth.
      #expect(events.map(String.init) == count)
      #expect(try #require(events) >= 20)
    }
  }

  @Test func aBackupNeverOverwrites() async throws {
    try await withSQLite { _, path async throws in
      let copy = path + ".backup"
      try Data("mine".utf8).write(to: URL(fileURLWithPath: copy))
      #expect(throws: StoreFailure.self) { try SQLiteFiles.backup(from: path, to: copy) }
      #expect(try Data(contentsOf: URL(fileURLWithPath: copy)) == Data("mine".utf8))
    }
  }

  @Test func aBackupIntoNowhereLeavesNothing() async throws {
    try await withSQLite { _, path async throws in
      let before = try Self.files(beside: path)
      #expect(throws: StoreFailure.self) { try SQLiteFiles.backup(from: path, to: path + ".none/backup") }
      #expect(try Self.files(beside: path) == before)
    }
  }

  // MARK: Restore

  @Test func restores() async throws {
    try await withSQLite { store, path async throws in
      let copy = path + ".backup"
      try await store.write { tx in
        try tx.append(Fixture.draft(), at: Fixture.now)
        try tx.sealHeads(Self.secrets, at: Fixture.now)
        try tx.setMeta("which", "backup")
      }
      try SQLiteFiles.backup(from: path, to: copy)
      try await store.write { tx in
        try tx.append(Fixture.draft(), at: Fixture.now)
        try tx.setMeta("which", "later")
      }
      #expect(throws: StoreFailure.self) { try SQLiteFiles.restore(copy, to: path, now: Fixture.now) }
      #expect(try await store.read { try $0.meta("which") } == "later")
    }
    // A store gives its lock back when it is gone, not when it is closed.
    try await withFolder { folder async throws in
      let (path, copy) = (folder + "/hoichan.sqlite", folder + "/backup")
      var epoch: UInt64 = 0
      do {
        let store = try SQLiteStore(path: path, logger: .silent)
        try await store.write { tx in
          try tx.append(Fixture.draft(), at: Fixture.now)
          try tx.sealHeads(Self.secrets, at: Fixture.now)
          try tx.setMeta("which", "backup")
        }
        epoch = try await store.read { try $0.logBounds().epoch }
        try SQLiteFiles.backup(from: path, to: copy)
        try await store.write { tx in
          try tx.append(Fixture.draft(), at: Fixture.now)
          try tx.setMeta("which", "later")
        }
        store.close()
      }
      try SQLiteFiles.restore(copy, to: path, now: Fixture.now)
      let store = try SQLiteStore(path: path, logger: .silent)
      defer { store.close() }
      #expect(try await store.read { try $0.meta("which") } == "backup")
      #expect(try await store.read { try $0.logBounds().head.seq } == 1)
      // Cursors of before are told apart.
      #expect(try await store.read { try $0.logBounds().epoch } != epoch)
      #expect(try await store.read { try $0.meta("restored") } == Fixture.now.text)
      #expect(try await store.verify(secrets: Self.secrets).isSound)
      // The backup is as it was, and can be restored again.
      #expect(try SQLiteFiles.integrityCheck(copy) == [])
      #expect(try Self.files(beside: path).filter { $0.contains("restoring") } == [])
    }
  }

  /// A server that was killed leaves a log behind. It must not be read into the restored database.
  @Test func aLogThatStayedBehindIsNotReadIntoTheNewDatabase() async throws {
    try await withFolder { folder async throws in
      let (path, copy, killed) = (folder + "/hoichan.sqlite", folder + "/backup", folder + "/killed.sqlite")
      let store = try SQLiteStore(path: path, logger: .silent)
      defer { store.close() }
      try await store.write { try $0.setMeta("which", "backup") }
      try SQLiteFiles.backup(from: path, to: copy)
      try await store.write { tx in
        try tx.setMeta("which", "later")
        for _ in 0..<100 { try tx.append(Fixture.draft(), at: Fixture.now) }
      }
      // As it stands on the disk now, its log included.
      for name in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + name, toPath: killed + name) }
      try SQLiteFiles.restore(copy, to: killed, now: Fixture.now)
      let restored = try SQLiteStore(path: killed, logger: .silent)
      defer { restored.close() }
      #expect(try await restored.read { try $0.meta("which") } == "backup")
      #expect(try await restored.read { try $0.logBounds().head.seq } == 0)
      #expect(try SQLiteFiles.integrityCheck(killed) == [])
    }
  }

  @Test func restoresOverADamagedDatabaseAndIntoAnEmptyFolder() async throws {
    try await withSQLite { store, path async throws in
      let copy = path + ".backup"
      try SQLiteFiles.backup(from: path, to: copy)
      let damaged = path + ".damaged"
      try Data(repeating: 0x55, count: 50_000).write(to: URL(fileURLWithPath: damaged))
      try Data(repeating: 0x55, count: 50_000).write(to: URL(fileURLWithPath: damaged + "-wal"))
      for target in [damaged, path + ".d/new.sqlite"] {
        try SQLiteFiles.restore(copy, to: target, now: Fixture.now)
        #expect(try SQLiteFiles.integrityCheck(target) == [])
        let restored = try SQLiteStore(path: target, logger: .silent)
        #expect(try await restored.read { try $0.facility("38001") } != nil)
        restored.close()
      }
      #expect(try await store.read { try $0.facility("38001") } != nil)
    }
  }

  @Test func refusesAForeignDatabase() async throws {
    try await withFolder { folder async throws in
      let (foreign, path) = (folder + "/foreign", folder + "/hoichan.sqlite")
      try await DatabaseQueue(path: foreign).write { try $0.execute(sql: "CREATE TABLE meta (name, value)") }
      #expect(throws: (any Error).self) { try SQLiteFiles.restore(foreign, to: path, now: Fixture.now) }
      // An empty file is a database to SQLite: a backup that was interrupted looks like this.
      try Data().write(to: URL(fileURLWithPath: folder + "/empty"))
      #expect(throws: (any Error).self) { try SQLiteFiles.restore(folder + "/empty", to: path, now: Fixture.now) }
      #expect(!FileManager.default.fileExists(atPath: path))
      #expect(try Self.files(beside: path).filter { $0.contains("restoring") } == [])
    }
  }

  @Test func refusesABackupOfALaterRelease() async throws {
    try await withSQLite { store, path async throws in
      try await store.run(
        Storage.SQL("INSERT INTO migration (number, name, applied_at) VALUES (999, 'later', 0)"),
        Storage.SQL("UPDATE meta SET value = '999' WHERE name = 'schema.neededBy'"))
      try SQLiteFiles.backup(from: path, to: path + ".backup")
      #expect(throws: NewerSchema.self) {
        try SQLiteFiles.restore(path + ".backup", to: path + "2", now: Fixture.now)
      }
    }
  }

  /// A file that is closed twice may be another's by then: a socket, the database itself.
  @Test func aRefusedLockClosesNothingElse() async throws {
    try await withSQLite { _, path async throws in
      let (refused, lost) = (Counter(), Counter())
      let others = Task {
        await withCheckedContinuation { continuation in
          DispatchQueue.global().async {
            while refused.value < 3_000 {
              let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
              if close(descriptor) != 0 { lost.add() }
            }
            continuation.resume()
          }
        }
      }
      for _ in 0..<3_000 {
        #expect(throws: StoreFailure.self) { try SQLiteFiles.restore(path, to: path, now: Fixture.now) }
        refused.add()
      }
      await others.value
      #expect(lost.value == 0)
    }
  }

  @Test func aRestoreKeepsServersOut() async throws {
    try await withSQLite { store, path async throws in
      // Two servers beside each other hold it together; a restore wants it alone.
      let second = try SQLiteStore(path: path, logger: .silent)
      second.close()
      try SQLiteFiles.backup(from: path, to: path + ".backup")
      let refusal = #expect(throws: StoreFailure.self) {
        try SQLiteFiles.restore(path + ".backup", to: path, now: Fixture.now)
      }
      #expect(refusal?.description.contains("stop it first") == true)
      #expect(try await store.read { try $0.meta("restored") } == nil)
    }
  }
}
