import Coordinator
import Domain
import Storage
import StorageSQLite
import Testing

/// Events that leave the log, and the chain that goes on from where they went.
@Suite struct ArchiveTests {
  private static let secrets = Secrets(key: Array(repeating: 7, count: 32))

  @Test(arguments: Engine.allCases) func theLogBeginsBehindTheArchive(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await VerificationTests.fill(store)
      let all = try await store.read { try $0.events(after: 0, limit: 10) }
      let before = try await store.verify(secrets: Self.secrets)
      let epoch = try await store.read { try $0.logBounds().epoch }
      #expect(before.archivedEvents == 0)
      #expect(try await store.write { try $0.archiveEvents(through: 4) } == 4)
      #expect(try await store.write { try $0.archiveEvents(through: 4) } == 0)
      let bounds = try await store.read { try $0.logBounds() }
      #expect(bounds.oldest == Cursor(epoch: epoch, seq: 4, chain: all[3].chain))
      #expect(bounds.head == Cursor(epoch: epoch, seq: 7, chain: all[6].chain))
      #expect(try await store.read { try $0.events(after: 0, limit: 10) } == Array(all[4...]))
      #expect(try await store.read { try $0.archivedEvents(after: 1, limit: 2) } == Array(all[1...2]))
      #expect(try await store.read { try $0.event(seq: 4) } == nil)
      // A release that knows of no archive is refused from here on.
      let needed = try await store.read { try $0.meta("schema.neededBy") }.flatMap { Int64($0) } ?? 0
      #expect(needed >= Migrations.eventArchive)

      var report = try await store.verify(secrets: Self.secrets, head: before.head)
      #expect(report.problems == [] && report.events == 7 && report.archivedEvents == 4)
      #expect(report.signatures == 2 && report.anchors == 3 && report.head == before.head)
      // A head that was noted before the cut stands in the archive now.
      #expect(try await store.verify(secrets: Self.secrets, head: (seq: 2, chain: all[1].chain)).isSound)
      report = try await store.verify(secrets: Self.secrets, head: (seq: 2, chain: all[2].chain))
      #expect(report.problems.count == 1 && report.problems[0].contains("Event 2 has another chain"))

      // The chain goes on, through everything but the newest, and so does sealing it.
      try await store.write { try $0.append(Fixture.draft(), at: Fixture.now) }
      #expect(try await store.read { try $0.logBounds().head.seq } == 8)
      #expect(try await store.write { try $0.archiveEvents(through: 7) } == 3)
      try await store.write { try $0.sealHeads(Self.secrets, at: Fixture.now) }
      try await store.write { try $0.append(Fixture.draft(), at: Fixture.now) }
      report = try await store.verify(secrets: Self.secrets, head: before.head)
      #expect(report.problems == [] && report.events == 9 && report.archivedEvents == 7 && report.anchors == 5)
    }
  }

  /// What was done to the database, and words that each problem must hold.
  private static let damages: [(sql: SQL, problems: [String])] = [
    (SQL("UPDATE event_archive SET actor = 'x' WHERE seq = 2"), ["Event 2 does not fit the chain"]),
    (SQL("DELETE FROM event_archive WHERE seq = 2"), ["Event 2 is missing", "Event 3 does not fit"]),
    (SQL("DELETE FROM event_archive WHERE seq > 2"), ["Event 3 to 4 are missing", "Event 5 does not fit"]),
    (SQL("DELETE FROM event_archive"), ["Event 1 to 4 are missing", "Event 5 does not fit"]),
    (
      SQL("DELETE FROM event WHERE seq = 5"),
      ["Event 5 is missing", "Event 6 does not fit", "the log holds 1 signatures"]
    ),
    (
      SQL("UPDATE event_archive SET chain = (SELECT chain FROM event_archive WHERE seq = 1) WHERE seq = 3"),
      ["Event 3 does not fit", "Event 3 has another chain than the anchor", "Event 4 does not fit"]
    ),
  ]

  @Test(arguments: Engine.allCases, damages.indices)
  func aDamagedArchive(engine: Engine, index: Int) async throws {
    let damage = Self.damages[index]
    try await engine.withStore { store async throws in
      try await VerificationTests.fill(store)
      _ = try await store.write { try $0.archiveEvents(through: 4) }
      try await store.run(damage.sql)
      let report = try await store.verify(secrets: Self.secrets)
      #expect(report.problems.count == damage.problems.count, "\(damage.sql.text): \(report.problems)")
      for words in damage.problems {
        #expect(report.problems.contains { $0.contains(words) }, "\(report.problems) should say \(words)")
      }
    }
  }

  /// Nodes that find the same at once, beside writers: each event is in one place, and none in two.
  @Test(arguments: Engine.allCases) func manyAtOnce(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.write { tx in for _ in 0..<100 { try tx.append(Fixture.draft(), at: Fixture.now) } }
      try await store.settle()
      let moved = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<12 {
          group.addTask { try await store.write { try $0.archiveEvents(through: Int64(10 * (number % 6 + 1))) } }
          group.addTask {
            try await store.write { try $0.append(Fixture.draft(), at: Fixture.now) }
            return 0
          }
        }
        return try await group.reduce(0, +)
      }
      #expect(moved == 60)
      try await store.settle()
      let report = try await store.verify(secrets: Self.secrets)
      #expect(report.problems == [] && report.events == 112 && report.archivedEvents == 60)
      #expect(try await store.int(SQL("SELECT count(*) FROM event")) == 52)
    }
  }

  @Test(arguments: Engine.allCases, Engine.allCases) func isCopied(from: Engine, to: Engine) async throws {
    try await from.withStore { source async throws in
      try await VerificationTests.fill(source)
      _ = try await source.write { try $0.archiveEvents(through: 4) }
      let bounds = try await source.read { try $0.logBounds() }
      let archived = try await source.read { try $0.archivedEvents(after: 0, limit: 10) }
      try await to.withEmptyStore { target async throws in
        try await DatabaseCopy(from: source, to: target).run(secrets: Self.secrets) { _, _ in }
        #expect(try await target.read { try $0.logBounds() } == bounds)
        #expect(try await target.read { try $0.archivedEvents(after: 0, limit: 10) } == archived)
        let report = try await target.verify(secrets: Self.secrets)
        #expect(report.problems == [] && report.events == 7 && report.archivedEvents == 4)
      }
    }
  }

  @Test func isInABackup() async throws {
    try await withSQLite { store, path async throws in
      try await VerificationTests.fill(store)
      _ = try await store.write { try $0.archiveEvents(through: 4) }
      try SQLiteFiles.backup(from: path, to: path + ".backup")
      try SQLiteFiles.restore(path + ".backup", to: path + ".restored", now: Fixture.now)
      let restored = try SQLiteStore(path: path + ".restored", logger: .silent)
      defer { restored.close() }
      let report = try await restored.verify(secrets: Self.secrets)
      #expect(report.problems == [] && report.archivedEvents == 4)
      #expect(try await restored.read { try $0.logBounds().oldest.seq } == 4)
    }
  }
}
