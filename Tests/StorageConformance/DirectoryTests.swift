import Coordinator
import Domain
import Storage
import Testing

@Suite struct DirectoryTests {
  @Test(arguments: Engine.allCases) func roundTrips(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      for facility in Fixture.directory.facilities {
        #expect(try await store.read { try $0.facility(facility.code) } == facility)
      }
      for practitioner in Fixture.directory.practitioners {
        #expect(try await store.read { try $0.practitioner(practitioner.id) } == practitioner)
      }
      #expect(try await store.read { try $0.sessions(of: "bs-01") } == Fixture.directory.sessions)
      #expect(try await store.read { try $0.sessions(of: "bs-02") }.isEmpty)
      #expect(try await store.read { try $0.vehicle("xe-01") } == Fixture.directory.vehicles[0])
      #expect(try await store.read { try $0.facility("nobody") } == nil)
      let calendars = try await store.read { try $0.calendars() }
      #expect(calendars.map(\.practitioner) == Fixture.directory.practitioners)
      #expect(calendars.map(\.sessions.count) == [7, 0])
      let parents = try await store.read { try $0.facilityParents() }
      #expect(Dictionary(uniqueKeysWithValues: parents.map { ($0.code, $0.parent) })["38001"] == "38000")
    }
  }

  /// Again the same, with other names, a parent behind its child, and sessions that replace the old as a whole.
  @Test(arguments: Engine.allCases) func savesAgain(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      var batch = DirectoryBatch(
        facilities: [
          Facility(code: "38003", name: "Trạm mới", kind: .station, province: "38", parent: "38100"),
          Facility(code: "38100", name: "Trung tâm", kind: .centre, province: "38", parent: "38000"),
          Facility(
            code: "38001", name: "Đổi tên", kind: .station, province: "38", communeCode: "14758", parent: nil,
            successor: "38003", validFrom: CalendarDay("2020-01-01"), validTo: CalendarDay("2026-12-31"),
            latitude: -1.25, longitude: 0, phone: "0237"),
        ],
        practitioners: [
          Practitioner(
            id: "bs-01", name: "Khác", facility: "38100", specialty: .surgery, phone: "1",
            validTo: CalendarDay("2027-01-01"))
        ],
        sessions: [
          ScheduleSession(
            id: "new", practitioner: "bs-01", weekday: 7, startMinute: 1200, endMinute: 1800, visitMinutes: 5,
            validFrom: CalendarDay("2026-11-01"), validTo: CalendarDay("2027-11-01"), everyWeeks: 2, weekOffset: 1)
        ], vehicles: [Vehicle(id: "xe-01", label: "Khác", facility: "38001", kind: "car")])
      for _ in 0..<2 {
        try await store.write { [batch] in try $0.save(batch) }
        for facility in batch.facilities {
          #expect(try await store.read { try $0.facility(facility.code) } == facility)
        }
        #expect(try await store.read { try $0.practitioner("bs-01") } == batch.practitioners[0])
        #expect(try await store.read { try $0.sessions(of: "bs-01") } == batch.sessions)
        #expect(try await store.read { try $0.vehicle("xe-01") } == batch.vehicles[0])
      }
      // Sessions of nobody in the batch stay.
      batch.sessions = []
      try await store.write { [batch] in try $0.save(batch) }
      #expect(try await store.read { try $0.sessions(of: "bs-01").count } == 1)
    }
  }

  @Test(arguments: Engine.allCases) func refersToWhatIsThere(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let practitioner = Practitioner(id: "x", name: "X", facility: "00000", specialty: .surgery)
      await #expect(throws: StoreFailure.self) {
        try await store.write { try $0.save(DirectoryBatch(practitioners: [practitioner])) }
      }
      let facility = Facility(code: "38009", name: "X", kind: .station, province: "38", parent: "00000")
      await #expect(throws: StoreFailure.self) {
        try await store.write { try $0.save(DirectoryBatch(facilities: [facility])) }
      }
      #expect(try await store.read { try $0.facility("38009") } == nil)
    }
  }

  @Test(
    arguments: Engine.allCases,
    [
      ("tram", ["38002", "38001"]), ("hac", ["38001"]), ("thanh", ["38001", "38000"]), ("ac", []),
      ("da khoa", ["38901"]),
      ("y te dong", ["38002"]), ("380", ["38002", "38001", "38000"]), ("38901", ["38901"]), ("8901", []), ("%", []),
      ("_", []), ("!", []), ("'", []),
    ] as [(String, Set<String>)])
  func searches(engine: Engine, search: (query: String, codes: Set<String>)) async throws {
    try await engine.withStore { store async throws in
      let found = try await store.read { try $0.facilities(query: search.query, page: Page()) }
      #expect(Set(found.map(\.code)) == search.codes)
    }
  }

  @Test(arguments: Engine.allCases) func listsInTheOrderOfNames(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      var batch = DirectoryBatch()
      let names = ["Bích", "Ánh", "An", "Bích", "Đào", "Dung", "Ái", "An"]
      for (index, name) in names.enumerated() {
        batch.practitioners.append(
          Practitioner(id: "q\(index)", name: "Lê \(name)", facility: "38901", specialty: .surgery))
      }
      try await store.write { [batch] in try $0.save(batch) }
      let filter = PractitionerFilter(specialty: .surgery)
      let all = try await store.read { try $0.practitioners(filter, page: Page()) }
      // Equal names by their id; a page that begins between them leaves none out.
      let expected = batch.practitioners.sorted {
        (NameOrder.key($0.name), $0.id) < (NameOrder.key($1.name), $1.id)
      }
      #expect(all == expected)
      var paged: [Practitioner] = []
      while true {
        let page = try await store.read { [after = paged.last?.id] in
          try $0.practitioners(filter, page: Page(after: after, limit: 3))
        }
        paged += page
        if page.count < 3 { break }
      }
      #expect(paged == all)
      #expect(try await store.read { try $0.practitioners(.init(facility: "38901"), page: Page()) }.count == 10)
      #expect(try await store.read { try $0.practitioners(.init(query: "bich"), page: Page()) }.count == 3)
      #expect(
        try await store.read { try $0.practitioners(.init(query: "bich", specialty: .neurology), page: Page()) }
          .map(\.id) == ["bs-02"])
    }
  }

  @Test(arguments: Engine.allCases) func vehiclesByLabel(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let vehicles = ["C", "A", "B", "A"].enumerated().map {
        Vehicle(id: "v\($0.offset)", label: $0.element, facility: "38001", kind: "car")
      }
      try await store.write { try $0.save(DirectoryBatch(vehicles: vehicles)) }
      let first = try await store.read { try $0.vehicles(page: Page(limit: 2)).map(\.id) }
      #expect(first == ["v1", "v3"])
      #expect(
        try await store.read { try $0.vehicles(page: Page(after: "v3", limit: 9)).map(\.id) } == ["v2", "v0", "xe-01"])
    }
  }
}
