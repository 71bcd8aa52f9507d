import Coordinator
import Domain
import Testing

/// Where everything stands, and from where the feed goes on.
@Suite struct SnapshotTests {
  private func snapshot(
    _ world: World, _ caller: Caller? = nil, _ filter: EventFilter = EventFilter(), limit: Int = 100
  ) async throws -> JSON {
    try await world.coordinator.snapshot(Call(caller ?? world.monitor), filter: filter, limit: limit).json
  }

  private func ids(_ json: JSON, _ list: String) -> Set<String> {
    Set(json[list]?["items"]?.array?.compactMap { $0["id"]?.string } ?? [])
  }

  @Test func anEmptyProvince() async throws {
    try await withWorld { world async throws in
      let json = try await snapshot(world)
      let head = try await world.coordinator.logBounds().head
      #expect(json["cursor"]?.string == head.text)
      #expect(ids(json, "consults").isEmpty && ids(json, "trips").isEmpty && json["presence"] == [])
      // The position that it gives is served.
      let page = try await world.coordinator.eventPage(
        Call(world.monitor), after: json["cursor"]?.string, filter: EventFilter(), limit: 10)
      #expect(page.items.isEmpty)
    }
  }

  /// What stands in a list stands here alike; what has ended does not.
  @Test func showsWhatTheListsShow() async throws {
    try await withWorld { world async throws in
      let requested = try await world.requested()
      let booked = try await world.requested()
      try await world.book(booked)
      let cancelled = try await world.requested()
      try await world.move(cancelled, .cancel, by: world.station, ["reason": "Đã khỏe"])
      let trip = try await world.trip()
      let closed = try await world.trip()
      try await world.milestone(closed, .cancelled, by: world.dispatcher)
      for caller in [world.station, world.specialist, world.dispatcher, world.monitor, world.auditor, world.crew] {
        let json = try await snapshot(world, caller)
        var filter = ConsultFilter()
        filter.states = ConsultState.open
        let consults = try await world.coordinator.consults(Call(caller), filter, page: Page())
        let trips = try await world.coordinator.trips(Call(caller), TripFilter(open: true), page: Page())
        #expect(json["consults"]?["items"] == consults.json["items"], "\(caller.username)")
        #expect(json["trips"]?["items"] == trips.json["items"], "\(caller.username)")
        #expect(json["consults"]?["next"] == nil && json["trips"]?["next"] == nil)
      }
      let seen = try await snapshot(world)
      #expect(ids(seen, "consults") == [requested, booked] && ids(seen, "trips") == [trip])
      #expect(ids(try await snapshot(world, world.foreigner), "consults").isEmpty)
    }
  }

