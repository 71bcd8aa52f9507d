import Coordinator
import Domain
import Storage
import Testing

@Suite struct ClaimTests {
  private static let cells: Range<Int64> = 100..<106

  private static func claim(
    _ store: any Store, _ holder: String, _ cells: Range<Int64> = cells, resource: String = "bs-01",
    expiresAt: Instant? = nil, now: Instant = Fixture.now
  ) async throws -> Int {
    do {
      try await store.write { tx in
        try tx.claim(
          resource: resource, cells: cells, holder: holder, kind: "appointment", expiresAt: expiresAt, now: now,
          otherwise: Lost())
        try tx.setMeta("claimed by", holder)
      }
      return cells.count
    } catch is Lost {
      // Nothing of the transaction is left.
      #expect(try await store.read { try $0.meta("claimed by") } != holder)
      return 0
    }
  }

  private static func taken(_ store: any Store, now: Instant = Fixture.now) async throws -> [Int64] {
    try await store.read { try $0.takenCells(resource: "bs-01", in: 0..<1_000_000, now: now) }
  }

  @Test(arguments: Engine.allCases) func takes(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      #expect(try await Self.claim(store, "a") == 6)
      #expect(try await Self.taken(store) == Array(Self.cells))
      // Another resource has its own time.
      #expect(try await Self.claim(store, "b", resource: "bs-02") == 6)
    }
  }

  @Test(arguments: Engine.allCases) func refusesAnothers(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      _ = try await Self.claim(store, "a")
      #expect(try await Self.claim(store, "b") == 0)
      #expect(try await Self.taken(store) == Array(Self.cells))
      // It is still a's: freeing b's frees nothing.
      try await store.write { try $0.free(holder: "b", keeping: nil) }
      #expect(try await Self.taken(store) == Array(Self.cells))
    }
  }

  @Test(arguments: Engine.allCases) func aPartialOverlapTakesNothing(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      _ = try await Self.claim(store, "a")
      #expect(try await Self.claim(store, "b", 104..<110) == 0)
      #expect(try await Self.claim(store, "c", 96..<101) == 0)
      #expect(try await Self.taken(store) == Array(Self.cells))
    }
  }

  @Test(arguments: Engine.allCases) func takesItsOwnAgain(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      _ = try await Self.claim(store, "a")
      #expect(try await Self.claim(store, "a", 103..<109) == 6)
      #expect(try await Self.taken(store) == Array(100..<109))
    }
  }

  @Test(arguments: Engine.allCases) func takesWhatHasExpired(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let until = Fixture.now + .minutes(2)
      _ = try await Self.claim(store, "hold", expiresAt: until)
      #expect(try await Self.claim(store, "b", now: until - .milliseconds(1)) == 0)
      #expect(try await Self.taken(store, now: until - .milliseconds(1)).count == 6)
      #expect(try await Self.taken(store, now: until).isEmpty)
      #expect(try await Self.claim(store, "b", now: until) == 6)
      // It is b's for good now.
      #expect(try await Self.taken(store, now: until + .days(1000)).count == 6)
      #expect(try await Self.claim(store, "hold", now: until + .days(1000)) == 0)
    }
  }

  @Test(arguments: Engine.allCases) func anEmptyRangeClaimsNothing(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      #expect(try await Self.claim(store, "a", 100..<100) == 0)
      #expect(try await Self.taken(store).isEmpty)
    }
  }

  @Test(arguments: Engine.allCases) func freesAllButWhatIsKept(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      _ = try await Self.claim(store, "a")
      _ = try await Self.claim(store, "a", resource: "room")
      _ = try await Self.claim(store, "b", 200..<203)
      try await store.write { try $0.free(holder: "a", keeping: ("bs-01", 104..<108)) }
      #expect(try await Self.taken(store) == [104, 105, 200, 201, 202])
      let room = try await store.read { try $0.takenCells(resource: "room", in: 0..<1000, now: Fixture.now) }
      #expect(room.isEmpty)
      try await store.write { try $0.free(holder: "a", keeping: nil) }
      #expect(try await Self.taken(store) == [200, 201, 202])
    }
  }

  @Test(arguments: Engine.allCases) func takenCellsAreThoseOfTheWindowInOrder(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      for first in [300, 100, 200] as [Int64] { _ = try await Self.claim(store, "h\(first)", first..<first + 2) }
      let taken = try await store.read { try $0.takenCells(resource: "bs-01", in: 101..<300, now: Fixture.now) }
      #expect(taken == [101, 200, 201])
    }
  }

  @Test(arguments: Engine.allCases) func twoHundredRacersHaveOneWinner(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let winners = try await withThrowingTaskGroup(of: String?.self) { group in
        for racer in 0..<200 {
          group.addTask {
            try await store.write { tx -> String? in
              let holder = "racer-\(racer)"
              // Overlapping, not equal: each wants its own stretch of the same hour.
              let cells = Int64(racer % 5)..<Int64(racer % 5 + 6)
              try tx.claim(
                resource: "bs-01", cells: cells, holder: holder, kind: "appointment", expiresAt: nil, now: Fixture.now,
                otherwise: Lost())
              return holder
            }
          }
        }
        var winners: [String] = []
        while let result = await group.nextResult() {
          do { if let holder = try result.get() { winners.append(holder) } } catch is Lost {}
        }
        return winners
      }
      #expect(winners.count == 1)
      #expect(try await Self.taken(store).count == 6)
      #expect(try await store.int(SQL("SELECT count(DISTINCT holder_id) FROM claim")) == 1)
    }
  }

  private struct Lost: Error {}

  /// The schema itself keeps the promise, whatever the code above it does.
  @Test(arguments: Engine.allCases) func aCellHasOneHolderInTheSchema(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      _ = try await Self.claim(store, "a")
      await #expect(throws: StoreFailure.self) {
        try await store.run(
          SQL("INSERT INTO claim (resource_id, cell, holder_id, kind) VALUES ('bs-01', 100, 'b', 'appointment')"))
      }
    }
  }

  @Test(arguments: Engine.allCases) func appointmentsAreKept(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      try await store.write { tx in
        try tx.insert(consult)
        try tx.insert(Fixture.appointment("a1"), consult: consult.id, by: "p1", at: Fixture.now)
        try tx.endAppointment("a1", state: "moved", at: Fixture.now + .minutes(1))
        try tx.insert(Fixture.appointment("a2"), consult: consult.id, by: "p1", at: Fixture.now)
      }
      #expect(try await store.int(SQL("SELECT count(*) FROM appointment WHERE state = 'booked'")) == 1)
      #expect(
        try await store.int(SQL("SELECT count(*) FROM appointment WHERE state = 'moved' AND ended_at IS NOT NULL")) == 1
      )
      await #expect(throws: StoreFailure.self) {
        try await store.write {
          try $0.insert(Fixture.appointment("a3", minutes: 0), consult: consult.id, by: "p1", at: Fixture.now)
        }
      }
      await #expect(throws: StoreFailure.self) {
        try await store.write { try $0.insert(Fixture.appointment("a4"), consult: "nobody", by: "p1", at: Fixture.now) }
      }
    }
  }
}
