import Coordinator
import Domain
import Storage
import Testing

@Suite struct EventPageTests {
  private func fill(_ world: World, _ count: Int, station: String = "38001", specialty: Specialty = .cardiology)
    async throws
  {
    try await world.store.write { tx in
      for index in 0..<count {
        var data = EventData()
        data.consultId = "c\(index)"
        try tx.append(
          EventDraft(
            type: index % 2 == 0 ? .consultRequested : .consultStarted, subject: "consults/c\(index)",
            facilities: [station], specialty: specialty, actor: "p", data: data), at: World.now)
      }
    }
  }

  private func page(
    _ world: World, _ caller: Caller? = nil, after: String? = "oldest", filter: EventFilter = EventFilter(),
    limit: Int = 100
  ) async throws -> (seqs: [Int], json: JSON) {
    let json = try await world.coordinator.eventPage(
      Call(caller ?? world.monitor), after: after, filter: filter, limit: limit
    )
    .json
    let items = json["items"]?.array ?? []
    for item in items { #expect(item["cursor"]?.string.flatMap(Cursor.init) != nil) }
    return (items.compactMap { $0["event"]?["sequence"]?.string.flatMap { Int($0) } }, json)
  }

  private func gap(_ world: World, _ after: String) async throws -> Rejection? {
    await #expect(throws: Rejection.self) { try await page(world, after: after) }
  }

  @Test func anEmptyLog() async throws {
    try await withWorld { world async throws in
      let (seqs, json) = try await page(world)
      #expect(seqs.isEmpty && json["next"] == nil)
      #expect(json["cursor"] == json["oldest"] && json["cursor"] == json["head"])
      // The position that it gives is served.
      try await fill(world, 2)
      #expect(try await page(world, after: json["cursor"]?.string).seqs == [1, 2])
    }
  }

  @Test(arguments: [1, 2, 3, 7, 8])
  func eachEventOnceInOrder(limit: Int) async throws {
    try await withWorld { world async throws in
      try await fill(world, 7)
      var (seen, after): ([Int], String?) = ([], "oldest")
      repeat {
        let (seqs, json) = try await page(world, after: after, limit: limit)
        #expect(seqs.count <= limit)
        seen += seqs
        after = json["next"]?.string
        if after == nil { #expect(json["cursor"] == json["head"]) }
      } while after != nil
      #expect(seen == Array(1...7))
    }
  }

  @Test func everyCursorLeadsBehindItsEvent() async throws {
    try await withWorld { world async throws in
      try await fill(world, 5)
      let items = try #require(try await page(world).json["items"]?.array)
      for (index, item) in items.enumerated() {
        let seqs = try await page(world, after: item["cursor"]?.string).seqs
        #expect(seqs == Array((index + 2)..<6))
      }
      // At the head: nothing, and no next; the same position again.
      let head = try await page(world).json["head"]?.string
      let (seqs, json) = try await page(world, after: head)
      #expect(seqs.isEmpty && json["next"] == nil && json["cursor"]?.string == head)
    }
  }

  @Test func isAsWasAppended() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let item = try #require(try await page(world).json["items"]?.array?.first)
      let event = try #require(item["event"])
      #expect(event["specversion"] == "1.0" && event["type"] == "consult.requested")
      #expect(event["source"] == "/facilities/38001" && event["subject"]?.string == "consults/" + id)
      #expect(event["sequence"] == "000000000001" && event["time"]?.string == World.now.text)
      #expect(event["data"]?["stationId"] == "38001")
    }
  }

  // MARK: Filters and sight

  @Test func filters() async throws {
    try await withWorld { world async throws in
      try await fill(world, 4)
      try await fill(world, 2, station: "38002", specialty: .neurology)
      #expect(try await page(world, filter: EventFilter(types: ["*.requested"])).seqs == [1, 3, 5])
      #expect(try await page(world, filter: EventFilter(facilities: ["38002"])).seqs == [5, 6])
      #expect(try await page(world, filter: EventFilter(specialties: ["cardiology"])).seqs == [1, 2, 3, 4])
      #expect(try await page(world, filter: EventFilter(subjects: ["consults/c1"])).seqs == [2, 6])
      // A filter that matches nothing still comes to the head.
      let (none, json) = try await page(world, filter: EventFilter(types: ["trip.*"]))
      #expect(none.isEmpty && json["next"] == nil && json["cursor"] == json["head"])
    }
  }

