package import Domain

extension Coordinator {
  /// A station or dispatcher asks for an ambulance.
  package func requestTrip(_ call: Call, _ body: JSON) async throws -> Answer {
    let directory = try await directory.get()
    let caller = call.caller
    let hash = Secrets.sha256(body.bytes)
    let vehicle = body["vehicleId"]?.string
    return try await write(call) { tx, now in
      let id = body["id"]?.string ?? UUIDv7.make(at: now)
      if let first = try tx.tripAsRequested(id) {
        guard first.bodyHash == hash, first.createdBy == caller.personId else {
          throw Rejection(.idTaken, "This id belongs to another trip.")
        }
        let json = try Self.json(first, links: [], tx, caller, directory, now: now)
        return .created(json, version: first.version)
      }
      var facility = caller.grants.first { $0.role == .station || $0.role == .dispatcher }?.facilities.first
      if let consultId = body["consultId"]?.string {
        guard let consult = try tx.consult(consultId), caller.may(.seeConsult(consult.scope())) == .allowed else {
          throw Rejection.invalid("/consultId", "unknown", "There is no such consult.")
        }
        facility = consult.station
      }
      try caller.require(.requestTrip(facility: facility))
      let destination = Place(json: body["destination"] ?? .null)
      try Self.check(destination, vehicle: vehicle, tx, directory)
      let patient = try body["patient"].map { try Self.patient($0, on: now.day) }
      let trip = Trip(
        id: id, consult: body["consultId"]?.string, vehicle: vehicle,
        priority: body["priority"]?.string.flatMap(TripPriority.init(rawValue:)) ?? .urgent, facility: facility,
        origin: Place(json: body["origin"] ?? .null), destination: destination, patient: patient,
        createdBy: caller.personId, createdAt: now, bodyHash: hash)
      try tx.insert(trip)
      try tx.append(trip.event(.tripRequested, by: caller), at: now)
      let json = try Self.json(trip, tx, caller, directory, now: now)
      return .created(json, version: trip.version)
    }
  }

  private static func patient(_ json: JSON, on day: CalendarDay) throws -> Patient {
    let patient = Patient(json: json)
    let problems = patient.problems(from: json, on: day)
    guard problems.isEmpty else { throw Rejection(.invalid, "The input is not valid.", fields: problems) }
    return patient
  }

  private static func check(
    _ destination: Place, vehicle: String?, _ tx: any StoreTransaction, _ directory: Directory
  ) throws {
    if let code = destination.facility, directory.facilities[code] == nil {
      throw Rejection.invalid("/destination/facilityId", "unknown", "There is no such facility.")
    }
    if let vehicle, try tx.vehicle(vehicle) == nil {
      throw Rejection.invalid("/vehicleId", "unknown", "There is no such vehicle.")
    }
  }

  package func trip(_ call: Call, id: String) async throws -> Answer {
    let directory = try await directory.get()
    let now = now()
    let caller = call.caller
    let (trip, scope, json) = try await store.read { tx in
      guard let trip = try tx.trip(id) else { throw Rejection.notFound }
      let scope = try Self.scope(of: trip, tx)
      return (trip, scope, try Self.json(trip, tx, caller, directory, now: now))
    }
    try caller.require(.seeTrip(scope))
    try await log([AccessEntry(reading: trip, scope: scope, by: caller, at: now)].compactMap { $0 })
    return .ok(json, version: trip.version)
  }

  package func trips(_ call: Call, _ filter: TripFilter, page: Page) async throws -> Answer {
    let directory = try await directory.get()
    let now = now()
    let caller = call.caller
    try page.requireUUID()
    var filter = filter
    filter.reach = TripReach(caller)
    let reachable = filter
    let (items, read, next) = try await store.read { tx in
      try Self.list(tx, caller, reachable, page: page, directory, now: now)
    }
    try await log(read)
    return .list(items, next: next)
  }

  /// A page of the trips that the caller may see, in their wire form, with the readings of patients that this is.
  static func list(
    _ tx: any StoreTransaction, _ caller: Caller, _ filter: TripFilter, page: Page, _ directory: Directory,
    now: Instant, where isWanted: (Trip) -> Bool = { _ in true }
  ) throws -> (items: [JSON], read: [AccessEntry], next: String?) {
    let (trips, next) = try page.fill {
      try tx.trips(filter, page: $0)
    } id: {
      $0.id
    } where: {
      try isWanted($0) && caller.may(.seeTrip(scope(of: $0, tx))) == .allowed
    }
    return (
      try trips.map { try json($0, tx, caller, directory, now: now) },
      try trips.compactMap { AccessEntry(reading: $0, scope: try scope(of: $0, tx), by: caller, at: now) }, next
    )
  }

  /// Plans a trip anew: vehicle, destination, priority, or its consult.
  package func changeTrip(_ call: Call, id: String, _ body: JSON) async throws -> Answer {
    let directory = try await directory.get()
    let caller = call.caller
    return try await write(call) { tx, now in
      guard var trip = try tx.trip(id) else { throw Rejection.notFound }
      try caller.require(.planTrip(try Self.scope(of: trip, tx)))
      try call.check(version: trip.version)
      guard !trip.machine.isClosed else {
        throw Rejection.illegalTransition("change", state: trip.machine.state, allowed: [])
      }
      if let vehicle = body["vehicleId"]?.string { trip.vehicle = vehicle }
      if let priority = body["priority"]?.string.flatMap(TripPriority.init(rawValue:)) { trip.priority = priority }
      if let destination = body["destination"] { trip.destination = Place(json: destination) }
      if let origin = body["origin"] { trip.origin = Place(json: origin) }
      if let patient = body["patient"] { trip.patient = try Self.patient(patient, on: now.day) }
      if let consult = body["consultId"]?.string {
        guard let known = try tx.consult(consult), caller.may(.seeConsult(known.scope())) == .allowed else {
          throw Rejection.invalid("/consultId", "unknown", "There is no such consult.")
        }
        trip.consult = consult
      }
      try Self.check(trip.destination, vehicle: trip.vehicle, tx, directory)
      try tx.update(&trip)
      return try Self.shown(trip, tx, caller, directory, now: now)
    }
  }

