import Coordinator
import Domain
import Foundation
import Storage
import Testing

@testable import StoragePostgres

/// What only the engine for several nodes promises.
@Suite(.timeLimit(.minutes(10))) struct PostgresStoreTests {
  /// Without it every test of this engine would fail with the same words; here once in plain sight.
  @Test func theClusterIsThere() throws { _ = try Cluster.uri("postgres") }

  @Test func manyNodesStartAtOnce() async throws {
    try await withPostgresDatabase { settings async throws in
      let stores = try await withThrowingTaskGroup(of: PostgresStore.self) { group in
        for _ in 0..<5 { group.addTask { try PostgresStore(settings, logger: .silent) } }
        return try await group.reduce(into: [PostgresStore]()) { $0.append($1) }
      }
      defer { for store in stores { store.close() } }
      #expect(try await stores[0].count("SELECT count(*) FROM migration") == Int64(Migrations.all.count))
      let epochs = try await withThrowingTaskGroup(of: UInt64.self) { group in
        for store in stores { group.addTask { try await store.read { try $0.logBounds().epoch } } }
        return try await group.reduce(into: Set<UInt64>()) { $0.insert($1) }
      }
      #expect(epochs.count == 1)
    }
  }

  /// Many that wait are run in few transactions; one that waits for a lock keeps nobody but itself.
  @Test func groupsHoldNobodyUp() async throws {
    try await withPostgres { _, settings async throws in
      // However long the others take, the one that waits is not given up.
      var patient = settings
      patient.statementSeconds = 600
      let store = try PostgresStore(patient, logger: .silent)
      defer { store.close() }
      try await store.write { try $0.setMeta("locked", "0") }
      let other = try PostgresConnection(settings)
      try other.begin(SQL("BEGIN"))
      try other.run(SQL("UPDATE meta SET value = '1' WHERE name = 'locked'"), [])
      try await withThrowingTaskGroup(of: Int.self) { group in
        group.addTask {
          try await store.write { try $0.setMeta("locked", "2") }
          return -1
        }
        for job in 0..<200 {
          group.addTask {
            try await store.write { try $0.setMeta("job-\(job)", "done") }
            return job
          }
        }
        var finished: [Int] = []
        while finished.count < 200, let job = try await group.next() { finished.append(job) }
        #expect(!finished.contains(-1))
        try other.commit()
        #expect(try await group.next() == -1)
      }
      #expect(try await store.read { try $0.meta("locked") } == "2")
      let transactions = try #require(
        try await store.count(
          "SELECT count(DISTINCT xmin::text) FROM meta WHERE name LIKE 'job-%'"))
      #expect((1..<200).contains(transactions))
    }
  }

  private static let next = Migration(
    number: Int64(Migrations.all.count + 1), name: "next", script: "ALTER TABLE vehicle ADD COLUMN wheels BIGINT",
    neededBy: Int64(Migrations.all.count))

  /// During an upgrade the last release goes on beside the next, and can even be started again.
  @Test func twoReleasesSideBySide() async throws {
    try await withPostgres { store, settings async throws in
      let next = try PostgresStore(settings, logger: .silent, migrations: Migrations.all + [Self.next])
      defer { next.close() }
      try await store.write { try $0.save(Fixture.directory) }
      try await next.write { try $0.append(Fixture.draft(), at: Fixture.now) }
      let again = try PostgresStore(settings, logger: .silent)
      defer { again.close() }
      #expect(try await again.read { try $0.vehicles(page: Page()).count } == 1)
      // Once the next one has taken something away, the last one is refused.
      try await store.setNeeded(Self.next.number)
      #expect(throws: NewerSchema.self) { try PostgresStore(settings, logger: .silent) }
    }
  }

  /// A schema that was brought up step by step is the one that is made afresh.
  @Test func freshIsMigrated() async throws {
    func columns(_ settings: PostgresSettings) throws -> [String] {
      let connection = try PostgresConnection(settings)
      return try connection.rows(
        SQL(
          """
          SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' '
            || coalesce(collation_name, '')
          FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1
          """), []
      ) { $0.text(0) }
    }
    let fresh = try await withPostgres { _, settings in try columns(settings) }
    let stepwise = try await withPostgresDatabase { settings in
      for count in 1...Migrations.all.count {
        _ = try PostgresSchema.migrate(PostgresConnection(settings), Array(Migrations.all.prefix(count)))
      }
      return try columns(settings)
    }
    #expect(fresh == stepwise)
    // Texts are compared by their bytes, as the other engine does.
    #expect(fresh.filter { $0.contains(" text ") }.allSatisfy { $0.hasSuffix(" C") })
    let tables = Set(fresh.compactMap { $0.split(separator: ".").first.map(String.init) })
    #expect(tables == Set(Schema.tables + ["migration"]))
  }

  // MARK: Failures

  @Test func goesOnAfterEveryConnectionWasEnded() async throws {
    try await withPostgres { store, settings async throws in
      for value in 0..<5 {
        try PostgresStore.script(
          """
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()
          """, settings)
        try await store.write { try $0.setMeta("value", "\(value)") }
        #expect(try await store.read { try $0.meta("value") } == "\(value)")
      }
    }
  }

  @Test func saysWhenNobodyAnswers() throws {
    #expect(throws: DatabaseUnreachable.self) {
      try PostgresStore(PostgresSettings(uri: "postgres://nobody@127.0.0.1:1/none"), logger: .silent)
    }
  }

  /// The host that can write is found, wherever it stands in the list.
  @Test func severalHosts() async throws {
    try await withPostgresDatabase { settings async throws in
      let uri = settings.uri.replacing("@", with: "@127.0.0.1:1,")
      let store = try PostgresStore(PostgresSettings(uri: uri), logger: .silent)
      defer { store.close() }
      try await store.write { try $0.setMeta("a", "1") }
    }
  }

  @Test func givesUpWhatTakesTooLong() async throws {
    try await withPostgres { _, settings async throws in
      var hasty = settings
      hasty.statementSeconds = 1
      let store = try PostgresStore(hasty, logger: .silent)
      defer { store.close() }
      let lock = try PostgresConnection(settings)
      try lock.script("BEGIN; LOCK TABLE consult IN ACCESS EXCLUSIVE MODE")
      let failure = await #expect(throws: StoreFailure.self) { try await store.read { try $0.consult("x") } }
      #expect(failure?.kind == .slow)
      try lock.script("ROLLBACK")
      #expect(try await store.read { try $0.consult("x") } == nil)
    }
  }

  /// After there was no room for something, only what needs room tells that there is some again.
  @Test func looksForRoom() async throws {
    try await withPostgres { store, settings async throws in
      store.writers.noteFull()
      try await store.write { try $0.setMeta("small", "1") }
      #expect(store.writers.isFull)
      try await store.check()
      #expect(!store.writers.isFull)
      #expect(try await store.count("SELECT count(*) FROM pg_class WHERE relname = 'room'") == 0)
    }
  }

  /// Two that wait for each other: one is refused by the database, and runs again.
  @Test func aDeadlockIsRunAgain() async throws {
    try await withPostgres { store, settings async throws in
      try await store.write { tx in for name in ["a", "b"] { try tx.setMeta(name, "0") } }
      // Each at its own node: at one, they might be run as a group, one behind the other.
      let second = try PostgresStore(settings, logger: .silent)
      defer { second.close() }
      let reached = Counter()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (node, one, other) in [(store, "a", "b"), (second, "b", "a")] {
          group.addTask {
            let tries = Counter()
            try await node.write { tx in
              try tx.setMeta(one, one)
              // The row is held before the other is asked for: an answer was waited for.
              _ = try tx.meta(one)
              if tries.add() == 1 {
                reached.add()
                while reached.value < 2 { usleep(1_000) }
              }
              try tx.setMeta(other, one)
            }
          }
        }
        try await group.waitForAll()
      }
      let (a, b) = try await store.read { (try $0.meta("a"), try $0.meta("b")) }
      #expect(a == b)
    }
  }

  @Test func refusesAnotherTypeThanTheColumns() async throws {
    try await withPostgres { store, _ async throws in
      await #expect(throws: StoreFailure.self) {
        try await store.run(SQL("INSERT INTO setting (name, value) VALUES ('x', $1)"), values: [.text("1")])
      }
      try await store.run(SQL("INSERT INTO setting (name, value) VALUES ('x', $1)"), values: [.int(1)])
    }
  }

  // MARK: Nodes

  @Test func tellsTheOthers() async throws {
    try await withPostgres { first, settings async throws in
      let others = try (0..<2).map { _ in try PostgresStore(settings, logger: .silent) }
      defer { for other in others { other.close() } }
      var inboxes: [AsyncStream<(PeerMessage, String)>.Iterator] = []
      for node in [first] + others {
        let (stream, inbox) = AsyncStream.makeStream(of: (PeerMessage, String).self)
        node.peers.onMessage { inbox.yield(($0, $1)) }
        inboxes.append(stream.makeAsyncIterator())
      }
      // Each listens: a link that was just made says so by a change.
      for node in [first] + others { try await node.awaitLink(from: first === node ? others[0] : first, settings) }
      let large = JSON.string(String(repeating: "ệ\n", count: 20_000))
      let toAll = [PeerMessage(.signInFailed, ["name": "x"]), PeerMessage(.call, large), PeerMessage(.call, "small")]
      for message in toAll { first.peers.tell(message, to: nil) }
      first.peers.tell(PeerMessage(.call, "yours"), to: others[1].peers.node)
      // Hints come a little later, and each once.
      for message in [PeerMessage(.busy, ["p1"]), PeerMessage(.sessions), PeerMessage(.busy, ["p1"])] {
        first.peers.tell(message, to: nil)
      }
      let hints = [PeerMessage(.busy, ["p1"]), PeerMessage(.sessions)]
      for index in 1...2 {
        for expected in toAll + (index == 2 ? [PeerMessage(.call, "yours")] : []) + hints {
          var found: (PeerMessage, String)?
          repeat { found = await inboxes[index].next() } while found?.0.kind == .volatile
          #expect(found?.0 == expected && found?.1 == first.peers.node)
        }
      }
    }
  }

  @Test func theRegistryKnowsWhoServes() async throws {
    try await withPostgres { store, settings async throws in
      store.peers.register(address: "127.0.0.1:1", version: "test")
      while try await store.count("SELECT count(*) FROM node") == 0 { await Task.yield() }
      #expect(throws: StoreFailure.self) { try PostgresStore.remove(settings) }
      store.close()
      try PostgresStore.remove(settings)
      #expect(throws: (any Error).self) { try PostgresStore.script("SELECT 1 FROM consult", settings) }
    }
  }
}

extension PostgresStore {
  /// Comes back when this node hears the other: says something over and over until it is heard.
  fileprivate func awaitLink(from other: PostgresStore, _ settings: PostgresSettings) async throws {
    let heard = Counter()
    peers.onMessage { message, from in if message.kind == .volatile, from == other.peers.node { heard.add() } }
    while heard.value == 0 {
      other.peers.tell(PeerMessage(.volatile, "hello"), to: peers.node)
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
