package import Domain

extension Coordinator {
  package func facilities(_ call: Call, query: String?, page: Page) async throws -> Answer {
    try call.caller.require(.readDirectory)
    let key = query.map { Folded.key($0) }
    let found = try await store.read { tx in
      try page.require { try tx.facility($0) != nil }
      return try tx.facilities(query: key, page: Page(after: page.after, limit: page.limit + 1))
    }
    let items = found.prefix(page.limit)
    return .list(items.map(\.json), next: found.count > page.limit ? items.last?.code : nil)
  }

  package func practitioners(_ call: Call, _ filter: PractitionerFilter, page: Page) async throws -> Answer {
    try call.caller.require(.readDirectory)
    let directory = try await directory.get()
    var filter = filter
    filter.query = filter.query.map { Folded.key($0) }
    let folded = filter
    let found = try await store.read { tx in
      try page.require { try tx.practitioner($0) != nil }
      return try tx.practitioners(folded, page: Page(after: page.after, limit: page.limit + 1))
    }
    let items = found.prefix(page.limit)
    return .list(
      items.map { $0.json(facilityName: directory.facilityName($0.facility)) },
      next: found.count > page.limit ? items.last?.id : nil)
  }

  package func specialties(_ call: Call, query: String?) throws -> Answer {
    try call.caller.require(.readDirectory)
    let key = query.map { Folded.key($0) }
    let items = Specialty.allCases.filter { specialty in
      guard let key else { return true }
      return [specialty.rawValue, specialty.name.vi, specialty.name.en].contains { Folded.key($0).contains(key) }
    }
    return .list(items.map(\.json), next: nil)
  }

  package func vehicles(_ call: Call, page: Page) async throws -> Answer {
    try call.caller.require(.readDirectory)
    let found = try await store.read { tx in
      try page.require { try tx.vehicle($0) != nil }
      return try tx.vehicles(page: Page(after: page.after, limit: page.limit + 1))
    }
    let items = found.prefix(page.limit)
    return .list(items.map(\.json), next: found.count > page.limit ? items.last?.id : nil)
  }

  /// Loads facilities, practitioners, schedules and vehicles, all or nothing; `more` belongs to the same transaction.
  package func load(
    _ batch: DirectoryBatch, people: [Person] = [], meta: [String: String] = [:]
  ) async throws {
    let now = now()
    try await store.write { tx in
      try tx.save(batch)
      for person in people where try tx.person(username: person.username) == nil { try tx.insert(person) }
      for (name, value) in meta { try tx.setMeta(name, value) }
      let known = Dictionary(batch.practitioners.map { ($0.id, $0) }) { $1 }
      for id in Set(batch.sessions.map(\.practitioner)).sorted() where meta.isEmpty {
        var data = EventData()
        data.practitionerId = id
        let practitioner = try known[id] ?? tx.practitioner(id)
        data.specialty = practitioner?.specialty
        try tx.append(
          EventDraft(
            type: .scheduleChanged, subject: "practitioners/\(id)",
            facilities: practitioner.map { [$0.facility] } ?? [],
            specialty: practitioner?.specialty, actor: "system", data: data), at: now)
      }
    }
    directoryChanged()
    timesChanged(nil)
  }
}
