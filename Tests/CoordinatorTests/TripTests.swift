import Coordinator
import Domain
import Testing

@Suite struct TripTests {
  private static func position(_ at: Instant, _ latitude: Double = 19.85) -> Position {
    Position(at: at, latitude: latitude, longitude: 105.72, speed: 12, heading: 90, accuracy: 5)
  }

  @discardableResult
  private func send(_ world: World, _ id: String, _ positions: [Position], by caller: Caller? = nil) async throws
    -> Answer
  {
    try await world.coordinator.recordPositions(Call(caller ?? world.crew), trip: id, positions)
  }

  private func read(_ world: World, _ id: String, by caller: Caller? = nil) async throws -> JSON {
    try await world.coordinator.trip(Call(caller ?? world.dispatcher), id: id).json
  }

  // MARK: Asking

  @Test func asks() async throws {
    try await withWorld { world async throws in
      let answer = try await world.coordinator.requestTrip(Call(world.station), World.tripBody())
      let json = answer.json
      #expect(answer.status == .created && answer.version == 1)
      #expect(json["state"] == "requested" && json["facilityId"] == "38001" && json["vehicleLabel"] == "Xe 01")
      #expect(json["destination"]?["label"] == "Bệnh viện tỉnh" && json["destination"]?["lat"]?.number == 19.8)
      #expect(json["patient"] == World.patient && json["closed"] == false)
      let event = try #require(try await world.events().first)
      #expect(event.type == "trip.requested" && event.facilities == ["38001", "38901"])
      for secret in ["Hoa", "19.9", "105.7", "Nhà"] { #expect(!event.cloudEvent.contains(secret)) }
    }
  }

  @Test func aTripOfAConsultBelongsToItsStation() async throws {
    try await withWorld { world async throws in
      let consult = try await world.requested()
      let id = try await world.trip(["consultId": .string(consult)], by: world.dispatcher)
      #expect(try await read(world, id)["facilityId"] == "38001")
      // Its specialist watches and advises.
      try await world.move(consult, .accept, by: world.specialist)
      let json = try await read(world, id, by: world.specialist)
      #expect(json["patient"] != nil && json["allowed"] == [])
    }
  }

  @Test func refuses() async throws {
    try await withWorld { world async throws in
      let foreign = try await world.requested(by: world.otherStation)
      let cases: [(KeyValuePairs<String, JSON?>, String)] = [
        (["vehicleId": "xe-99"], "/vehicleId"), (["destination": ["facilityId": "99999"]], "/destination/facilityId"),
        (["consultId": "nothing"], "/consultId"), (["consultId": .string(foreign)], "/consultId"),
        (["patient": ["name": " "]], "/patient/name"),
      ]
      for (changes, pointer) in cases {
        let refusal = await #expect(throws: Rejection.self) { try await world.trip(changes) }
        #expect(refusal?.code == .invalid && refusal?.fields.map(\.pointer) == [pointer])
      }
      for caller in [world.crew, world.monitor, world.auditor, world.specialist, world.admin, world.nobody] {
        let refusal = await #expect(throws: Rejection.self) { try await world.trip(by: caller) }
        #expect(refusal?.code == .forbidden, "\(caller.username)")
      }
      #expect(try await world.types() == ["consult.requested"])
    }
  }

  @Test func aRepeatedIdGetsTheFirstAnswer() async throws {
    try await withWorld { world async throws in
      let body = World.tripBody(["id": "019aa000-0000-7000-8000-000000000009"])
      let first = try await world.coordinator.requestTrip(Call(world.station), body)
      // Planned anew, shared, under way, and back.
      let change: JSON = ["vehicleId": "xe-02", "priority": "emergency", "destination": ["facilityId": "38902"]]
      _ = try await world.coordinator.changeTrip(Call(world.dispatcher), id: first.id, change)
      _ = try await world.coordinator.shareTrip(Call(world.station), trip: first.id)
      try await world.milestone(first.id, .enRoute, by: world.dispatcher)
      try await send(world, first.id, [Self.position(World.now)], by: world.dispatcher)
      #expect(try await world.coordinator.requestTrip(Call(world.station), body) == first)
      for (caller, body) in [
        (world.dispatcher, body),
        (world.station, World.tripBody(["id": .string(first.id), "priority": "planned"])),
      ] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.requestTrip(Call(caller), body)
        }
        #expect(refusal?.code == .idTaken)
      }
    }
  }

  @Test func plansAnew() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      let answer = try await world.coordinator.changeTrip(
        Call(world.dispatcher, ifMatch: 1), id: id, ["vehicleId": "xe-02", "priority": "emergency"])
      #expect(answer.version == 2 && answer.json["vehicleLabel"] == "Xe 02" && answer.json["priority"] == "emergency")
      let stale = await #expect(throws: Rejection.self) {
        try await world.coordinator.changeTrip(Call(world.dispatcher, ifMatch: 1), id: id, ["vehicleId": "xe-01"])
      }
      #expect(stale?.code == .preconditionFailed)
      // The ride is the other crew's now.
      let hidden = await #expect(throws: Rejection.self) { try await read(world, id, by: world.crew) }
      #expect(hidden?.code == .notFound)
      #expect(try await read(world, id, by: world.otherCrew)["patient"] != nil)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.changeTrip(Call(world.otherCrew), id: id, ["vehicleId": "xe-01"])
      }
      #expect(refusal?.code == .forbidden)
      try await world.milestone(id, .cancelled, by: world.dispatcher)
      let closed = await #expect(throws: Rejection.self) {
        try await world.coordinator.changeTrip(Call(world.dispatcher), id: id, ["vehicleId": "xe-01"])
      }
      #expect(closed?.code == .illegalTransition)
    }
  }

  // MARK: On the way

  @Test func milestones() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      let (first, second) = (World.now + .seconds(1), World.now + .seconds(2))
      world.clock.move(by: .minutes(6))
      let json = try await world.milestone(id, .enRoute, at: first).json
      #expect(json["state"] == "enRoute")
      #expect(
        json["milestones"] == [
          [
            "milestone": "enRoute", "at": .string(first.text), "recordedAt": .string(world.clock.now.text),
            "flags": ["late"],
          ]
        ])
      // An offline phone repeats itself: nothing new.
      #expect(try await world.milestone(id, .enRoute, at: first).json == json)
      let refusal = await #expect(throws: Rejection.self) { try await world.milestone(id, .enRoute, at: second) }
      #expect(refusal?.code == .illegalTransition)
      try await world.milestone(id, .handedOver)
      #expect(
        try await world.types(of: "trips/" + id) == [
          "trip.requested", "trip.milestone", "trip.milestone", "trip.closed",
        ])
      let data = try JSON(parsing: try await world.events()[1].data)
      #expect(data["milestone"] == "enRoute" && data["flags"] == ["late"] && data["at"]?.string == first.text)
    }
  }

  @Test func whoRecords() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      for (caller, code) in [
        (world.station, Rejection.Code.forbidden), (world.monitor, .forbidden), (world.otherCrew, .notFound),
        (world.foreigner, .notFound), (world.specialist, .notFound),
      ] {
        let milestone = await #expect(throws: Rejection.self) { try await world.milestone(id, .enRoute, by: caller) }
        #expect(milestone?.code == code, "\(caller.username)")
        let position = await #expect(throws: Rejection.self) {
          try await send(world, id, [Self.position(World.now)], by: caller)
        }
        #expect(position?.code == code, "\(caller.username)")
      }
      try await world.milestone(id, .dispatched, by: world.dispatcher)
      try await world.milestone(id, .acknowledged, by: world.crew)
    }
  }

  @Test func positions() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      try await world.milestone(id, .enRoute)
      let now = World.now
      let answer = try await send(
        world, id,
        [
          Self.position(now - .seconds(5), 19.86), Self.position(now - .seconds(20), 19.87),
          Self.position(now + .minutes(2) + .milliseconds(1), 19.88),
        ])
      // The one from the future counts as now.
      #expect(answer.json == ["accepted": 3, "clockAhead": 1])
      var json = try await read(world, id)
      #expect(json["position"]?["lat"]?.number == 19.88 && json["position"]?["at"]?.string == now.text)
      #expect(json["position"]?["stale"] == false && json["eta"]?["basis"] == "straightLine")
      #expect(world.published.events.map(\.time) == [now])
      // What was sent late moves nothing back.
      try await send(world, id, [Self.position(now - .seconds(50), 19.9)])
      #expect(try await read(world, id)["position"]?["lat"]?.number == 19.88)
      #expect(world.published.events.count == 1)
      world.clock.move(by: .seconds(60))
      json = try await read(world, id)
      #expect(json["position"]?["stale"] == true && json["position"]?["ageSeconds"] == 60 && json["eta"] == nil)
      #expect(try await world.types(of: "trips/" + id) == ["trip.requested", "trip.milestone"])
    }
  }

  @Test func aClosedTripShowsNoPosition() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      try await world.milestone(id, .enRoute)
      try await send(world, id, [Self.position(World.now)])
      world.clock.move(by: .seconds(5))
      try await world.milestone(id, .handedOver)
      // What a dead zone kept from before the end is taken; what comes from after it is nobody's business.
      try await send(world, id, [Self.position(World.now + .seconds(3))])
      let refusal = await #expect(throws: Rejection.self) {
        try await send(world, id, [Self.position(World.now + .seconds(6))])
      }
      #expect(refusal?.code == .illegalTransition)
      let json = try await read(world, id)
      #expect(json["position"] == nil && json["eta"] == nil && json["closed"] == true)
      #expect(world.published.events.count == 1)
    }
  }

  @Test func listsWhatMayBeSeen() async throws {
    try await withWorld { world async throws in
      var ids: [String] = []
      for index in 0..<6 {
        ids.append(
          try await world.trip(
            ["vehicleId": index % 2 == 0 ? "xe-01" : "xe-02"], by: index < 3 ? world.station : world.otherStation))
        world.clock.move(by: .seconds(1))
      }
      func list(_ caller: Caller, _ page: Page = Page()) async throws -> (ids: [String], next: String?) {
        let answer = try await world.coordinator.trips(Call(caller), TripFilter(), page: page)
        return (answer.items.compactMap { $0["id"]?.string }, answer.json["next"]?.string)
      }
      let newest = Array(ids.reversed())
      #expect(try await list(world.dispatcher).ids == newest)
      #expect(try await list(world.station).ids == Array(newest[3...]))
      #expect(try await list(world.crew).ids == newest.filter { ids.firstIndex(of: $0)! % 2 == 0 })
      #expect(try await list(world.foreigner).ids.isEmpty)
      let first = try await list(world.crew, Page(limit: 2))
      #expect(first.ids.count == 2 && first.next == first.ids.last)
      let second = try await list(world.crew, Page(after: first.next, limit: 2))
      #expect(first.ids + second.ids == newest.filter { ids.firstIndex(of: $0)! % 2 == 0 })
      #expect(second.next == nil)
    }
  }

  @Test func readsOfAPatientAreLogged() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      _ = try await read(world, id, by: world.monitor)
      #expect(try await world.accessLog().isEmpty)
      _ = try await read(world, id, by: world.dispatcher)
      // Also where it comes with the answer of a write.
      try await world.milestone(id, .enRoute, by: world.crew)
      #expect(try await world.accessLog().map(\.person) == ["dieuphoi", "xe"])
      #expect(try await world.accessLog().allSatisfy { $0.subject == "trips/" + id })
    }
  }

  // MARK: The family

  private func share(_ world: World, _ id: String) async throws -> (id: String, secret: String) {
    let json = try await world.coordinator.shareTrip(Call(world.station), trip: id).json
    let url = try #require(json["url"]?.string)
    #expect(url.hasPrefix("https://hoichan.test/track/"))
    return (try #require(json["id"]?.string), String(url.split(separator: "/").last ?? ""))
  }

  @Test func theFamilyFollows() async throws {
    try await withWorld { world async throws in
      let consult = try await world.requested()
      let id = try await world.trip(["consultId": .string(consult)])
      let (_, secret) = try await share(world, id)
      var json = try await world.coordinator.track(secret: secret)
      #expect(json == ["state": "requested", "position": .null, "eta": .null, "phone": "02371"])
      try await world.milestone(id, .enRoute)
      try await send(world, id, [Self.position(World.now)])
      json = try await world.coordinator.track(secret: secret)
      #expect(json["state"] == "onTheWay" && json["position"]?["stale"] == false)
      // Before departure an arrival would be at somebody's home.
      #expect(json["eta"] == nil)
      try await world.milestone(id, .departed)
      json = try await world.coordinator.track(secret: secret)
      #expect(json["state"] == "departed" && json["eta"]?["basis"] == "straightLine")
      // No ids, people, consult or origin.
      for secret in [id, consult, "xe", "Hoa", "Nhà", "105.7,", "19.9,", "speed", "accuracy", "bs-"] {
        #expect(!json.text.contains(secret), "\(secret) in \(json.text)")
      }
      world.clock.move(by: .seconds(60))
      #expect(try await world.coordinator.track(secret: secret)["position"]?["stale"] == true)
      try await world.milestone(id, .handedOver)
      let ended = await #expect(throws: Rejection.self) { try await world.coordinator.track(secret: secret) }
      #expect(ended?.code == .linkEnded)
      let late = await #expect(throws: Rejection.self) { try await share(world, id) }
      #expect(late?.code == .illegalTransition)
    }
  }

  @Test(arguments: Milestone.allCases.filter(\.isSideExit))
  func everySideExitSaysEnded(exit: Milestone) async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      let (_, secret) = try await share(world, id)
      try await world.milestone(id, .enRoute)
      try await send(world, id, [Self.position(World.now)])
      try await world.milestone(id, exit)
      let json = try await world.coordinator.track(secret: secret)
      #expect(json == ["state": "ended", "position": .null, "eta": .null, "phone": "02371"])
    }
  }

  @Test func aLinkEnds() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      let (first, second) = (try await share(world, id), try await share(world, id))
      #expect(try await read(world, id, by: world.station)["links"]?.array?.count == 2)
      #expect(try await read(world, id, by: world.monitor)["links"] == [])
      _ = try await world.coordinator.revokeLink(Call(world.station), trip: id, link: first.id)
      let revoked = await #expect(throws: Rejection.self) { try await world.coordinator.track(secret: first.secret) }
      #expect(revoked?.code == .linkEnded)
      let again = await #expect(throws: Rejection.self) {
        try await world.coordinator.revokeLink(Call(world.station), trip: id, link: first.id)
      }
      #expect(again?.code == .notFound)
      world.clock.move(by: TripLink.lifetime.almost)
      _ = try await world.coordinator.track(secret: second.secret)
      world.clock.move(by: .milliseconds(1))
      let old = await #expect(throws: Rejection.self) { try await world.coordinator.track(secret: second.secret) }
      #expect(old?.code == .linkEnded)
      let guess = await #expect(throws: Rejection.self) { try await world.coordinator.track(secret: "guess") }
      #expect(guess?.code == .notFound)
    }
  }

  @Test func linksAreBoundedAndGranted() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      for _ in 0..<Limits.linksPerTrip { _ = try await share(world, id) }
      let refusal = await #expect(throws: Rejection.self) { try await share(world, id) }
      #expect(refusal?.code == .tooMany)
      #expect(try await world.accessLog().count(where: { $0.action == "grant" }) == Limits.linksPerTrip)
      for (caller, code) in [(world.monitor, Rejection.Code.forbidden), (world.otherCrew, .notFound)] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.shareTrip(Call(caller), trip: id)
        }
        #expect(refusal?.code == code)
      }
    }
  }
}
