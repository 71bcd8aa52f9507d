package import Domain

extension Coordinator {
  /// A station asks for advice. A repeated `id` with the same body gets the first answer.
  package func requestConsult(_ call: Call, _ body: JSON) async throws -> Answer {
    let directory = try await directory.get()
    let caller = call.caller
    guard caller.has(.station) else { throw Rejection.forbidden }
    guard let station = body["stationId"]?.string ?? onlyStation(of: caller) else {
      throw Rejection.invalid("/stationId", "required", "You speak for several stations: say which.")
    }
    guard let facility = directory.facilities[station], facility.isValid(on: now().day) else {
      throw Rejection.invalid("/stationId", "unknown", "There is no such facility.")
    }
    try caller.require(.requestConsult(station: station))
    let hash = Secrets.sha256(body.bytes)
    return try await write(call) { tx, now in
      let id = body["id"]?.string ?? UUIDv7.make(at: now)
      if let known = try tx.consult(id) {
        guard known.bodyHash == hash, known.createdBy == caller.personId else {
          throw Rejection(.idTaken, "This id belongs to another consult.")
        }
        let first = known.asRequested
        return .created(try first.json(for: caller, directory, now: now), version: first.version)
      }
      let request = try ConsultRequest(json: body, on: now.day)
      let minutes = directory.urgencyMinutes[request.urgency] ?? 60
      let consult = Consult(
        id: id, station: station, requestedAt: now, dueAt: now + .minutes(minutes), createdBy: caller.personId,
        request: request, bodyHash: hash)
      try tx.insert(consult)
      try tx.setDeadline(.consultOverdue, subject: id, at: consult.dueAt)
      try tx.append(consult.event(.consultRequested, by: caller), at: now)
      return .created(try consult.json(for: caller, directory, now: now), version: consult.version)
    }
  }

  private func onlyStation(of caller: Caller) -> String? {
    let stations = caller.grants.filter { $0.role == .station }.flatMap(\.facilities)
    return stations.count == 1 ? stations.first : nil
  }

  /// One consult. Reading a patient's record is written to the access log before the answer.
  package func consult(_ call: Call, id: String) async throws -> Answer {
    let directory = try await directory.get()
    let now = now()
    let (consult, vehicles, outcomes, reasons) = try await store.read { tx in
      guard let consult = try tx.consult(id) else { throw Rejection.notFound }
      return (
        consult, try tx.vehicles(ridingFor: id), try tx.outcomes(of: id), try tx.reasons(of: id)
      )
    }
    try call.caller.require(.seeConsult(consult.scope(vehicles: vehicles)))
    try await logReads([consult], by: call.caller, vehicles: vehicles, at: now)
    let json = try consult.json(
      for: call.caller, directory, vehicles: vehicles, outcomes: outcomes, reasons: reasons, now: now)
    return .ok(json, version: consult.version)
  }

  package func consults(_ call: Call, _ filter: ConsultFilter, page: Page) async throws -> Answer {
    let directory = try await directory.get()
    let now = now()
    let caller = call.caller
    var filter = filter
    filter.reach = ConsultReach(caller)
    let reachable = filter
    try page.requireUUID()
    let (items, next) = try await store.read { tx in
      try page.fill {
        try tx.consults(reachable, page: $0)
      } id: {
        $0.id
      } where: {
        caller.may(.seeConsult($0.scope())) == .allowed
      }
    }
    try await logReads(items, by: caller, vehicles: [], at: now)
    return .list(try items.map { try $0.json(for: caller, directory, now: now) }, next: next)
  }

  /// The canonical document of a version: exactly the bytes that were hashed and signed.
  package func outcomeDocument(_ call: Call, consult id: String, version: Int64) async throws -> (
    bytes: [UInt8], sha256: String?
  ) {
    let (consult, outcome) = try await store.read { tx in
      (try tx.consult(id), try tx.outcome(of: id, version: version))
    }
    guard let consult else { throw Rejection.notFound }
    try call.caller.require(.seeConsult(consult.scope()))
    try call.caller.require(.readClinical(consult.scope()))
    guard let outcome else { throw Rejection.notFound }
    try await logReads([consult], by: call.caller, vehicles: [], at: now())
    return (outcome.document, outcome.signature?.sha256)
  }

  /// Writes who read which patients' records; only what is new within five minutes costs a write.
  func logReads(_ consults: [Consult], by caller: Caller, vehicles: [String], at now: Instant) async throws {
    try await log(consults.compactMap { AccessEntry(reading: $0, vehicles: vehicles, by: caller, at: now) })
  }

  func log(_ entries: [AccessEntry]) async throws {
    guard !entries.isEmpty else { return }
    let new = try await store.read { try $0.unlogged(entries) }
    guard !new.isEmpty else { return }
    try await store.write { try $0.log(new) }
  }
}

extension ConsultReach {
  /// The consults that the caller may see, and perhaps some more: one by one `Caller.may` decides.
  init(_ caller: Caller) {
    self.init(
      facilities: caller.listed, practitioner: caller.has(.specialist) ? caller.practitionerId : nil,
      specialty: caller.has(.specialist) ? caller.specialty : nil)
  }
}

extension Caller {
  /// Facilities whose consults and trips the caller is shown as such, not as the one who treats or rides.
  var listed: Set<String> {
    [Role.station, .dispatcher, .monitor, .admin, .auditor].reduce(into: []) { $0.formUnion(scopes[$1] ?? []) }
  }
}

extension AccessEntry {
  /// That the caller is shown this consult's record; nil when what they are shown holds no patient.
  init?(reading consult: Consult, vehicles: [String] = [], by caller: Caller, at now: Instant) {
    let scope = consult.scope(vehicles: vehicles)
    guard caller.may(.readPatient(scope)) == .allowed || caller.may(.readClinical(scope)) == .allowed else {
      return nil
    }
    self.init(caller, "read", consult.subject, facility: consult.station, at: now)
  }

  /// That the caller is shown this trip's patient; nil when they are not.
  init?(reading trip: Trip, scope: TripScope, by caller: Caller, at now: Instant) {
    guard trip.patient != nil, caller.may(.readTripPatient(scope)) == .allowed else { return nil }
    self.init(caller, "read", trip.subject, facility: trip.facility, at: now)
  }

  init(_ caller: Caller, _ action: String, _ subject: String, facility: String?, at now: Instant) {
    self.init(
      at: now, person: caller.personId, personName: caller.name, action: action, subject: subject, facility: facility)
  }
}

extension Consult {
  /// The consult's wire form with the names from the directory.
  func json(
    for caller: Caller, _ directory: Directory, vehicles: [String] = [], outcomes: [Outcome] = [],
    reasons: [ConsultReason] = [], now: Instant
  ) throws -> JSON {
    try json(
      for: caller, vehicles: vehicles, stationName: directory.facilityName(station),
      practitionerName: directory.practitionerName(practitioner), outcomes: outcomes, reasons: reasons, now: now)
  }

  /// An event about this consult as it stands now.
  func event(_ type: EventType, by caller: Caller?, _ more: (inout EventData) -> Void = { _ in }) -> EventDraft {
    var data = EventData()
    data.consultId = id
    data.state = state.rawValue
    data.urgency = urgency
    data.specialty = specialty
    data.mode = mode
    data.stationId = station
    data.practitionerId = practitioner
    data.start = appointment?.start
    data.end = appointment?.end
    if type == .consultRequested || type == .consultEscalated { data.dueAt = dueAt }
    more(&data)
    return EventDraft(
      type: type, subject: subject, facilities: facilities, specialty: specialty, actor: caller?.personId ?? "system",
      data: data)
  }
}