  @Test func everybodySeesTheirOwn() async throws {
    try await withWorld { world async throws in
      try await fill(world, 2)
      try await fill(world, 2, station: "40001")
      #expect(try await page(world, world.monitor).seqs == [1, 2])
      #expect(try await page(world, world.foreigner).seqs == [3, 4])
      #expect(try await page(world, world.admin).seqs == [1, 2, 3, 4])
      #expect(try await page(world, world.otherStation).seqs == [])
      // Unassigned consults of the specialty, wherever they are asked; not what became of others.
      #expect(try await page(world, world.specialist).seqs == [1, 3])
      #expect(try await page(world, world.neurologist).seqs == [])
      let refusal = await #expect(throws: Rejection.self) { try await page(world, world.nobody) }
      #expect(refusal?.code == .forbidden)
    }
  }

  /// One call does bounded work; a rare event far away is reached page by page, never skipped.
  @Test func aRareEventIsReached() async throws {
    try await withWorld { world async throws in
      let scanned = Limits.scannedPages * Limits.replayPage
      try await fill(world, scanned + 700)
      try await fill(world, 1, station: "38002")
      var (seen, after, calls): ([Int], String?, Int) = ([], "oldest", 0)
      repeat {
        let (seqs, json) = try await page(world, after: after, filter: EventFilter(facilities: ["38002"]))
        seen += seqs
        after = json["next"]?.string
        calls += 1
      } while after != nil
      #expect(seen == [scanned + 701])
      #expect(calls == 2)
    }
  }

  // MARK: Cursors that cannot be served

  @Test(arguments: ["", "x", "now", "newest", String(repeating: "A", count: 33), "ÿ"])
  func refusesWhatIsNoCursor(text: String) async throws {
    try await withWorld { world async throws in
      #expect(try await gap(world, text)?.code == .invalid)
    }
  }

  @Test func gaps() async throws {
    try await withWorld { world async throws in
      try await fill(world, 3)
      let bounds = try await world.coordinator.logBounds()
      let second = try #require(try await world.events().dropFirst().first)
      let good = Cursor(epoch: bounds.epoch, seq: 2, chain: second.chain)
      #expect(try await page(world, after: good.text).seqs == [3])
      var cases: [(Cursor, String)] = []
      for (change, reason) in [
        ({ $0.epoch ^= 1 }, "epoch-changed"), ({ $0.chain ^= 1 }, "epoch-changed"), ({ $0.seq = 3 }, "epoch-changed"),
        ({ $0.seq = 0 }, "epoch-changed"), ({ $0.seq = 4 }, "ahead"), ({ $0.seq = .max }, "ahead"),
      ] as [((inout Cursor) -> Void, String)] {
        var cursor = good
        change(&cursor)
        cases.append((cursor, reason))
      }
      for (cursor, reason) in cases {
        let refusal = try await gap(world, cursor.text)
        #expect(refusal?.code == .cursorGap)
        #expect(refusal?.extra["reason"]?.string == reason)
        #expect(refusal?.extra["oldest"]?.string == bounds.oldest.text)
        #expect(refusal?.extra["head"]?.string == bounds.head.text)
      }
    }
  }

  /// A database that was rewound and went another way is noticed though the numbers fit.
  @Test func aRewoundDatabaseIsNoticed() async throws {
    try await withWorld { world async throws in
      try await fill(world, 3)
      let head = try await world.coordinator.logBounds().head
      try await world.store.write { transaction in
        try (transaction as? SQLTransaction)?.connection.script("DELETE FROM event WHERE seq = 3")
      }
      #expect(try await gap(world, head.text)?.extra["reason"] == "ahead")
      try await fill(world, 1, station: "38002")
      #expect(try await gap(world, head.text)?.extra["reason"] == "epoch-changed")
      try await world.store.write { try ($0 as? SQLTransaction)?.renewEpoch() }
      #expect(try await gap(world, head.text)?.extra["reason"] == "epoch-changed")
    }
  }

  /// Who looks again and again is told when the log is another one meanwhile.
  @Test func whatStandsBehindACursor() async throws {
    try await withWorld { world async throws in
      try await fill(world, 3)
      let bounds = try await world.coordinator.logBounds()
      let (verdict, _, events) = try await world.coordinator.events(behind: bounds.oldest, limit: 2)
      #expect(verdict == .serve(after: 0) && events.map(\.seq) == [1, 2])
      let last = try await world.coordinator.events(behind: bounds.head, limit: 2)
      #expect(last.verdict == .serve(after: 3) && last.events.isEmpty && last.bounds == bounds)
      try await world.store.write { try ($0 as? SQLTransaction)?.renewEpoch() }
      let other = try await world.coordinator.events(behind: bounds.head, limit: 2)
      #expect(other.verdict == .gap(.epochChanged) && other.events.isEmpty && other.bounds.head.seq == 3)
    }
  }

  @Test func noCursorIsFromNowOnForTheFeed() async throws {
    try await withWorld { world async throws in
      try await fill(world, 3)
      #expect(try await world.coordinator.resolve(nil).verdict == .serve(after: 3))
      #expect(try await world.coordinator.resolve("oldest").verdict == .serve(after: 0))
    }
  }
}
