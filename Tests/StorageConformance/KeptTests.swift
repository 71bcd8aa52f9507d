import Coordinator
import Domain
import Storage
import Testing

/// Deadlines, kept answers, and what belongs to the whole deployment.
@Suite struct KeptTests {
  @Test(arguments: Engine.allCases) func deadlines(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let now = Fixture.now
      try await store.write { tx in
        // Those that a new database has.
        try tx.clearDeadline(.housekeeping, subject: "")
        try tx.clearDeadline(.seal, subject: "")
        #expect(try tx.nextDeadline() == nil)
        try tx.setDeadline(.tripStale, subject: "t", at: now + .minutes(3))
        try tx.setDeadline(.consultOverdue, subject: "a", at: now + .minutes(2))
        try tx.setDeadline(.consultOverdue, subject: "b", at: now + .minutes(1))
        // A later call moves it.
        try tx.setDeadline(.consultOverdue, subject: "b", at: now + .minutes(5))
      }
      func due(_ minutes: Int64, limit: Int = 10) async throws -> [String] {
        try await store.read { try $0.dueDeadlines(now: now + .minutes(minutes), limit: limit).map(\.subject) }
      }
      #expect(try await store.read { try $0.nextDeadline() } == now + .minutes(2))
      #expect(try await due(1).isEmpty)
      #expect(try await due(2) == ["a"])
      #expect(try await due(9) == ["a", "t", "b"])
      #expect(try await due(9, limit: 2) == ["a", "t"])
      try await store.write { try $0.clearDeadline(.consultOverdue, subject: "a") }
      // A kind and a subject together are the key.
      try await store.write { try $0.clearDeadline(.consultOverdue, subject: "t") }
      #expect(try await due(9) == ["t", "b"])
      #expect(
        try await store.read { try $0.dueDeadlines(now: now + .minutes(9), limit: 1) }
          == [Deadline(kind: .tripStale, subject: "t", at: now + .minutes(3))])
    }
  }

  /// Two releases run side by side during an upgrade: what only the newer one knows must not stop the older.
  @Test(arguments: Engine.allCases) func deadlinesOfANewerReleaseAreLeftAlone(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.run(SQL("DELETE FROM deadline"))
      try await store.run(SQL("INSERT INTO deadline (kind, subject, at) VALUES ('offer.ended', 'x', 1)"))
      try await store.write { try $0.setDeadline(.consultOverdue, subject: "a", at: Fixture.now) }
      let due = try await store.read { try $0.dueDeadlines(now: Fixture.now, limit: 1) }
      #expect(due.map(\.subject) == ["a"])
      #expect(try await store.int(SQL("SELECT count(*) FROM deadline WHERE kind = 'offer.ended'")) == 1)
    }
  }

  @Test(arguments: Engine.allCases) func keptAnswers(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let until = Fixture.now + .hours(24)
      let kept = [
        KeptAnswer(bodyHash: [1], answer: Answer(.created, version: 3, body: Array("{\"a\":1}".utf8))),
        KeptAnswer(bodyHash: [2, 3], answer: Answer(.noContent, body: nil)),
        KeptAnswer(bodyHash: [], answer: Answer(.ok, body: [])),
      ]
      for (index, answer) in kept.enumerated() {
        try await store.write { try $0.keep(answer, scope: "s", key: "k\(index)", until: until, now: Fixture.now) }
        #expect(try await store.read { try $0.keptAnswer(scope: "s", key: "k\(index)", now: Fixture.now) } == answer)
      }
      #expect(try await store.read { try $0.keptAnswer(scope: "s2", key: "k0", now: Fixture.now) } == nil)
      #expect(try await store.read { try $0.keptAnswer(scope: "s", key: "K0", now: Fixture.now) } == nil)
      #expect(try await store.read { try $0.keptAnswer(scope: "s", key: "k0", now: until) } == nil)
      // Two nodes with one key: the second's transaction is run again, and finds the first one's answer.
      await #expect(throws: StoreFailure.self) {
        try await store.write { tx in
          try tx.setMeta("second", "1")
          try tx.keep(kept[1], scope: "s", key: "k0", until: until, now: Fixture.now)
        }
      }
      #expect(try await store.read { try $0.meta("second") } == nil)
      // After its time the key is free for another.
      try await store.write { try $0.keep(kept[1], scope: "s", key: "k0", until: until + .hours(24), now: until) }
      #expect(try await store.read { try $0.keptAnswer(scope: "s", key: "k0", now: until) } == kept[1])
    }
  }

  @Test(arguments: Engine.allCases) func whatHasEndedIsRemoved(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let (now, later) = (Fixture.now, Fixture.now + .minutes(1))
      try await store.write { tx in
        try tx.insert(Fixture.person("p1", "an"))
        for (name, end) in [("old", now), ("new", later)] {
          try tx.insert(
            Ticket(secretHash: Secrets.hash(name), session: name, purpose: "events", consult: nil, expiresAt: end),
            now: now - .days(1))
          try tx.keep(KeptAnswer(bodyHash: [], answer: .noContent), scope: name, key: "k", until: end, now: now)
          try tx.insert(Fixture.session(name, expiresAt: end))
          try tx.insert(Fixture.session("token-" + name, person: nil, expiresAt: end))
          try tx.claim(
            resource: name, cells: 0..<2, holder: name, kind: "hold", expiresAt: end, now: now,
            otherwise: StoreFailure("taken"))
        }
        try tx.claim(
          resource: "r", cells: 0..<2, holder: "c", kind: "appointment", expiresAt: nil, now: now,
          otherwise: StoreFailure("taken"))
        try tx.removeEnded(now: now)
      }
      #expect(try await store.int(SQL("SELECT count(*) FROM ticket")) == 1)
      #expect(try await store.int(SQL("SELECT count(*) FROM kept_answer")) == 1)
      // A token that has ended stays in the list, where somebody may look for why it does not work.
      #expect(try await store.int(SQL("SELECT count(*) FROM session")) == 3)
      #expect(try await store.int(SQL("SELECT count(*) FROM claim")) == 4)
    }
  }

  @Test(arguments: Engine.allCases) func anchors(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let anchors = (1...2).map {
        Anchor(log: .events, seq: Int64($0), chain: [UInt8($0)], sealedAt: Fixture.now, hmac: [7, UInt8($0)])
      }
      try await store.write { tx in for anchor in anchors.reversed() { try tx.seal(anchor) } }
      #expect(try await store.read { try $0.anchors() } == anchors)
      let access = Anchor(log: .access, seq: 1, chain: [3], sealedAt: Fixture.now, hmac: [9])
      try await store.write { try $0.seal(access) }
      // An hour without events seals the same head again.
      var again = anchors[1]
      again.sealedAt = Fixture.now + .hours(1)
      let resealed = again
      try await store.write { try $0.seal(resealed) }
      #expect(try await store.read { try $0.anchors() } == [anchors[0], resealed, access])
    }
  }

  @Test(arguments: Engine.allCases) func roomsOfConsults(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.write { tx in
        for id in ["c1", "c2", "c3", "c"] { try tx.insert(Fixture.consult(id)) }
        for id in ["c3", "c1", "c"] { try tx.insertCallRoom(id, node: "a", document: "{\"of\":\"\(id)\"}") }
      }
      let rooms = try await store.read { try $0.callRooms(of: ["c3", "c2", "c1", "none"]) }
      #expect(rooms.map(\.consult) == ["c1", "c3"])
      #expect(rooms.map(\.document) == ["{\"of\":\"c1\"}", "{\"of\":\"c3\"}"])
      #expect(try await store.read { try $0.callRooms(of: []) }.isEmpty)
    }
  }

  @Test(arguments: Engine.allCases) func metaAndSettings(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      #expect(try await store.read { try $0.meta("demo") } == nil)
      try await store.write { try $0.setMeta("demo", "1") }
      try await store.write { try $0.setMeta("demo", "2") }
      #expect(try await store.read { try $0.meta("demo") } == "2")
      for urgency in Urgency.allCases {
        #expect(try await store.read { try $0.setting(urgency.settingName) } ?? 0 > 0)
      }
      #expect(try await store.read { try $0.setting("nothing") } == nil)
      #expect(try await store.read { try $0.logBounds().epoch } != 0)
    }
  }
}
