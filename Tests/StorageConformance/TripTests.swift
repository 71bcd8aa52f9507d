import Coordinator
import Domain
import Storage
import Testing

@Suite struct TripTests {
  private static func position(_ second: Int64) -> Position {
    Position(
      at: Fixture.now + .seconds(second), latitude: 19.8 + Double(second) / 10_000, longitude: 105.7, speed: 12.5,
      heading: 90, accuracy: 8)
  }

  @Test(arguments: Engine.allCases) func roundTrips(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      var bare = Fixture.trip(vehicle: nil)
      bare.patient = nil
      bare.facility = nil
      bare.destination = Place(latitude: 1.5, longitude: 2, label: "Cổng B")
      let trips = [bare, Fixture.trip(consult: consult.id)]
      try await store.write { tx in
        try tx.insert(consult)
        for trip in trips { try tx.insert(trip) }
      }
      for trip in trips { #expect(try await store.read { try $0.trip(trip.id) } == trip) }
      #expect(try await store.read { try $0.trip("nobody") } == nil)
    }
  }

  @Test(arguments: Engine.allCases) func updatesAndStaleVersions(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let trip = Fixture.trip()
      let updated = try await store.write { tx -> Trip in
        try tx.insert(trip)
        var changed = trip
        changed.position = Self.position(5)
        changed.vehicle = nil
        changed.priority = .emergency
        changed.destination = Place(facility: "38001")
        try tx.update(&changed)
        return changed
      }
      await store.expectStale { tx in
        var old = trip
        try tx.update(&old)
      }
      #expect(updated.version == 2)
      #expect(try await store.read { try $0.trip(trip.id) } == updated)
    }
  }

  @Test(arguments: Engine.allCases) func milestones(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let trip = Fixture.trip()
      let milestones = [
        RecordedMilestone(milestone: .enRoute, at: Fixture.now, recordedAt: Fixture.now, flags: []),
        RecordedMilestone(
          milestone: .atScene, at: Fixture.now - .minutes(9), recordedAt: Fixture.now + .minutes(1),
          flags: ["late", "inverted"]),
      ]
      try await store.write { tx in
        try tx.insert(trip)
        for milestone in milestones.reversed() { try tx.insert(milestone, trip: trip.id) }
      }
      #expect(try await store.read { try $0.trip(trip.id)?.milestones } == milestones)
      // A step is kept once.
      await #expect(throws: StoreFailure.self) { try await store.write { try $0.insert(milestones[0], trip: trip.id) } }
    }
  }

  @Test(arguments: Engine.allCases) func positionsAreTrimmedToTheNewest(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let trip = Fixture.trip()
      try await store.write { tx in
        try tx.insert(trip)
        let count = Int64(Limits.positionsKept)
        // In any order, and the same time again is the same position.
        try tx.insert((0..<count).map(Self.position), trip: trip.id)
        try tx.insert((count..<count + 50).reversed().map(Self.position), trip: trip.id)
        try tx.insert([Self.position(count)], trip: trip.id)
      }
      #expect(try await store.int(SQL("SELECT count(*) FROM trip_position")) == Int64(Limits.positionsKept))
      let first = try await store.int(SQL("SELECT min(at) FROM trip_position"))
      #expect(first == Self.position(50).at.milliseconds)
    }
  }

  @Test(arguments: Engine.allCases) func whoRidesForAConsult(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      var closed = Fixture.trip(consult: consult.id, vehicle: "xe-02")
      closed.milestones = [
        RecordedMilestone(milestone: .handedOver, at: Fixture.now, recordedAt: Fixture.now, flags: [])
      ]
      let trips = [
        Fixture.trip(consult: consult.id), Fixture.trip(consult: consult.id), closed,
        Fixture.trip(consult: consult.id, vehicle: nil), Fixture.trip(vehicle: "xe-03"),
      ]
      try await store.write { tx in
        try tx.insert(consult)
        for trip in trips { try tx.insert(trip) }
      }
      #expect(try await store.read { try $0.vehicles(ridingFor: consult.id) } == ["xe-01"])
    }
  }

  @Test(arguments: Engine.allCases) func listsNewestFirst(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      let trips = (0..<7).map { index -> Trip in
        var trip = Fixture.trip(
          UUIDv7.make(at: Fixture.now + .minutes(Int64(index))), consult: index == 3 ? consult.id : nil,
          vehicle: index % 2 == 0 ? "xe-01" : "xe-02")
        if index == 5 {
          trip.milestones = [
            RecordedMilestone(milestone: .noPatient, at: Fixture.now, recordedAt: Fixture.now, flags: [])
          ]
        }
        return trip
      }
      try await store.write { tx in
        try tx.insert(consult)
        for trip in trips {
          try tx.insert(trip)
          for milestone in trip.milestones { try tx.insert(milestone, trip: trip.id) }
        }
      }
      func list(_ filter: TripFilter, _ page: Page = Page()) async throws -> [Trip] {
        try await store.read { try $0.trips(filter, page: page) }
      }
      let all = Array(trips.reversed())
      #expect(try await list(TripFilter()) == all)
      #expect(try await list(TripFilter(), Page(limit: 2)) == Array(all.prefix(2)))
      #expect(try await list(TripFilter(), Page(after: all[1].id, limit: 3)) == Array(all[2..<5]))
      #expect(try await list(TripFilter(vehicle: "xe-02")) == all.filter { $0.vehicle == "xe-02" })
      #expect(try await list(TripFilter(consult: consult.id)) == [trips[3]])
      #expect(try await list(TripFilter(open: true)) == all.filter { !$0.machine.isClosed })
      #expect(try await list(TripFilter(open: false)) == [trips[5]])
    }
  }

  @Test(arguments: Engine.allCases) func links(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let trip = Fixture.trip()
      let links = (1...2).map { index in
        TripLink(
          id: "l\(index)", trip: trip.id, secretHash: Secrets.hash("secret\(index)"), createdBy: "p1",
          expiresAt: Fixture.now + .hours(24))
      }
      try await store.write { tx in
        try tx.insert(trip)
        for link in links { try tx.insert(link) }
      }
      #expect(try await store.read { try $0.links(of: trip.id) } == links)
      #expect(try await store.read { try $0.link(secretHash: Secrets.hash("secret2")) } == links[1])
      #expect(try await store.read { try $0.link(secretHash: Secrets.hash("guess")) } == nil)
      let now = Fixture.now + .minutes(1)
      #expect(try await store.write { try $0.revokeLink("l1", trip: trip.id, at: now) })
      #expect(try await !store.write { try $0.revokeLink("l1", trip: trip.id, at: now) })
      #expect(try await !store.write { try $0.revokeLink("l2", trip: "another", at: now) })
      // A revoked link is still known as one that has ended.
      #expect(try await store.read { try $0.link(secretHash: Secrets.hash("secret1"))?.revokedAt } == now)
      #expect(try await store.read { try $0.links(of: trip.id) } == [links[1]])
    }
  }
}
