import Coordinator
import Domain
import Storage
import Testing

@Suite struct AccountTests {
  @Test(arguments: Engine.allCases) func people(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let people = [Fixture.person("p2", "binh"), Fixture.person("p1", "an"), Fixture.person("p3", "cuc")]
      try await store.write { tx in for person in people { try tx.insert(person) } }
      #expect(try await store.read { try $0.person("p1") } == people[1])
      #expect(try await store.read { try $0.person(username: "binh") } == people[0])
      #expect(try await store.read { try $0.person(username: "Binh") } == nil)
      #expect(try await store.read { try $0.person("p9") } == nil)
      // In the order of user names.
      #expect(try await store.read { try $0.people(page: Page(limit: 2)).map(\.username) } == ["an", "binh"])
      #expect(try await store.read { try $0.people(page: Page(after: "binh", limit: 2)).map(\.username) } == ["cuc"])
    }
  }

  @Test(arguments: Engine.allCases) func changesOfPeople(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let person = Fixture.person("p1", "an")
      let changed = try await store.write { tx -> Person in
        try tx.insert(person)
        var changed = person
        changed.name = "Khác"
        changed.passwordHash = "scrypt$2"
        changed.disabled = true
        changed.practitionerId = nil
        changed.vehicleId = "xe-01"
        changed.grants = [Grant(role: .crew, facilities: ["38901"]), Grant(role: .monitor, facilities: [])]
        try tx.update(&changed)
        return changed
      }
      await store.expectStale { tx in
        var old = person
        try tx.update(&old)
      }
      #expect(changed.version == 2)
      #expect(try await store.read { try $0.person("p1") } == changed)
      // A user name belongs to one person.
      await #expect(throws: StoreFailure.self) {
        try await store.write { try $0.insert(Fixture.person("p2", "an")) }
      }
    }
  }

  @Test(arguments: Engine.allCases) func sessions(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let session = Fixture.session("s1")
      let token = Fixture.session("t1", person: nil, expiresAt: nil)
      try await store.write { tx in
        try tx.insert(Fixture.person("p1", "an"))
        try tx.insert(session)
        try tx.insert(token)
      }
      #expect(try await store.read { try $0.session("s1") } == session)
      #expect(try await store.read { try $0.session(secretHash: Secrets.hash("t1")) } == token)
      #expect(try await store.read { try $0.session(secretHash: Secrets.hash("guess")) } == nil)
      let now = Fixture.now + .minutes(1)
      #expect(try await store.write { try $0.revokeSession("s1", at: now) })
      #expect(try await !store.write { try $0.revokeSession("s1", at: now) })
      #expect(try await !store.write { try $0.revokeSession("s9", at: now) })
      #expect(try await store.read { try $0.session("s1")?.revokedAt } == now)
    }
  }

  @Test(arguments: Engine.allCases) func tokensNewestFirst(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.write { tx in
        try tx.insert(Fixture.person("p1", "an"))
        try tx.insert(Fixture.session("s1"))
        for id in ["t1", "t2", "t3", "t4"] { try tx.insert(Fixture.session(id, person: nil)) }
        _ = try tx.revokeSession("t3", at: Fixture.now)
      }
      #expect(try await store.read { try $0.tokens(page: Page(limit: 2)).map(\.id) } == ["t4", "t2"])
      #expect(try await store.read { try $0.tokens(page: Page(after: "t2", limit: 2)).map(\.id) } == ["t1"])
    }
  }

  @Test(arguments: Engine.allCases) func whichSessionsHold(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      var disabled = Fixture.person("p2", "binh")
      disabled.disabled = true
      let other = disabled
      try await store.write { tx in
        try tx.insert(Fixture.person("p1", "an"))
        try tx.insert(other)
        try tx.insert(Fixture.session("live"))
        try tx.insert(Fixture.session("ended", expiresAt: Fixture.now))
        try tx.insert(Fixture.session("revoked"))
        try tx.insert(Fixture.session("disabled", person: "p2"))
        try tx.insert(Fixture.session("machine", person: nil, expiresAt: nil))
        _ = try tx.revokeSession("revoked", at: Fixture.now)
      }
      let ids = ["live", "ended", "revoked", "disabled", "machine", "unknown"]
      #expect(try await store.read { try $0.liveSessions(ids, now: Fixture.now) } == ["live", "machine"])
      // The millisecond before its end it still holds.
      let before = Fixture.now - .milliseconds(1)
      #expect(try await store.read { try $0.liveSessions(["ended"], now: before) } == ["ended"])
      try await store.write { try $0.revokeSessions(of: "p1", at: Fixture.now) }
      #expect(try await store.read { try $0.liveSessions(ids, now: Fixture.now) } == ["machine"])
    }
  }

  @Test(arguments: Engine.allCases) func theOldestSignInsBeyondTheLimitEnd(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let ids = (0..<Limits.sessionsPerPerson + 3).map { UUIDv7.make(at: Fixture.now + .seconds(Int64($0))) }
      try await store.write { tx in
        try tx.insert(Fixture.person("p1", "an"))
        try tx.insert(Fixture.person("p2", "binh"))
        try tx.insert(Fixture.session("0", person: "p2"))
        for id in ids { try tx.insert(Fixture.session(id)) }
      }
      let live = try await store.read { try $0.liveSessions(ids + ["0"], now: Fixture.now) }
      #expect(live == Set(ids.dropFirst(3)).union(["0"]))
    }
  }

  @Test(arguments: Engine.allCases) func aTicketHoldsOnce(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let ticket = Ticket(
        secretHash: Secrets.hash("x"), session: "s1", purpose: "call", consult: "c1",
        expiresAt: Fixture.now + Ticket.lifetime)
      try await store.write { try $0.insert(ticket, now: Fixture.now) }
      #expect(try await store.write { try $0.takeTicket(secretHash: Secrets.hash("y"), now: Fixture.now) } == nil)
      // Twenty at once: one gets it.
      let taken = try await withThrowingTaskGroup(of: Ticket?.self) { group in
        for _ in 0..<20 {
          group.addTask { try await store.write { try $0.takeTicket(secretHash: Secrets.hash("x"), now: Fixture.now) } }
        }
        return try await group.reduce(into: [Ticket]()) { if let ticket = $1 { $0.append(ticket) } }
      }
      #expect(taken == [ticket])
    }
  }

  @Test(arguments: Engine.allCases) func aTicketEndsAfterAMinute(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let end = Fixture.now + Ticket.lifetime
      for secret in ["a", "b"] {
        let ticket = Ticket(
          secretHash: Secrets.hash(secret), session: "s1", purpose: "events", consult: nil, expiresAt: end)
        try await store.write { try $0.insert(ticket, now: Fixture.now) }
      }
      #expect(try await store.write { try $0.takeTicket(secretHash: Secrets.hash("a"), now: end) } == nil)
      let before = end - .milliseconds(1)
      #expect(try await store.write { try $0.takeTicket(secretHash: Secrets.hash("b"), now: before) } != nil)
    }
  }
}