  @Test func thePositionIsThere() async throws {
    try await withWorld { world async throws in
      let trip = try await world.trip()
      let position = Position(json: ["at": .instant(World.now), "lat": .double(19.85), "lon": .double(105.75)])
      _ = try await world.coordinator.recordPositions(
        Call(world.crew), trip: trip, [try #require(position)])
      let shown = try await snapshot(world)["trips"]?["items"]?.array?.first
      #expect(shown?["position"]?["lat"]?.number == 19.85 && shown?["position"]?["stale"] == false)
    }
  }

  @Test func filtersAsTheFeedDoes() async throws {
    try await withWorld { world async throws in
      let here = try await world.requested()
      let there = try await world.requested(by: world.otherStation)
      let neurology = try await world.requested(["specialty": "neurology"])
      let trip = try await world.trip()
      let station = try await snapshot(world, nil, EventFilter(facilities: ["38001"]))
      #expect(ids(station, "consults") == [here, neurology] && ids(station, "trips") == [trip])
      let other = try await snapshot(world, nil, EventFilter(facilities: ["38002", "40001"]))
      #expect(ids(other, "consults") == [there] && ids(other, "trips").isEmpty)
      let specialty = try await snapshot(world, nil, EventFilter(specialties: ["neurology"]))
      #expect(ids(specialty, "consults") == [neurology] && ids(specialty, "trips").isEmpty)
      #expect(ids(try await snapshot(world, nil, EventFilter(specialties: ["astrology"])), "consults").isEmpty)
    }
  }

  /// What does not fit is in the ordinary lists, from `next` on.
  @Test func goesOnInTheLists() async throws {
    try await withWorld { world async throws in
      var consults: Set<String> = []
      for _ in 0..<5 { consults.insert(try await world.requested()) }
      let trips: Set<String> = [try await world.trip(), try await world.trip()]
      let json = try await snapshot(world, limit: 2)
      var seen = ids(json, "consults")
      #expect(seen.count == 2)
      var filter = ConsultFilter()
      filter.states = ConsultState.open
      let rest = try await world.coordinator.consults(
        Call(world.monitor), filter, page: Page(after: json["consults"]?["next"]?.string))
      seen.formUnion(rest.items.compactMap { $0["id"]?.string })
      #expect(seen == consults)
      #expect(ids(json, "trips") == trips && json["trips"]?["next"] == nil)
    }
  }

  @Test func whoIsInTheCalls() async throws {
    try await withWorld { world async throws in
      let talking = try await world.requested()
      try await world.book(talking)
      let empty = try await world.requested()
      let ended = try await world.requested()
      try await world.move(ended, .cancel, by: world.station, ["reason": "Đã khỏe"])
      try await world.store.write { tx in
        try tx.insertCallRoom(talking, node: "a", document: "{\"seats\":[{\"id\":\"p1\"},{\"id\":\"p2\"}]}")
        try tx.insertCallRoom(empty, node: "a", document: "{}")
        try tx.insertCallRoom(ended, node: "a", document: "{\"seats\":[{\"id\":\"p1\"}]}")
      }
      let expected: JSON = [["consultId": .string(talking), "participants": 2]]
      for caller in [world.monitor, world.station, world.specialist, world.admin] {
        #expect(try await snapshot(world, caller)["presence"] == expected, "\(caller.username)")
      }
      #expect(try await snapshot(world, world.otherStation)["presence"] == [])
      #expect(try await snapshot(world, nil, EventFilter(facilities: ["38002"]))["presence"] == [])
    }
  }

  /// Showing a patient is a reading, wherever it happens.
  @Test func isLoggedAsReading() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let trip = try await world.trip()
      let before = try await world.accessLog().count
      _ = try await snapshot(world, world.monitor)
      #expect(try await world.accessLog().count == before)
      _ = try await snapshot(world, world.auditor)
      let subjects = try await world.accessLog().dropFirst(before).map(\.subject)
      #expect(Set(subjects) == ["consults/" + id, "trips/" + trip])
    }
  }

  @Test func whoHasNoGrantIsRefused() async throws {
    try await withWorld { world async throws in
      let refusal = await #expect(throws: Rejection.self) { try await snapshot(world, world.nobody) }
      #expect(refusal?.code == .forbidden)
    }
  }

  /// Beside writers, every snapshot is what the log says up to its cursor, and nothing more.
  @Test func rowsAndCursorAreOfOneMoment() async throws {
    try await withWorld { world async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            for _ in 0..<25 {
              let id = try await world.requested()
              try await world.move(id, .accept, by: world.specialist)
              try await world.move(id, .cancel, by: world.station, ["reason": "Đã khỏe"])
            }
          }
        }
        for _ in 0..<2 {
          group.addTask {
            for _ in 0..<25 {
              let json = try await snapshot(world)
              let cursor = try #require(json["cursor"]?.string.flatMap(Cursor.init))
              var states: [String: String] = [:]
              for event in try await world.events() where event.seq <= cursor.seq {
                states[event.subject] = try JSON(parsing: event.data)["state"]?.string
              }
              let open = states.filter { $0.value != "cancelled" }
              let rows = json["consults"]?["items"]?.array?.map { item in
                ("consults/" + (item["id"]?.string ?? ""), item["state"]?.string ?? "")
              }
              #expect(Dictionary(uniqueKeysWithValues: rows ?? []) == open)
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }
}
