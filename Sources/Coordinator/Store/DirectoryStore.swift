package import Domain

package struct PractitionerFilter: Sendable, Equatable {
  package var query: String?
  package var specialty: Specialty?
  package var facility: String?
  package init(query: String? = nil, specialty: Specialty? = nil, facility: String? = nil) {
    self.query = query
    self.specialty = specialty
    self.facility = facility
  }
}

package protocol DirectoryStore {
  func facility(_ code: String) throws -> Facility?
  /// In the order of their folded names; `query` is a folded prefix of any word.
  func facilities(query: String?, page: Page) throws -> [Facility]
  func facilityParents() throws -> [(code: String, parent: String?)]
  func practitioner(_ id: String) throws -> Practitioner?
  func practitioners(_ filter: PractitionerFilter, page: Page) throws -> [Practitioner]
  func sessions(of practitioner: String) throws -> [ScheduleSession]
  func vehicle(_ id: String) throws -> Vehicle?
  func vehicles(page: Page) throws -> [Vehicle]

  /// Everything that slot search needs, read at once for the cache.
  func calendars() throws -> [(practitioner: Practitioner, sessions: [ScheduleSession])]

  /// Inserts or replaces by id; the sessions of every practitioner named in the batch are replaced as a whole.
  func save(_ batch: DirectoryBatch) throws

  /// A named number that an administrator may change, such as `urgency.urgent.minutes`.
  func setting(_ name: String) throws -> Int64?
}

extension DirectoryStore {
  /// Every facility: a few hundred in a province.
  package func allFacilities() throws -> [Facility] {
    var all: [Facility] = []
    while true {
      let page = try facilities(query: nil, page: Page(after: all.last?.code, limit: 1000))
      all += page
      if page.count < 1000 { return all }
    }
  }
}
