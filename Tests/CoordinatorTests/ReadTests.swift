import Coordinator
import Domain
import Testing

/// Who sees which members of a consult, in one and in lists, and what the access log then says.
@Suite struct ReadTests {
  private static let clinical = ["situation", "background", "request", "vitals", "news2"]

  @Test func membersByRole() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested(["vitals": ["pulse": 100]])
      try await world.book(id)
      for (caller, patient, clinical) in [
        (world.station, true, true), (world.specialist, true, true), (world.auditor, true, true),
        (world.dispatcher, true, false), (world.monitor, false, false), (world.admin, false, false),
      ] {
        let json = try await world.coordinator.consult(Call(caller), id: id).json
        #expect((json["patient"] != nil) == patient, "\(caller.username)")
        for member in Self.clinical where member != "news2" {
          #expect((json[member] != nil) == clinical, "\(caller.username) \(member)")
        }
        #expect(json["urgency"] == "urgent" && json["state"] == "scheduled")
        #expect(json["appointment"]?["start"]?.string == World.nine.text)
      }
      for caller in [world.otherStation, world.colleague, world.neurologist, world.crew, world.foreigner, world.nobody]
      {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.consult(Call(caller), id: id)
        }
        #expect(refusal?.code == .notFound, "\(caller.username)")
      }
    }
  }

  /// Facts, no identity before accepting.
  @Test func anUnassignedConsultShowsFactsToItsSpecialty() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let json = try await world.coordinator.consult(Call(world.colleague), id: id).json
      #expect(json["situation"] != nil && json["patient"] == nil)
      #expect(json["allowed"] == ["accept"])
      let hidden = await #expect(throws: Rejection.self) {
        try await world.coordinator.consult(Call(world.neurologist), id: id)
      }
      #expect(hidden?.code == .notFound)
      try await world.move(id, .accept, by: world.specialist)
      let gone = await #expect(throws: Rejection.self) {
        try await world.coordinator.consult(Call(world.colleague), id: id)
      }
      #expect(gone?.code == .notFound)
    }
  }

  @Test func allowedIsWhatThisCallerMayDoNow() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      func allowed(_ caller: Caller) async throws -> JSON? {
        try await world.coordinator.consult(Call(caller), id: id).json["allowed"]
      }
      #expect(try await allowed(world.station) == ["appointment", "arrive", "start", "cancel"])
      #expect(try await allowed(world.specialist) == ["appointment", "decline", "start", "cancel"])
      #expect(try await allowed(world.dispatcher) == ["appointment", "cancel"])
      #expect(try await allowed(world.monitor) == [])
      world.clock.move(to: World.nine + .minutes(10))
      #expect(try await allowed(world.dispatcher) == ["appointment", "cancel", "noShow"])
    }
  }

  // MARK: Lists

  private func list(
    _ world: World, _ caller: Caller, _ filter: ConsultFilter = ConsultFilter(), page: Page = Page()
  ) async throws -> Answer {
    try await world.coordinator.consults(Call(caller), filter, page: page)
  }

  @Test func everybodyListsWhatTheyMaySee() async throws {
    try await withWorld { world async throws in
      let mine = try await world.requested()
      let theirs = try await world.requested(by: world.otherStation)
      let neurology = try await world.requested(["specialty": "neurology"])
      let assigned = try await world.requested()
      try await world.move(assigned, .accept, by: world.colleague)
      let expected: [(Caller, Set<String>)] = [
        (world.station, [mine, neurology, assigned]), (world.otherStation, [theirs]),
        (world.specialist, [mine, theirs]), (world.colleague, [mine, theirs, assigned]),
        (world.neurologist, [neurology]), (world.dispatcher, [mine, theirs, neurology, assigned]),
        (world.monitor, [mine, theirs, neurology, assigned]), (world.foreigner, []), (world.crew, []),
        (world.nobody, []),
      ]
      for (caller, ids) in expected {
        let items = try await list(world, caller).items
        #expect(Set(items.compactMap { $0["id"]?.string }) == ids, "\(caller.username)")
      }
    }
  }

  /// A hospital that asks for consults and also serves them lists only its own as a station; a page that leaves
  /// out what it may not see still leads to the next.
  @Test func aPageThatHidesSomeStillLeadsOn() async throws {
    try await withWorld { world async throws in
      let hospital = World.caller("bv", .station, at: ["38901"])
      let own = try await world.requested(["stationId": "38901"], by: hospital)
      for index in 0..<6 {
        let id = try await world.requested()
        try await world.book(id, at: World.nine + .minutes(Int64(index) * 5), minutes: 5)
        world.clock.move(by: .minutes(1))
      }
      var found: [String] = []
      var after: String?
      repeat {
        let answer = try await list(world, hospital, page: Page(after: after, limit: 2))
        found += answer.items.compactMap { $0["id"]?.string }
        after = answer.json["next"]?.string
      } while after != nil
      #expect(found == [own])
    }
  }

  @Test func pagesNewestFirst() async throws {
    try await withWorld { world async throws in
      var ids: [String] = []
      for _ in 0..<5 {
        ids.append(try await world.requested())
        world.clock.move(by: .seconds(1))
      }
      let first = try await list(world, world.station, page: Page(limit: 2))
      #expect(first.items.compactMap { $0["id"]?.string } == [ids[4], ids[3]])
      #expect(first.json["next"]?.string == ids[3])
      let last = try await list(world, world.station, page: Page(after: ids[1], limit: 2))
      #expect(last.items.compactMap { $0["id"]?.string } == [ids[0]])
      #expect(last.json["next"] == nil)
      let exact = try await list(world, world.station, page: Page(after: ids[2], limit: 2))
      #expect(exact.items.count == 2 && exact.json["next"] == nil)
    }
  }

  @Test func filters() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let booked = try await world.requested()
      try await world.book(booked)
      var filter = ConsultFilter()
      filter.states = [.scheduled]
      #expect(try await list(world, world.station, filter).items.map { $0["id"]?.string } == [booked])
      filter = ConsultFilter()
      filter.from = World.nine
      #expect(try await list(world, world.station, filter).items.map { $0["id"]?.string } == [booked])
      filter = ConsultFilter()
      filter.to = World.nine
      #expect(try await list(world, world.station, filter).items.map { $0["id"]?.string } == [id])
    }
  }

  // MARK: Access log

  @Test func readsAreLoggedOncePerFiveMinutes() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      for _ in 0..<3 { _ = try await world.coordinator.consult(Call(world.station), id: id) }
      world.clock.move(by: Span.minutes(5).almost)
      _ = try await world.coordinator.consult(Call(world.station), id: id)
      var log = try await world.accessLog()
      #expect(log.count == 1)
      #expect(
        log.first
          == AccessEntry(
            seq: 1, at: World.now, person: "tram", personName: "Người tram", action: "read", subject: "consults/" + id,
            facility: "38001"))
      world.clock.move(by: .milliseconds(1))
      _ = try await world.coordinator.consult(Call(world.station), id: id)
      // Who sees neither patient nor clinical text read no record.
      _ = try await world.coordinator.consult(Call(world.monitor), id: id)
      _ = try await world.coordinator.consult(Call(world.admin), id: id)
      log = try await world.accessLog()
      #expect(log.map(\.person) == ["tram", "tram"])
      // Reading the log is for auditors.
      let answer = try await world.coordinator.accessLog(
        Call(world.auditor), person: "tram", subject: nil, page: Page(limit: 1))
      #expect(answer.items.map { $0["seq"]?.int } == [2])
      #expect(answer.json["next"] == "2")
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.accessLog(Call(world.admin), person: nil, subject: nil, page: Page())
      }
      #expect(refusal?.code == .forbidden)
    }
  }

  @Test func anAuditorSeesTheLogOfTheirFacilities() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      _ = try await world.coordinator.consult(Call(world.station), id: id)
      let far = World.caller("kiemtra2", .auditor, at: ["40000"])
      #expect(try await world.coordinator.accessLog(Call(far), person: nil, subject: nil, page: Page()).items.isEmpty)
      let near = World.caller("kiemtra3", .auditor, at: ["38001"])
      #expect(
        try await world.coordinator.accessLog(Call(near), person: nil, subject: nil, page: Page()).items.count == 1)
    }
  }

  @Test(arguments: ["abc", "-", "1.5", "99999999999999999999"])
  func aCursorOfTheAccessLogIsANumber(after: String) async throws {
    try await withWorld { world async throws in
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.accessLog(
          Call(world.auditor), person: nil, subject: nil, page: Page(after: after))
      }
      #expect(refusal?.code == .invalid && refusal?.fields.map(\.pointer) == ["after"])
    }
  }

  @Test func listsAreReadsToo() async throws {
    try await withWorld { world async throws in
      let ids = [try await world.requested(), try await world.requested()]
      _ = try await list(world, world.station)
      _ = try await list(world, world.monitor)
      #expect(Set(try await world.accessLog().map(\.subject)) == Set(ids.map { "consults/" + $0 }))
      #expect(try await world.accessLog().count == 2)
      _ = try await list(world, world.station)
      #expect(try await world.accessLog().count == 2)
    }
  }

  // MARK: Schedules

  @Test func aSchedule() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      func items(_ caller: Caller) async throws -> [JSON] {
        try await world.coordinator.schedule(
          Call(caller), practitioner: "bs-01", from: World.now, to: World.now + .hours(12)
        ).items
      }
      func kinds(_ items: [JSON]) -> [String?] { items.map { $0["kind"]?.string } }
      let own = try await items(world.specialist)
      #expect(kinds(own) == ["free", "appointment", "free"])
      #expect(own[1]["consultId"]?.string == id && own[1]["patientName"] == "Trần Thị Hoa")
      #expect(own[1]["start"]?.string == World.nine.text)
      #expect(own[0]["end"]?.string == World.nine.text)
      #expect(try await world.accessLog().map(\.person) == ["bacsi"])
      // Others see that the time is taken.
      #expect(kinds(try await items(world.otherStation)) == ["free", "busy", "free"])
      let seen = try await items(world.monitor)
      #expect(kinds(seen) == ["free", "appointment", "free"] && seen[1]["patientName"] == nil)
      #expect(try await world.accessLog().count == 1)
      for (from, to) in [
        (World.now, World.now), (World.now, World.now - .hours(1)), (World.now, World.now + .days(101)),
      ] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.schedule(Call(world.station), practitioner: "bs-01", from: from, to: to)
        }
        #expect(refusal?.code == .invalid)
      }
      let unknown = await #expect(throws: Rejection.self) {
        try await world.coordinator.schedule(
          Call(world.station), practitioner: "x", from: World.now, to: World.now + .hours(1))
      }
      #expect(unknown?.code == .notFound)
    }
  }

  @Test func slots() async throws {
    try await withWorld { world async throws in
      var query = SlotQuery()
      query.specialty = .cardiology
      query.to = World.now + .hours(12)
      query.limit = 3
      let items = try await world.coordinator.slots(Call(world.station), query).items
      #expect(items.map { $0["practitionerId"] } == ["bs-01", "bs-02", "bs-01"])
      #expect(items.first?["start"] == "2026-11-21T07:00:00+07:00")
      // Nothing that has begun.
      world.clock.move(to: World.nine + .minutes(1))
      query.from = World.now - .days(3)
      #expect(
        try await world.coordinator.slots(Call(world.station), query).items.first?["start"]
          == "2026-11-21T09:30:00+07:00")
      query.practitioner = "bs-03"
      #expect(try await world.coordinator.slots(Call(world.station), query).items.isEmpty)
      query.to = World.now + .days(102)
      await #expect(throws: Rejection.self) { try await world.coordinator.slots(Call(world.station), query) }
    }
  }
}
