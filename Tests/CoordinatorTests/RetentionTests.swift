import Coordinator
import Domain
import Storage
import Testing

/// The log within its bounds, and what is said to who comes from before them.
@Suite struct RetentionTests {
  private func fill(_ world: World, _ count: Int) async throws {
    let now = world.clock.now
    try await world.store.write { tx in
      for index in 0..<count {
        try tx.append(
          EventDraft(
            type: .consultRequested, subject: "consults/c\(index)", facilities: ["38001"], specialty: .cardiology,
            actor: "p", data: EventData()), at: now)
      }
    }
  }

  private func cursor(_ world: World, _ seq: Int64) async throws -> Cursor {
    let epoch = try await world.coordinator.logBounds().epoch
    let event = try #require(try await world.store.read { try $0.event(seq: seq) })
    return Cursor(epoch: epoch, seq: seq, chain: event.chain)
  }

  private func gap(_ world: World, after cursor: String) async throws -> Rejection? {
    await #expect(throws: Rejection.self) {
      try await world.coordinator.eventPage(Call(world.monitor), after: cursor, filter: EventFilter(), limit: 10)
    }
  }

  /// As often as there is something to do; how many events went each time.
  private func cut(_ world: World, _ retention: EventRetention) async throws -> [Int] {
    var counts: [Int] = []
    while let done = try await world.coordinator.cutLog(retention) { counts.append(done.count) }
    return counts
  }

  @Test func byNumberInShortTransactions() async throws {
    try await withWorld { world async throws in
      try await fill(world, 1_200)
      #expect(try await cut(world, EventRetention(count: 1_200)) == [])
      #expect(try await cut(world, EventRetention(count: 100)) == [500, 500, 100])
      #expect(try await world.events().map(\.seq) == Array(1_101...1_200))
      #expect(try await cut(world, EventRetention(count: 100)) == [])
      try await fill(world, 3)
      #expect(try await cut(world, EventRetention(count: 100)) == [3])
      let report = try await world.store.verify(secrets: World.secrets)
      #expect(report.problems == [] && report.events == 1_203 && report.archivedEvents == 1_103)
    }
  }

  @Test func byAge() async throws {
    try await withWorld { world async throws in
      try await fill(world, 3)
      world.clock.move(by: .days(300))
      try await fill(world, 2)
      let year = EventRetention(age: .days(366))
      #expect(try await cut(world, year) == [])
      world.clock.move(by: .days(66))
      #expect(try await cut(world, year) == [3])
      // However old it is, the newest stays.
      world.clock.move(by: .days(4_000))
      #expect(try await cut(world, year) == [1])
      #expect(try await world.events().map(\.seq) == [5])
      try await fill(world, 1)
      #expect(try await world.store.verify(secrets: World.secrets).problems == [])
    }
  }

  @Test func cursorsFromBeforeAreTooOld() async throws {
    try await withWorld { world async throws in
      try await fill(world, 10)
      let bounds = try await world.coordinator.logBounds()
      let (third, fourth, fifth) = (try await cursor(world, 3), try await cursor(world, 4), try await cursor(world, 5))
      _ = try await cut(world, EventRetention(count: 6))
      let cutBounds = try await world.coordinator.logBounds()
      #expect(cutBounds.oldest == fourth && cutBounds.head == bounds.head)
      for old in [bounds.oldest, third] {
        let refusal = try await gap(world, after: old.text)
        #expect(refusal?.code == .cursorGap && refusal?.extra["reason"]?.string == "too-old")
        #expect(refusal?.extra["oldest"]?.string == fourth.text && refusal?.extra["head"]?.string == bounds.head.text)
        let behind = try await world.coordinator.events(behind: old, limit: 10)
        #expect(behind.verdict == .gap(.tooOld) && behind.events.isEmpty)
      }
      // A made-up one at the border is of another log.
      var wrong = fourth
      wrong.chain ^= 1
      #expect(try await gap(world, after: wrong.text)?.extra["reason"]?.string == "epoch-changed")
      for (after, first) in [("oldest", 5), (fourth.text, 5), (fifth.text, 6)] {
        let page = try await world.coordinator.eventPage(
          Call(world.monitor), after: after, filter: EventFilter(), limit: 100)
        #expect(page.items.count == 11 - first)
        #expect(page.items.first?["event"]?["sequence"]?.string == "00000000000\(first)")
        #expect(page.json["oldest"]?.string == fourth.text)
      }
    }
  }

  /// Who reads the log in pages meets the cut as an error, never as a jump.
  @Test func aPageNeverJumps() async throws {
    try await withWorld { world async throws in
      try await fill(world, 10)
      _ = try await cut(world, EventRetention(count: 6))
      for seq in Int64(0)...3 {
        let cut = await #expect(throws: LogCut.self) { try await world.coordinator.events(after: seq, limit: 3) }
        #expect(cut?.bounds.oldest.seq == 4)
      }
      #expect(try await world.coordinator.events(after: 4, limit: 3).map(\.seq) == [5, 6, 7])
      #expect(try await world.coordinator.events(after: 10, limit: 3).isEmpty)
    }
  }
}