  /// The trip as a write answers it; showing its patient is a reading like any other.
  private static func shown(
    _ trip: Trip, _ tx: any StoreTransaction, _ caller: Caller, _ directory: Directory, now: Instant
  ) throws -> AnswerDraft {
    let entry = AccessEntry(reading: trip, scope: try scope(of: trip, tx), by: caller, at: now)
    try tx.log([entry].compactMap { $0 })
    let json = try json(trip, tx, caller, directory, now: now)
    return .ok(json, version: trip.version)
  }

  package func recordMilestone(_ call: Call, trip id: String, _ milestone: Milestone, at: Instant?) async throws
    -> Answer
  {
    let directory = try await directory.get()
    let caller = call.caller
    return try await write(call) { tx, now in
      guard var trip = try tx.trip(id) else { throw Rejection.notFound }
      try caller.require(.recordMilestone(try Self.scope(of: trip, tx)))
      try call.check(version: trip.version)
      var machine = trip.machine
      switch try machine.record(milestone, at: at ?? now, now: now) {
      case .repeated: break
      case .recorded(let recorded, let closes):
        trip.milestones = machine.milestones
        try tx.insert(recorded, trip: id)
        try tx.update(&trip)
        try tx.append(
          trip.event(.tripMilestone, by: caller) { data in
            data.milestone = recorded.milestone
            data.at = recorded.at
            data.flags = recorded.flags.isEmpty ? nil : recorded.flags
          }, at: now)
        if closes {
          try tx.append(trip.event(.tripClosed, by: caller), at: now)
          try tx.clearDeadline(.tripStale, subject: id)
        } else if machine.isUnderWay, trip.position == nil || milestone == .enRoute {
          try tx.setDeadline(.tripStale, subject: id, at: now + Position.staleAfter)
        }
      }
      return try Self.shown(trip, tx, caller, directory, now: now)
    }
  }

  static func scope(of trip: Trip, _ tx: any StoreTransaction) throws -> TripScope {
    trip.scope(practitioner: try trip.consult.flatMap { try tx.consult($0)?.practitioner })
  }

  /// The trip's wire form for this caller.
  static func json(
    _ trip: Trip, links: [TripLink]? = nil, _ tx: any StoreTransaction, _ caller: Caller, _ directory: Directory,
    now: Instant
  ) throws -> JSON {
    let scope = try scope(of: trip, tx)
    let machine = trip.machine
    var destination = trip.destination
    if let facility = destination.facility.flatMap({ directory.facilities[$0] }) {
      destination.latitude = facility.latitude
      destination.longitude = facility.longitude
      destination.label = facility.name
    }
    let records = caller.may(.recordMilestone(scope)) == .allowed
    let shares = caller.may(.shareTrip(scope)) == .allowed
    let shared = shares ? try (links ?? tx.links(of: trip.id)).filter { $0.expiresAt > now } : []
    return .compact([
      "id": .string(trip.id), "version": .int(trip.version), "state": .string(machine.state),
      "consultId": .orNull(trip.consult), "vehicleId": .orNull(trip.vehicle),
      "vehicleLabel": .orNull(try trip.vehicle.flatMap { try tx.vehicle($0)?.label }),
      "priority": .string(trip.priority.rawValue), "facilityId": .orNull(trip.facility),
      "createdAt": .instant(trip.createdAt), "origin": trip.origin.json, "destination": destination.json,
      "patient": caller.may(.readTripPatient(scope)) == .allowed ? trip.patient?.json : nil,
      "milestones": .array(trip.milestones.map(\.json)),
      "position": machine.isClosed ? .null : trip.position?.json(now: now) ?? .null,
      "eta": trip.eta(destination: destination, now: now), "closed": .bool(machine.isClosed),
      "allowed": records ? .strings(machine.allowed.map(\.rawValue)) : [],
      "links": .array(shared.map { ["id": .string($0.id), "expiresAt": .instant($0.expiresAt)] }),
    ])
  }
}

extension TripReach {
  /// The trips that the caller may see, and perhaps some more: one by one `Caller.may` decides.
  init(_ caller: Caller) {
    self.init(
      facilities: caller.listed, vehicle: caller.has(.crew) ? caller.vehicleId : nil,
      practitioner: caller.has(.specialist) ? caller.practitionerId : nil)
  }
}

extension Trip {
  /// An event about this trip as it stands now; never where it began, nor whom it carries.
  func event(_ type: EventType, by caller: Caller?, _ more: (inout EventData) -> Void = { _ in }) -> EventDraft {
    var data = EventData()
    data.tripId = id
    data.consultId = consult
    data.vehicleId = vehicle
    data.destinationId = destination.facility
    data.state = machine.state
    more(&data)
    return EventDraft(
      type: type, subject: subject, facilities: facilities, specialty: nil, actor: caller?.personId ?? "system",
      data: data)
  }
}
