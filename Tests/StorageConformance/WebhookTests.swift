import Coordinator
import Domain
import Storage
import StoragePostgres
import StorageSQLite
import Testing

@Suite struct WebhookTests {
  @Test(arguments: Engine.allCases) func areKept(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let webhooks = ["w1", "w2", "w3"].map { Fixture.webhook($0) }
      try await store.write { tx in for webhook in webhooks { try tx.insert(webhook) } }
      #expect(try await store.read { try $0.webhook("w2") } == webhooks[1])
      #expect(try await store.read { try $0.webhook("w9") } == nil)
      #expect(try await store.read { try $0.webhooks(page: Page(limit: 2)).map(\.id) } == ["w3", "w2"])
      #expect(try await store.read { try $0.webhooks(page: Page(after: "w2", limit: 2)).map(\.id) } == ["w1"])
      #expect(try await store.write { try $0.removeWebhook("w2") })
      #expect(try await !store.write { try $0.removeWebhook("w2") })
      #expect(try await store.read { try $0.webhooks(page: Page()).count } == 2)
    }
  }

  @Test(arguments: Engine.allCases) func changesAreFenced(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let first = Fixture.webhook("w1")
      let changed = try await store.write { tx -> Webhook in
        try tx.insert(first)
        var changed = first
        changed.url = WebhookURL("https://other.example.vn/") ?? changed.url
        changed.facilities = ["38000"]
        changed.filter = EventFilter()
        changed.machine.stop(.stopped)
        try tx.update(&changed)
        return changed
      }
      #expect(changed.version == 2 && changed.progress == 2)
      #expect(try await store.read { try $0.webhook("w1") } == changed)
      await store.expectStale { tx in
        var old = first
        try tx.update(&old)
      }
      // A delivery that was recorded meanwhile is a change too.
      let recorded = try await store.write { tx -> Bool in
        var current = changed
        return try tx.keepProgress(of: &current)
      }
      #expect(recorded)
      await store.expectStale { tx in
        var old = changed
        try tx.update(&old)
      }
    }
  }

  @Test(arguments: Engine.allCases) func progressIsFenced(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let first = Fixture.webhook("w1")
      try await store.write { try $0.insert(first) }
      // Of many who have read the same row, one records.
      let kept = try await withThrowingTaskGroup(of: Webhook?.self) { group in
        for number in 0..<20 as Range<Int64> {
          group.addTask {
            try await store.write { tx -> Webhook? in
              var mine = first
              mine.version = 5
              mine.machine.delivered(
                to: Cursor(epoch: 1, seq: 3, chain: UInt64(number)), status: 200 + number, at: Fixture.now)
              mine.machine.failed(.tls, at: Fixture.now + .hours(1), chance: 0)
              return try tx.keepProgress(of: &mine) ? mine : nil
            }
          }
        }
        return try await group.reduce(into: [Webhook]()) { if let one = $1 { $0.append(one) } }
      }
      #expect(kept.count == 1)
      let row = try #require(try await store.read { try $0.webhook("w1") })
      #expect(row == kept.first && row.version == 5 && row.progress == 2)
      #expect(row.machine.lastError == .tls && row.machine.attempts == 1 && row.machine.lastStatus == nil)
      #expect(row.machine.failingSince == Fixture.now + .hours(1) && row.machine.nextAttemptAt != nil)
      #expect(row.machine.lastDeliveredAt == Fixture.now)
    }
  }

  @Test func aPauseOfANewerReleaseIsAPause() async throws {
    try await withSQLite { store, _ async throws in
      let first = Fixture.webhook("w1")
      try await store.write { try $0.insert(first) }
      try await store.run(SQL("UPDATE webhook SET state = 'paused', pause_reason = 'tired', last_error = 'bored'"))
      let row = try #require(try await store.read { try $0.webhook("w1") })
      #expect(row.machine.pause == .stopped && row.machine.lastError == nil)
    }
  }
}

@Suite struct LeaseTests {
  private static let name = "webhooks"

  @Test func nobodyElseIsAtAFile() async throws {
    try await withSQLite { store, _ async throws in #expect(try await store.read { $0.isServedAlone }) }
  }

  @Test func oneHoldsIt() async throws {
    try await withPostgres { store, _ async throws in
      func take(_ node: String, _ milliseconds: Int64 = 60_000) async throws -> Int64? {
        try await store.write { try $0.takeLease(Self.name, node: node, milliseconds: milliseconds) }
      }
      func renew(_ node: String, _ term: Int64) async throws -> Bool {
        try await store.write { try $0.renewLease(Self.name, node: node, term: term, milliseconds: 60_000) }
      }
      func isFree(_ node: String) async throws -> Bool {
        try await store.read { try $0.isLeaseFree(Self.name, for: node, milliseconds: 60_000) }
      }
      #expect(try await !store.read { $0.isServedAlone })
      #expect(try await isFree("a"))
      #expect(try await isFree("b"))
      #expect(try await take("a") == 1)
      #expect(try await take("b") == nil)
      #expect(try await isFree("a"))
      #expect(try await !isFree("b"))
      #expect(try await renew("a", 1))
      #expect(try await !renew("b", 1))
      #expect(try await !renew("a", 2))
      // Whoever comes again has a new term, and the old one ends.
      #expect(try await take("a") == 2)
      #expect(try await !renew("a", 1))
      // Only its holder gives it back.
      try await store.write { try $0.giveBackLease(Self.name, node: "b", term: 2) }
      #expect(try await take("b") == nil)
      try await store.write { try $0.giveBackLease(Self.name, node: "a", term: 2) }
      #expect(try await take("b", 1) == 3)
      // It ends by itself.
      while try await !isFree("a") { try await Task.sleep(for: .milliseconds(2)) }
      #expect(try await take("a") == 4)
      #expect(try await !renew("b", 3))
      // An end that no lease has: the database's clock was put back.
      #expect(try await store.read { try $0.isLeaseFree(Self.name, for: "b", milliseconds: 1_000) })
      #expect(try await store.write { try $0.takeLease(Self.name, node: "b", milliseconds: 1_000) } == 5)
    }
  }
}
