import Coordinator
import Domain
import Storage
import Testing

@Suite(.timeLimit(.minutes(10))) struct AppointmentTests {
  private static let nine = World.nine

  private func taken(_ world: World, _ practitioner: String = "bs-01") async throws -> [Int64] {
    try await world.store.read { try $0.takenCells(resource: practitioner, in: 0..<100_000_000, now: World.now) }
  }

  private func slots(_ world: World, _ practitioner: String = "bs-01") async throws -> [String] {
    var query = SlotQuery()
    query.practitioner = practitioner
    query.to = World.now + .hours(12)
    return try await world.coordinator.slots(Call(world.station), query).items.compactMap { $0["start"]?.string }
  }

  @Test func books() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      #expect(try await slots(world).contains(Self.nine.text))
      let answer = try await world.book(id)
      let json = answer.json
      #expect(answer.status == .created && answer.version == 2)
      #expect(json["state"] == "scheduled" && json["practitionerId"] == "bs-01")
      #expect(json["practitionerName"] == "Nguyễn Văn Ái")
      #expect(
        json["appointment"]
          == [
            "practitionerId": "bs-01", "start": .string(Self.nine.text),
            "end": .string((Self.nine + .minutes(30)).text),
          ])
      #expect(try await taken(world) == Array(Cell.range(start: Self.nine, minutes: 30)))
      #expect(try await !slots(world).contains(Self.nine.text))
      let events = try await world.events()
      #expect(events.map(\.type) == ["consult.requested", "consult.scheduled", "schedule.changed"])
      #expect(events[1].facilities == ["38001", "38901"])
      #expect(try JSON(parsing: events[1].data)["start"]?.string == Self.nine.text)
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  @Test func aDispatcherBooksToo() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let json = try await world.book(id, by: world.dispatcher).json
      #expect(json["state"] == "scheduled")
      #expect(json["patient"] != nil && json["situation"] == nil && json["background"] == nil)
    }
  }

  @Test(
    arguments: [
      ("bs-01", "2026-11-21T08:35:00+07:00", 30), ("bs-01", "2026-11-21T07:00:00+07:00", 240),
      ("bs-01", "2026-11-21T10:55:00+07:00", 5), ("bs-02", "2027-12-25T10:00:00+07:00", 60),
    ] as [(String, String, Int64)])
  func anyFiveMinuteStartInsideAvailability(practitioner: String, start: String, minutes: Int64) async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id, practitioner, at: #require(Instant(start)), minutes: minutes)
    }
  }

  @Test(
    arguments: [
      ("bs-01", "2026-11-21T06:55:00+07:00", 30, Rejection.Code.outsideSchedule, nil),
      ("bs-01", "2026-11-21T10:45:00+07:00", 30, .outsideSchedule, nil),
      ("bs-01", "2026-11-21T23:00:00+07:00", 30, .outsideSchedule, nil),
      ("bs-01", "2026-11-21T09:01:00+07:00", 30, .invalid, "/start"),
      ("bs-01", "2026-11-21T09:00:00.001+07:00", 30, .invalid, "/start"),
      ("bs-01", "2026-11-21T05:55:00+07:00", 30, .invalid, "/start"),
      ("bs-01", "2026-11-20T09:00:00+07:00", 30, .invalid, "/start"),
      ("bs-01", "1901-01-01T09:00:00+07:00", 30, .invalid, "/start"),
      ("bs-01", "2027-12-26T09:00:00+07:00", 30, .invalid, "/start"),
      ("bs-01", "2199-12-31T09:00:00+07:00", 30, .invalid, "/start"),
      ("bs-03", "2026-11-21T09:00:00+07:00", 30, .invalid, "/practitionerId"),
      ("bs-04", "2026-11-21T09:00:00+07:00", 30, .invalid, "/practitionerId"),
      ("bs-99", "2026-11-21T09:00:00+07:00", 30, .invalid, "/practitionerId"),
      ("bs-01", "2026-11-21T09:00:00+07:00", 0, .invalid, "/minutes"),
      ("bs-01", "2026-11-21T09:00:00+07:00", -30, .invalid, "/minutes"),
      ("bs-01", "2026-11-21T09:00:00+07:00", 7, .invalid, "/minutes"),
      ("bs-01", "2026-11-21T09:00:00+07:00", 485, .invalid, "/minutes"),
      ("bs-01", "2026-11-21T09:00:00+07:00", .max, .invalid, "/minutes"),
    ] as [(String, String, Int64, Rejection.Code, String?)])
  func refuses(
    practitioner: String, start: String, minutes: Int64, code: Rejection.Code, pointer: String?
  ) async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let start = try #require(Instant(start))
      let refusal = await #expect(throws: Rejection.self) {
        try await world.book(id, practitioner, at: start, minutes: minutes)
      }
      #expect(refusal?.code == code)
      #expect(refusal?.fields.first?.pointer == pointer)
      #expect(try await taken(world).isEmpty)
      #expect(try await world.types() == ["consult.requested"])
    }
  }

  /// An urgent consult begins now: the cell that is running may still be booked.
  @Test func theRunningCell() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      world.clock.move(to: Self.nine + .minutes(4))
      try await world.book(id)
      let other = try await world.requested()
      world.clock.move(to: Self.nine + .minutes(35))
      let refusal = await #expect(throws: Rejection.self) {
        try await world.book(other, at: Self.nine + .minutes(30))
      }
      #expect(refusal?.fields.first?.pointer == "/start")
    }
  }

  @Test func hidesAndForbids() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      for (caller, code) in [
        (world.otherStation, Rejection.Code.notFound), (world.foreigner, .notFound), (world.neurologist, .notFound),
        (world.monitor, .forbidden), (world.auditor, .forbidden), (world.admin, .forbidden),
        (world.specialist, .forbidden), (world.nobody, .notFound),
      ] {
        let refusal = await #expect(throws: Rejection.self) { try await world.book(id, by: caller) }
        #expect(refusal?.code == code, "\(caller.username)")
      }
      let unknown = await #expect(throws: Rejection.self) { try await world.book(UUIDv7.make(at: World.now)) }
      #expect(unknown?.code == .notFound)
    }
  }

  @Test func ifMatch() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let refusal = await #expect(throws: Rejection.self) { try await world.book(id, ifMatch: 2) }
      #expect(refusal?.code == .preconditionFailed)
      try await world.book(id, ifMatch: 1)
    }
  }

  // MARK: Moving

  @Test func movesToAnotherTime() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      // Overlapping its own old time.
      let answer = try await world.book(id, at: Self.nine + .minutes(10))
      #expect(answer.status == .created && answer.version == 3)
      #expect(try await taken(world) == Array(Cell.range(start: Self.nine + .minutes(10), minutes: 30)))
      #expect(
        try await world.types(of: "consults/" + id) == [
          "consult.requested", "consult.scheduled", "consult.rescheduled",
        ])
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  /// Both calendars change, and what was freed is offered again at once.
  @Test func movesToAnotherPractitioner() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      #expect(try await !slots(world, "bs-01").contains(Self.nine.text))
      #expect(try await slots(world, "bs-02").contains(Self.nine.text))
      let json = try await world.book(id, "bs-02").json
      #expect(json["practitionerId"] == "bs-02")
      #expect(try await taken(world, "bs-01").isEmpty)
      #expect(try await slots(world, "bs-01").contains(Self.nine.text))
      #expect(try await !slots(world, "bs-02").contains(Self.nine.text))
      let changed = try await world.events().filter { $0.type == "schedule.changed" }.map(\.subject)
      #expect(changed == ["practitioners/bs-01", "practitioners/bs-01", "practitioners/bs-02"])
      // The one who had it may not see it any more.
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.consult(Call(world.specialist), id: id)
      }
      #expect(refusal?.code == .notFound)
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  @Test func aMoveThatFailsKeepsTheOldTime() async throws {
    try await withWorld { world async throws in
      let (id, other) = (try await world.requested(), try await world.requested())
      try await world.book(id)
      try await world.book(other, at: Self.nine + .minutes(30))
      let refusal = await #expect(throws: Rejection.self) { try await world.book(id, at: Self.nine + .minutes(20)) }
      #expect(refusal?.code == .slotTaken)
      #expect(try await taken(world).count == 12)
      #expect(
        try await world.coordinator.consult(Call(world.station), id: id).json["appointment"]?["start"]?.string
          == Self.nine.text)
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  /// Two that move into each other's time: one may wait for the other, neither may lose both.
  @Test func manyMovesAtOnceKeepCalendarsWhole() async throws {
    try await withWorld { world async throws in
      var ids: [String] = []
      for index in 0..<8 {
        let id = try await world.requested()
        try await world.book(id, at: Self.nine - .hours(2) + .minutes(Int64(index) * 30))
        ids.append(id)
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for round in 0..<12 {
          for (index, id) in ids.enumerated() {
            group.addTask {
              let start = Self.nine - .hours(2) + .minutes(Int64((index * 7 + round * 5) % 42) * 5)
              do {
                try await world.book(id, round % 3 == 0 ? "bs-02" : "bs-01", at: start)
              } catch let rejection as Rejection { #expect(rejection.code == .slotTaken) }
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
      #expect(try await taken(world, "bs-01").count + taken(world, "bs-02").count == 48)
    }
  }

  @Test(arguments: [ConsultTransition.arrive, .start, .cancel])
  func notWhenItIsTooLate(transition: ConsultTransition) async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      try await world.move(id, transition, by: world.station, ["reason": "Đã chuyển viện"])
      // Whatever else is wrong with it.
      for (practitioner, start) in [
        ("bs-01", Self.nine + .hours(1)), ("bs-03", Self.nine), ("bs-01", World.now - .days(1)),
      ] {
        let refusal = await #expect(throws: Rejection.self) { try await world.book(id, practitioner, at: start) }
        #expect(refusal?.code == .illegalTransition)
      }
    }
  }

  // MARK: Races

  @Test func twoHundredForOneTime() async throws {
    try await withWorld { world async throws in
      var ids: [String] = []
      for _ in 0..<200 { ids.append(try await world.requested()) }
      let results = await withTaskGroup(of: Result<Answer, any Error>.self) { group in
        for id in ids {
          group.addTask {
            do { return .success(try await world.book(id)) } catch { return .failure(error) }
          }
        }
        return await group.reduce(into: [Result<Answer, any Error>]()) { $0.append($1) }
      }
      var rejections: [Rejection] = []
      for case .failure(let error) in results { rejections.append(try #require(error as? Rejection)) }
      #expect(rejections.count == 199)
      let taken = Set(try await taken(world))
      #expect(taken.count == 6)
      for rejection in rejections {
        #expect(rejection.code == .slotTaken)
        let alternatives = try #require(rejection.extra["alternatives"]?.array)
        #expect(alternatives.count == Limits.alternatives)
        for slot in alternatives {
          let start = try #require(slot["start"]?.string.flatMap(Instant.init))
          let end = try #require(slot["end"]?.string.flatMap(Instant.init))
          #expect(end - start == .minutes(30))
          #expect(slot["specialty"] == "cardiology")
          if slot["practitionerId"] == "bs-01" { #expect(taken.isDisjoint(with: Cell.range(start: start, end: end))) }
        }
      }
      #expect(try await world.types().count(where: { $0 == "consult.scheduled" }) == 1)
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])

      // What is offered can be had.
      let slot = try #require(rejections[0].extra["alternatives"]?.array?.first)
      try await world.book(
        ids[0] == results.compactMap({ try? $0.get().id }).first ? ids[1] : ids[0],
        #require(slot["practitionerId"]?.string), at: #require(slot["start"]?.string.flatMap(Instant.init)))
    }
  }

  @Test func alternativesKeepTheLengthAndTheSpecialty() async throws {
    try await withWorld { world async throws in
      let (first, second) = (try await world.requested(), try await world.requested())
      try await world.book(first, minutes: 60)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.book(second, at: Self.nine + .minutes(55), minutes: 45)
      }
      let alternatives = try #require(refusal?.extra["alternatives"]?.array)
      for slot in alternatives {
        let start = try #require(slot["start"]?.string.flatMap(Instant.init))
        #expect(slot["end"]?.string == (start + .minutes(45)).text)
        #expect(start >= Self.nine + .minutes(55))
        #expect(["bs-01", "bs-02"].contains(slot["practitionerId"]?.string))
      }
      #expect(!alternatives.isEmpty)
    }
  }
}
