import Coordinator
import Domain
import Storage
import Testing

@Suite struct EventTests {
  @Test(arguments: Engine.allCases) func appends(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let empty = try await store.read { try $0.logBounds() }
      #expect(empty.oldest == empty.head)
      #expect(empty.head.seq == 0)
      let drafts = [Fixture.draft(), Fixture.draft(.tripRequested, "trips/t")]
      try await store.write { tx in for draft in drafts { try tx.append(draft, at: Fixture.now) } }
      let events = try await store.read { try $0.events(after: 0, limit: 10) }
      #expect(events.map(\.seq) == [1, 2])
      for (event, draft) in zip(events, drafts) {
        #expect(event.type == draft.type.rawValue && event.subject == draft.subject)
        #expect(event.facilities == draft.facilities && event.specialty == draft.specialty?.rawValue)
        #expect(event.actor == draft.actor && event.data == draft.data.text && event.time == Fixture.now)
        #expect(UUIDv7.isUUID(event.id))
      }
      let bounds = try await store.read { try $0.logBounds() }
      #expect(bounds.head == Cursor(epoch: empty.epoch, seq: 2, chain: events[1].chain))
      #expect(bounds.oldest == empty.oldest)
      #expect(try await store.read { try $0.event(seq: 2) } == events[1])
      #expect(try await store.read { try $0.event(seq: 3) } == nil)
    }
  }

  @Test(arguments: Engine.allCases) func anEventWithoutFacilitiesOrSpecialty(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let draft = EventDraft(
        type: .scheduleChanged, subject: "practitioners/x", facilities: [], specialty: nil, actor: "system",
        data: EventData())
      try await store.write { try $0.append(draft, at: Fixture.now) }
      let event = try #require(try await store.read { try $0.event(seq: 1) })
      #expect(event.facilities.isEmpty && event.specialty == nil && event.data == "{}")
      try await Self.expectChained(store, count: 1)
    }
  }

  /// Every event's chain follows from the one before it and from what the row says now.
  private static func expectChained(_ store: any Store, count: Int) async throws {
    let events = try await store.read { try $0.events(after: 0, limit: count + 1) }
    #expect(events.map(\.seq) == Array(1...Int64(count)))
    var chain = [UInt8](repeating: 0, count: 32)
    for event in events {
      chain = Secrets.sha256(chain + event.canonicalBytes)
      #expect(event.chain == chain)
    }
  }

  @Test func theChainIsSHA256() {
    #expect(
      Secrets.hex(Secrets.sha256(Array("abc".utf8)))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(SQLTransaction.chain(after: [1, 2], [3]) == Secrets.sha256([1, 2, 3]))
  }

  /// Three hundred writers at once, every third of which fails after it appended: numbers without a gap.
  @Test(arguments: Engine.allCases) func gaplessAcrossWritersAndFailures(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      struct Failed: Error {}
      let kept = try await withThrowingTaskGroup(of: Int.self) { group in
        for writer in 0..<300 {
          group.addTask {
            do {
              try await store.write { tx in
                for _ in 0...writer % 3 {
                  try tx.append(Fixture.draft(.consultRequested, "consults/\(writer)"), at: Fixture.now)
                }
                if writer % 3 == 0 { throw Failed() }
              }
              return writer % 3 + 1
            } catch is Failed { return 0 }
          }
        }
        return try await group.reduce(0, +)
      }
      #expect(kept == 500)
      try await Self.expectChained(store, count: kept)
      // One writer's events stand together; of several, each subject's stay in their order.
      guard engine == .sqlite else { return }
      let events = try await store.read { try $0.events(after: 0, limit: kept) }
      var runs: [String] = []
      for event in events where runs.last != event.subject { runs.append(event.subject) }
      #expect(runs.count == 200 && Set(runs).count == 200)
    }
  }

  @Test(arguments: Engine.allCases) func pages(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.write { tx in for _ in 0..<25 { try tx.append(Fixture.draft(), at: Fixture.now) } }
      var seqs: [Int64] = []
      while true {
        let page = try await store.read { [after = seqs.last ?? 0] in try $0.events(after: after, limit: 10) }
        seqs += page.map(\.seq)
        if page.count < 10 { break }
      }
      #expect(seqs == Array(1...25))
      #expect(try await store.read { try $0.events(after: 25, limit: 10) }.isEmpty)
    }
  }

  // MARK: Access log

  @Test(arguments: Engine.allCases) func oneRowPerPersonRecordActionAndFiveMinutes(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      // 08:00:00 begins a bucket.
      let times: [Int64] = [0, 1, 299_999, 300_000]
      for time in times {
        try await store.write { try $0.log([Fixture.access(at: Fixture.now + .milliseconds(time))]) }
      }
      var signIn = Fixture.access()
      signIn.action = "sign-in"
      let others = [Fixture.access("p2"), Fixture.access("p1", "consults/d"), signIn, Fixture.access()]
      #expect(try await store.read { try $0.unlogged(others) } == Array(others.prefix(3)))
      try await store.write { try $0.log(others) }
      #expect(try await store.int(SQL("SELECT count(*) FROM access_log")) == 5)
      #expect(try await store.read { try $0.unlogged(others) }.isEmpty)
    }
  }

  @Test(arguments: Engine.allCases) func aBatchWithTheSameEntryTwice(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.write { try $0.log([Fixture.access(), Fixture.access()]) }
      #expect(try await store.int(SQL("SELECT count(*) FROM access_log")) == 1)
    }
  }

  @Test(arguments: Engine.allCases) func theAccessLogIsChained(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for reader in 0..<50 {
          group.addTask {
            try await store.write {
              try $0.log([Fixture.access("p\(reader % 25)", facility: reader % 2 == 0 ? nil : "38001")])
            }
          }
        }
        try await group.waitForAll()
      }
      let rows = try await store.read { try $0.accessChain(after: 0, limit: 100) }
      #expect(rows.map(\.entry.seq) == Array(1...25))
      var chain = [UInt8](repeating: 0, count: 32)
      for row in rows {
        chain = Secrets.sha256(chain + SQLTransaction.canonical(row.entry, row.bucket))
        #expect(row.chain == chain)
      }
      #expect(try await store.read { try $0.accessChain(after: 20, limit: 2).map(\.entry.seq) } == [21, 22])
    }
  }

  @Test(arguments: Engine.allCases) func anAuditorsList(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let entries = [
        Fixture.access("p1", "consults/a"), Fixture.access("p2", "consults/a", facility: "38002"),
        Fixture.access("p1", "consults/b", facility: nil), Fixture.access("p1", "consults/c", facility: "38_01"),
      ]
      try await store.write { try $0.log(entries) }
      func list(
        _ facilities: Set<String>, person: String? = nil, subject: String? = nil, page: Page = Page()
      ) async throws -> [Int64] {
        try await store.read {
          try $0.accessLog(person: person, subject: subject, facilities: facilities, page: page).map(\.seq)
        }
      }
      // Newest first; what names no facility is everybody's. A code is matched as it is, not as a pattern.
      #expect(try await list(["38001"]) == [3, 1])
      #expect(try await list(["38001", "38002"]) == [3, 2, 1])
      #expect(try await list([]) == [3])
      #expect(try await list(["38001", "38002"], person: "p1") == [3, 1])
      #expect(try await list(["38001", "38002"], subject: "consults/a") == [2, 1])
      #expect(try await list(["38001", "38002"], page: Page(limit: 1)) == [3])
      #expect(try await list(["38001", "38002"], page: Page(after: "3", limit: 1)) == [2])
    }
  }
}
