import Coordinator
import Domain
import Foundation
import Storage
import Synchronization
import Testing

@testable import StoragePostgres

/// Numbers without a gap, whoever writes, fails, dies or sleeps.
@Suite(.timeLimit(.minutes(10))) struct SequencerTests {
  /// What a writer was told of its event.
  private enum Outcome { case kept, refused, unknown }

  /// 64 writers on three nodes, a third of whom roll back, while connections and leaders are ended at random; eight
  /// readers follow the log on whichever node.
  @Test func nothingIsLostDoubledOrReordered() async throws {
    try await withPostgres { first, settings async throws in
      let nodes = [first] + (try (0..<2).map { _ in try PostgresStore(settings, logger: .silent) })
      defer { for node in nodes { node.close() } }
      let (writers, rounds) = (64, 12)
      let load = Load()
      let killing = Task { await Self.endConnections(settings, during: load) }
      let followers = (0..<8).map { _ in Task { await Self.follow(nodes, during: load) } }
      await withTaskGroup(of: Void.self) { group in
        for writer in 0..<writers {
          group.addTask {
            for round in 0..<rounds {
              let outcome = await Self.write(nodes[(writer + round) % nodes.count], writer, round)
              load.outcomes.withLock { $0["\(writer)/\(round)"] = outcome }
            }
          }
        }
      }
      load.isOver.add()
      await killing.value
      try await Self.settled(first)

      let all = try await first.read { try $0.events(after: 0, limit: 10_000) }
      #expect(all.map(\.seq) == Array(1...Int64(all.count)))
      #expect(try await first.verify(secrets: Secrets(key: [1])).isSound)
      let counts = Dictionary(all.map { ($0.actor, 1) }, uniquingKeysWith: +)
      for (name, outcome) in load.outcomes.withLock({ $0 }) {
        switch outcome {
        case .kept: #expect(counts[name] == 1, "\(name)")
        case .refused: #expect(counts[name] == nil, "\(name)")
        case .unknown: #expect(counts[name, default: 1] == 1, "\(name)")
        }
      }
      // Each writer's own events stand in the order in which it wrote them.
      for writer in 0..<writers {
        let own = all.filter { $0.subject == "consults/\(writer)" }
        let rounds = own.compactMap { $0.actor.split(separator: "/").last.flatMap { Int($0) } }
        #expect(rounds == rounds.sorted())
      }
      for follower in followers {
        let log = await follower.value
        #expect(log == Array(all.prefix(log.count)) && !log.isEmpty)
      }
      #expect(try await first.count("SELECT count(*) FROM event_outbox") == 0)
    }
  }

  private struct RolledBack: Error {}

  private final class Load: Sendable {
    let isOver = Counter()
    let outcomes = Mutex<[String: Outcome]>([:])
  }

  private static func write(_ node: PostgresStore, _ writer: Int, _ round: Int) async -> Outcome {
    do {
      try await node.write { tx in
        var draft = Fixture.draft(.consultRequested, "consults/\(writer)")
        draft.actor = "\(writer)/\(round)"
        try tx.append(draft, at: Fixture.now)
        if (writer + round) % 3 == 0 { throw RolledBack() }
      }
      return .kept
    } catch is RolledBack {
      return .refused
    } catch {
      return .unknown
    }
  }

  /// Ends some connection now and then, and every other time the leader's.
  private static func endConnections(_ settings: PostgresSettings, during load: Load) async {
    var turn = 0
    while load.isOver.value == 0 {
      turn += 1
      let whom = turn % 2 == 0 ? "state = 'idle in transaction' OR query LIKE '%lease%'" : "true"
      try? PostgresStore.script(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND (\(whom)) ORDER BY random() LIMIT 2
        """, settings)
      try? await Task.sleep(for: .milliseconds(30))
    }
  }

  /// The last connections were ended a moment ago: for as long as the store takes that for an outage, it refuses.
  private static func settled(_ store: PostgresStore) async throws {
    while true {
      do { return try await SettledStore(store).settle() } catch is StoreFailure {
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }

  private static func follow(_ nodes: [PostgresStore], during load: Load) async -> [EventRecord] {
    var log: [EventRecord] = []
    // On a busy machine all may have been written before its first turn.
    while load.isOver.value == 0 || log.isEmpty {
      let after = log.last?.seq ?? 0
      guard let node = nodes.randomElement() else { break }
      if let page = try? await node.read({ try $0.events(after: after, limit: 50) }) { log += page }
      await Task.yield()
    }
    return log
  }

  /// A leader that slept while another took the lease writes nothing more.
  @Test func aLeaderThatSleptTooLongNumbersNothing() async throws {
    try await withPostgresDatabase { settings async throws in
      let connection = try PostgresConnection(settings)
      _ = try PostgresSchema.migrate(connection)
      let slept = try #require(try Leader(try PostgresConnection(settings), node: "a"))
      #expect(try Leader(connection, node: "b") == nil)
      try PostgresStore.script("UPDATE lease SET until_at = 0", settings)
      let next = try #require(try Leader(try PostgresConnection(settings), node: "b"))
      #expect(next.term == slept.term + 1)
      try Self.appendToOutbox(connection, count: 3)
      #expect(throws: LeaseLost.self) { try slept.number() }
      #expect(try next.number().events.count == 3)
      #expect(throws: LeaseLost.self) { try slept.number() }
      #expect(try SQLTransaction(connection).logHead().seq == 3)
      // Whoever resigns lets the next begin at once.
      try next.resign()
      let third = try #require(try Leader(try PostgresConnection(settings), node: "c"))
      #expect(third.term == next.term + 1)
      try Self.appendToOutbox(connection, count: 1)
      #expect(try third.number().events.count == 1)
      #expect(try SQLTransaction(connection).logHead().seq == 4)
    }
  }

  private static func appendToOutbox(_ connection: PostgresConnection, count: Int) throws {
    let tables = SQLTransaction(connection)
    for _ in 0..<count { try tables.append(Fixture.draft(), at: Fixture.now) }
    // Waits for the answers.
    _ = try connection.rows(SQL("SELECT 1"), []) { $0.int(0) }
  }

  /// More than a batch, in one transaction.
  @Test func manyAtOnce() async throws {
    try await withPostgres { store, _ async throws in
      let count = Limits.sequencedBatch * 2 + 7
      try await store.write { tx in for _ in 0..<count { try tx.append(Fixture.draft(), at: Fixture.now) } }
      try await SettledStore(store).settle()
      #expect(try await store.read { try $0.logBounds().head.seq } == Int64(count))
      #expect(try await store.verify(secrets: Secrets(key: [1])).isSound)
    }
  }

  /// When the leading node stops, another leads, and those who wait are woken.
  @Test func theNextLeads() async throws {
    try await withPostgres { first, settings async throws in
      let second = try PostgresStore(settings, logger: .silent)
      defer { second.close() }
      let (logged, told) = AsyncStream.makeStream(of: Void.self)
      second.onChange { if case .logged = $0 { told.yield() } }
      first.close()
      try await second.write { try $0.append(Fixture.draft(), at: Fixture.now) }
      for await _ in logged where try await second.read({ try $0.logBounds().head.seq }) == 1 { break }
    }
  }
}

extension PostgresStore {
  func count(_ text: StaticString) async throws -> Int64? {
    let sql = SQL(text)
    return try await read { transaction in
      try (transaction as? SQLTransaction)?.connection.first(sql, []) { $0.int(0) }
    }
  }
}
