import Coordinator
import Domain
import Storage
import Testing

@Suite struct ConsultTests {
  @Test(arguments: Engine.allCases) func roundTrips(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let plain = Fixture.consult()
      var full = Fixture.consult(station: "38002")
      full.state = .interrupted
      full.practitioner = "bs-01"
      full.serving = "38901"
      full.appointment = Fixture.appointment("a1")
      full.overdue = true
      full.startedAt = Fixture.start
      full.endedAt = Fixture.start + .minutes(20)
      let both = [plain, full]
      try await store.write { tx in for consult in both { try tx.insert(consult) } }
      for consult in both {
        #expect(try await store.read { try $0.consult(consult.id) } == consult)
      }
      #expect(try await store.read { try $0.consult("nobody") } == nil)
    }
  }

  /// Texts come back as they went in, in whatever script.
  @Test(arguments: Engine.allCases) func keepsEveryCharacter(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      var request = Fixture.request()
      request.situation = "Ngã \"cao\" \\ 3 m\n\t\u{1}\u{7F} ' ; -- 👩‍⚕️ e\u{301} \u{FFFD} \u{10FFFF} Ðđ"
      request.patient.name = "O'Hara, %_!"
      var consult = Fixture.consult()
      consult.document = ConsultDocument(request, on: Fixture.now.day)
      let kept = consult
      try await store.write { try $0.insert(kept) }
      let read = try await store.read { try $0.consult(kept.id) }
      #expect(read == kept)
      #expect(try read?.document.request() == request)
    }
  }

  @Test(arguments: Engine.allCases) func anUpdateCountsTheVersion(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      try await store.write { try $0.insert(consult) }
      let updated = try await store.write { tx -> Consult in
        var changed = consult
        changed.state = .assigned
        changed.practitioner = "bs-01"
        try tx.update(&changed)
        return changed
      }
      #expect(updated.version == 2)
      #expect(try await store.read { try $0.consult(consult.id) } == updated)
    }
  }

  @Test(arguments: Engine.allCases) func anUpdateOfAnOldVersionIsStale(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      try await store.write { tx in
        try tx.insert(consult)
        var changed = consult
        try tx.update(&changed)
      }
      await store.expectStale { tx in
        var old = consult
        try tx.update(&old)
      }
      await store.expectStale { tx in
        var missing = Fixture.consult()
        try tx.update(&missing)
      }
    }
  }

  /// A lost race is run again, and loses nothing: 60 counters on one row.
  @Test(arguments: Engine.allCases) func concurrentUpdatesLoseNothing(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let id = Fixture.consult().id
      try await store.write { try $0.insert(Fixture.consult(id)) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<60 {
          group.addTask {
            try await store.write { tx in
              guard var consult = try tx.consult(id) else { return }
              consult.dueAt = consult.dueAt + .minutes(1)
              try tx.update(&consult)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await store.read { try $0.consult(id)?.version } == 61)
    }
  }

  @Test(arguments: Engine.allCases) func theSchemaKnowsTheStates(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      try await store.write { try $0.insert(consult) }
      for state in ConsultState.allCases {
        try await store.run(SQL("UPDATE consult SET state = $1"), values: [.text(state.rawValue)])
      }
      await #expect(throws: StoreFailure.self) { try await store.run(SQL("UPDATE consult SET state = 'lost'")) }
      await #expect(throws: StoreFailure.self) { try await store.run(SQL("UPDATE consult SET appointment_id = 'a'")) }
      await #expect(throws: StoreFailure.self) { try await store.run(SQL("UPDATE consult SET station = '00000'")) }
    }
  }

  @Test(arguments: Engine.allCases) func aTakenIdIsNoSecondConsult(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      try await store.write { try $0.insert(consult) }
      await #expect(throws: StoreFailure.self) { try await store.write { try $0.insert(consult) } }
    }
  }

  // MARK: Lists

  /// Twelve consults: ids in order, stations, specialties and states in turn.
  private static func fill(_ store: any Store) async throws -> [Consult] {
    let stations = ["38001", "38002"]
    let consults = (0..<12).map { index -> Consult in
      let at = Fixture.now + .minutes(Int64(index))
      var consult = Fixture.consult(
        UUIDv7.make(at: at), station: stations[index % 2], specialty: index % 3 == 0 ? .neurology : .cardiology, at: at)
      if index >= 6 {
        consult.state = .scheduled
        consult.practitioner = index % 3 == 0 ? "bs-02" : "bs-01"
        consult.serving = "38901"
        consult.appointment = Appointment(
          id: "a\(index)", practitioner: consult.practitioner ?? "", start: at + .days(1),
          end: at + .days(1) + .minutes(30))
      }
      consult.overdue = index == 0 || index == 7
      return consult
    }
    try await store.write { tx in for consult in consults { try tx.insert(consult) } }
    return consults.reversed()
  }

  private static func list(
    _ store: any Store, page: Page = Page(), _ change: (inout ConsultFilter) -> Void
  ) async throws -> [Consult] {
    var filter = ConsultFilter()
    change(&filter)
    let asked = filter
    return try await store.read { try $0.consults(asked, page: page) }
  }

  @Test(arguments: Engine.allCases) func filters(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let all = try await Self.fill(store)
      #expect(try await Self.list(store) { _ in } == all)
      #expect(try await Self.list(store) { $0.states = [.requested] } == all.filter { $0.state == .requested })
      #expect(try await Self.list(store) { $0.states = [.requested, .scheduled, .noShow] } == all)
      #expect(try await Self.list(store) { $0.states = [.noShow] }.isEmpty)
      #expect(try await Self.list(store) { $0.specialty = .neurology } == all.filter { $0.specialty == .neurology })
      #expect(try await Self.list(store) { $0.station = "38002" } == all.filter { $0.station == "38002" })
      #expect(try await Self.list(store) { $0.practitioner = "bs-02" } == all.filter { $0.practitioner == "bs-02" })
      #expect(try await Self.list(store) { $0.overdue = true } == all.filter(\.overdue))
      #expect(try await Self.list(store) { $0.overdue = false } == all.filter { !$0.overdue })
      // By the appointment, or the request where there is none.
      let from = Fixture.now + .minutes(3)
      let to = Fixture.now + .days(1) + .minutes(8)
      #expect(
        try await Self.list(store) {
          $0.from = from
          $0.to = to
        } == all.filter { (from..<to).contains($0.appointment?.start ?? $0.requestedAt) })
      #expect(
        try await Self.list(store) {
          $0.station = "38001"
          $0.states = [.scheduled]
          $0.specialty = .cardiology
        } == all.filter { $0.station == "38001" && $0.state == .scheduled && $0.specialty == .cardiology })
    }
  }

  @Test(arguments: Engine.allCases, [1, 5, 12, 13]) func pages(engine: Engine, size: Int) async throws {
    try await engine.withStore { store async throws in
      let all = try await Self.fill(store)
      var found: [Consult] = []
      var after: String?
      while true {
        let page = try await Self.list(store, page: Page(after: after, limit: size)) { _ in }
        found += page
        guard page.count == size else { break }
        after = page.last?.id
      }
      #expect(found == all)
    }
  }

  @Test(arguments: Engine.allCases) func reach(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let all = try await Self.fill(store)
      func reach(_ facilities: Set<String>, _ practitioner: String? = nil, _ specialty: Specialty? = nil) async throws
        -> [Consult]
      {
        try await Self.list(store) {
          $0.reach = ConsultReach(facilities: facilities, practitioner: practitioner, specialty: specialty)
        }
      }
      #expect(try await reach([]).isEmpty)
      #expect(try await reach(["38001"]) == all.filter { $0.station == "38001" })
      #expect(try await reach(["38901"]) == all.filter { $0.serving == "38901" })
      #expect(try await reach(["38001", "38002"]) == all)
      #expect(try await reach([], "bs-02") == all.filter { $0.practitioner == "bs-02" })
      #expect(
        try await reach([], "bs-02", .neurology)
          == all.filter { $0.practitioner == "bs-02" || ($0.practitioner == nil && $0.specialty == .neurology) })
      #expect(try await reach([], nil, .psychiatry).isEmpty)
    }
  }

  // MARK: Reasons and outcomes

  @Test(arguments: Engine.allCases) func reasons(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      let reasons = [
        ConsultReason(transition: .decline, at: Fixture.now, actor: "p1", reason: "Đang mổ"),
        ConsultReason(transition: .decline, at: Fixture.now, actor: "p1", reason: "Vẫn đang mổ"),
        ConsultReason(transition: .cancel, at: Fixture.now + .minutes(1), actor: "p2", reason: "Đã chuyển viện"),
      ]
      try await store.write { tx in
        try tx.insert(consult)
        for (index, reason) in reasons.enumerated().reversed() {
          var then = consult
          then.version = Int64(2 + index)
          try tx.insert(reason, of: then)
        }
      }
      #expect(try await store.read { try $0.reasons(of: consult.id) } == reasons)
    }
  }

  @Test(arguments: Engine.allCases) func outcomes(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      // Bytes, not text: what was signed comes back as it was.
      let versions = (1...2).map { version in
        Outcome(
          consult: consult.id, version: Int64(version), document: Array("{\"v\": \(version) }".utf8) + [0xFF, 0x00],
          concludedAt: Fixture.now, concludedBy: "bs-01")
      }
      try await store.write { tx in
        try tx.insert(consult)
        for outcome in versions.reversed() { try tx.insert(outcome) }
      }
      #expect(try await store.read { try $0.outcomes(of: consult.id) } == versions)
      #expect(try await store.read { try $0.outcome(of: consult.id, version: 2) } == versions[1])
      #expect(try await store.read { try $0.outcome(of: consult.id, version: 3) } == nil)

      var signed = versions[0]
      signed.signature = .init(sha256: "ab12", signedBy: "bs-01", signedAt: Fixture.now + .minutes(1))
      let once = signed
      try await store.write { try $0.sign(once) }
      #expect(try await store.read { try $0.outcomes(of: consult.id) } == [once, versions[1]])
      // What is signed is signed.
      await store.expectStale { try $0.sign(once) }
      await #expect(throws: StoreFailure.self) { try await store.write { try $0.insert(versions[1]) } }
    }
  }
}
