package import Domain
import Synchronization

extension Coordinator {
  /// Positions from a vehicle's device, up to 500 a call, in any order; those of a dead zone come late.
  ///
  /// A device time more than two minutes ahead is replaced by the server's and counted in `clockAhead`.
  package func recordPositions(_ call: Call, trip id: String, _ positions: [Position]) async throws -> Answer {
    let caller = call.caller
    let (answer, moved) = try await writePositions(call, id, positions, by: caller)
    if let moved { publish(moved) }
    return answer
  }

  private func writePositions(
    _ call: Call, _ id: String, _ positions: [Position], by caller: Caller
  ) async throws -> (Answer, VolatileEvent?) {
    // What is to be published is known only inside the transaction, which may run more than once.
    let moved = Box<VolatileEvent?>(nil)
    let answer = try await write(call) { tx, now in
      moved.value = nil
      guard var trip = try tx.trip(id) else { throw Rejection.notFound }
      try caller.require(.sendPosition(try Self.scope(of: trip, tx)))
      let ahead = Int64(positions.count { $0.at > now + TripMachine.deviceAhead })
      let corrected = positions.map { position in
        guard position.at > now + TripMachine.deviceAhead else { return position }
        var replaced = position
        replaced.at = now
        return replaced
      }
      // After the end a vehicle is nobody's business; what a dead zone kept from before may still come.
      let closedAt = trip.machine.closedAt
      let kept = corrected.filter { position in closedAt.map { position.at < $0 } ?? true }
      guard !kept.isEmpty else {
        throw Rejection.illegalTransition(
          "positions", state: trip.machine.state, allowed: trip.machine.allowed.map(\.rawValue))
      }
      try tx.insert(kept, trip: id)
      if let latest = kept.max(by: { $0.at < $1.at }), !trip.machine.isClosed,
        latest.at > trip.position?.at ?? .init(milliseconds: .min)
      {
        trip.position = latest
        try tx.update(&trip)
        if trip.machine.isUnderWay {
          try tx.setDeadline(.tripStale, subject: id, at: latest.at + Position.staleAfter)
        }
        moved.value = trip.moved(to: latest, now: now)
      }
      return .ok(["accepted": .int(Int64(kept.count)), "clockAhead": .int(ahead)], version: nil)
    }
    return (answer, answer.isReplay ? nil : moved.value)
  }

  /// Makes a family's link: the secret is in this answer only.
  package func shareTrip(_ call: Call, trip id: String) async throws -> Answer {
    let caller = call.caller
    let base = publicURL()
    return try await write(call) { tx, now in
      guard let trip = try tx.trip(id) else { throw Rejection.notFound }
      try caller.require(.shareTrip(try Self.scope(of: trip, tx)))
      guard !trip.machine.isClosed else {
        throw Rejection.illegalTransition("links", state: trip.machine.state, allowed: [])
      }
      guard try tx.links(of: id).filter({ $0.expiresAt > now }).count < Limits.linksPerTrip else {
        throw Rejection(.tooMany, "This trip has enough links; revoke one first.", retryAfter: 60)
      }
      let secret = Secrets.random()
      let link = TripLink(
        id: UUIDv7.make(at: now), trip: id, secretHash: Secrets.hash(secret), createdBy: caller.personId,
        expiresAt: now + TripLink.lifetime)
      try tx.insert(link)
      try tx.log([AccessEntry(caller, "grant", "trips/\(id)/links/\(link.id)", facility: trip.facility, at: now)])
      return .created([
        "id": .string(link.id), "url": .string("\(base)/track/\(secret)"), "expiresAt": .instant(link.expiresAt),
      ])
    }
  }

  package func revokeLink(_ call: Call, trip id: String, link: String) async throws -> Answer {
    let caller = call.caller
    return try await write(call) { tx, now in
      guard let trip = try tx.trip(id) else { throw Rejection.notFound }
      try caller.require(.shareTrip(try Self.scope(of: trip, tx)))
      guard try tx.revokeLink(link, trip: id, at: now) else { throw Rejection.notFound }
      return .noContent
    }
  }

  /// What a family's link shows: no ids, people, consult or origin. From handover on, and after revocation or a day,
  /// the link has ended.
  package func track(secret: String) async throws -> JSON {
    let directory = try await directory.get()
    let now = now()
    let hash = Secrets.hash(secret)
    let found = try await store.read { tx in
      try tx.link(secretHash: hash).map { ($0, try tx.trip($0.trip)) }
    }
    guard let (link, loaded) = found, let trip = loaded else { throw Rejection.notFound }
    let handedOver = (trip.machine.furthest?.order ?? 0) >= (Milestone.handedOver.order ?? 0)
    guard link.revokedAt == nil, link.expiresAt > now, !handedOver || trip.machine.sideExit != nil else {
      throw Rejection(.linkEnded, "This link has ended.")
    }
    let destination = trip.destination.facility.flatMap { directory.facilities[$0] }
    var place = trip.destination
    place.latitude = place.latitude ?? destination?.latitude
    place.longitude = place.longitude ?? destination?.longitude
    let open = !trip.machine.isClosed
    return [
      "state": .string(trip.familyState()),
      "position": open ? trip.position.map { $0.familyJSON(now: now) } ?? .null : .null,
      // Before departure the time of arrival would be the scene's, which is somebody's home.
      "eta": trip.machine.has(.departed) ? trip.eta(destination: place, now: now) : .null,
      "phone": .string(directory.facilityPhone(trip.facility) ?? "115"),
    ]
  }
}

/// A place for what a transaction body finds out beside its answer.
final class Box<T: Sendable>: Sendable {
  private let state: Mutex<T>

  init(_ value: T) { state = Mutex(value) }

  var value: T {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }
}

extension Directory {
  fileprivate func facilityPhone(_ code: String?) -> String? { code.flatMap { facilities[$0]?.phone } }
}

extension Position {
  /// A dot on a map and how old it is; neither speed nor accuracy, which would show more than the way.
  fileprivate func familyJSON(now: Instant) -> JSON {
    let full = json(now: now)
    return .compact([
      "at": full["at"], "lat": full["lat"], "lon": full["lon"], "ageSeconds": full["ageSeconds"],
      "stale": full["stale"],
    ])
  }
}

extension Trip {
  fileprivate func moved(to position: Position, now: Instant) -> VolatileEvent {
    var data = EventData()
    data.tripId = id
    data.vehicleId = vehicle
    data.at = position.at
    data.latitude = position.latitude
    data.longitude = position.longitude
    data.speed = position.speed
    data.heading = position.heading
    data.accuracy = position.accuracy
    return VolatileEvent(
      id: UUIDv7.make(at: now), type: .tripPosition, time: position.at, subject: subject, facilities: facilities,
      vehicle: vehicle, destination: destination.facility, data: data)
  }
}
