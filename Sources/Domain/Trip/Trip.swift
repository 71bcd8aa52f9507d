import Foundation

/// A place: a facility, or a point with a label.
package struct Place: Sendable, Equatable {
  package var facility: String?
  package var latitude: Double?
  package var longitude: Double?
  package var label: String?

  package init(facility: String? = nil, latitude: Double? = nil, longitude: Double? = nil, label: String? = nil) {
    self.facility = facility
    self.latitude = latitude
    self.longitude = longitude
    self.label = label
  }

  package init(json: JSON) {
    self.init(
      facility: json["facilityId"]?.string, latitude: json["lat"]?.number, longitude: json["lon"]?.number,
      label: json["label"]?.string)
  }

  package var json: JSON {
    .compact([
      "facilityId": facility.map { .string($0) }, "lat": latitude.map { .double($0) },
      "lon": longitude.map { .double($0) }, "label": label.map { .string($0) },
    ])
  }
}

/// Where a vehicle was, by its device.
package struct Position: Sendable, Equatable {
  /// A position this old is shown as stale, never as live (CONTRACT "Bodies").
  package static let staleAfter = Span.seconds(60)

  package var at: Instant
  package var latitude: Double
  package var longitude: Double
  /// Metres a second.
  package var speed: Double?
  /// Degrees from north.
  package var heading: Double?
  /// Metres.
  package var accuracy: Double?

  package init(
    at: Instant, latitude: Double, longitude: Double, speed: Double? = nil, heading: Double? = nil,
    accuracy: Double? = nil
  ) {
    self.at = at
    self.latitude = latitude
    self.longitude = longitude
    self.speed = speed
    self.heading = heading
    self.accuracy = accuracy
  }

  package init?(json: JSON) {
    guard let at = json["at"]?.string.flatMap(Instant.init), let latitude = json["lat"]?.number,
      let longitude = json["lon"]?.number
    else { return nil }
    self.init(
      at: at, latitude: latitude, longitude: longitude, speed: json["speed"]?.number, heading: json["heading"]?.number,
      accuracy: json["accuracy"]?.number)
  }

  package func json(now: Instant) -> JSON {
    let age = max(Span.seconds(0), now - at)
    return .compact([
      "at": .instant(at), "lat": .double(latitude), "lon": .double(longitude), "speed": speed.map { .double($0) },
      "heading": heading.map { .double($0) }, "accuracy": accuracy.map { .double($0) },
      "ageSeconds": .int(age.wholeSeconds), "stale": .bool(age >= Self.staleAfter),
    ])
  }

  /// Metres along the great circle (haversine, a sphere of 6,371 km).
  package func distance(toLatitude latitude: Double, longitude: Double) -> Double {
    let radians = Double.pi / 180
    let (from, to) = (self.latitude * radians, latitude * radians)
    let (north, east) = ((to - from) / 2, (longitude - self.longitude) * radians / 2)
    let chord = sin(north) * sin(north) + cos(from) * cos(to) * sin(east) * sin(east)
    return 2 * 6_371_000 * asin(min(1, chord.squareRoot()))
  }
}

package enum TripPriority: String, Sendable, CaseIterable { case emergency, urgent, planned }

/// An ambulance's way with one patient.
package struct Trip: Sendable, Equatable {
  package var id: String
  package var version: Int64
  package var consult: String?
  package var vehicle: String?
  package var priority: TripPriority
  /// The facility that asked for it.
  package var facility: String?
  package var origin: Place
  package var destination: Place
  package var patient: Patient?
  package var createdBy: String
  package var createdAt: Instant
  package var milestones: [RecordedMilestone]
  package var position: Position?
  package var bodyHash: [UInt8]

  package init(
    id: String, version: Int64 = 1, consult: String?, vehicle: String?, priority: TripPriority, facility: String?,
    origin: Place, destination: Place, patient: Patient?, createdBy: String, createdAt: Instant,
    milestones: [RecordedMilestone] = [], position: Position? = nil, bodyHash: [UInt8]
  ) {
    self.id = id
    self.version = version
    self.consult = consult
    self.vehicle = vehicle
    self.priority = priority
    self.facility = facility
    self.origin = origin
    self.destination = destination
    self.patient = patient
    self.createdBy = createdBy
    self.createdAt = createdAt
    self.milestones = milestones
    self.position = position
    self.bodyHash = bodyHash
  }

  package var machine: TripMachine { TripMachine(milestones: milestones) }
  package var subject: String { "trips/\(id)" }
  package var facilities: [String] { [facility, destination.facility].compactMap { $0 } }

  package func scope(practitioner: String?) -> TripScope {
    TripScope(facility: facility, destination: destination.facility, vehicle: vehicle, practitioner: practitioner)
  }

  /// When it may arrive: at the scene until it departed, then at the destination. A straight line at 40 km/h says so
  /// plainly that nobody takes it for a route; nil without a fresh position.
  package func eta(destination: Place, now: Instant) -> JSON {
    let machine = machine
    guard machine.isUnderWay, let position, now - position.at < Position.staleAfter else { return .null }
    let target = machine.has(.departed) ? destination : origin
    guard let latitude = target.latitude, let longitude = target.longitude else { return .null }
    let metres = position.distance(toLatitude: latitude, longitude: longitude)
    let seconds = Int64(metres / (40_000.0 / 3600))
    return ["at": .instant(position.at + .seconds(seconds)), "basis": "straightLine"]
  }

  /// What the family's page may know (CONTRACT "Bodies"): no ids, people, consult or origin.
  package func familyState() -> String {
    let machine = machine
    if machine.sideExit != nil { return "ended" }
    return switch machine.furthest {
    case nil, .dispatched, .acknowledged: "requested"
    case .enRoute: "onTheWay"
    case .atScene, .patientContact: "atScene"
    case .departed: "departed"
    default: "arrived"
    }
  }
}

/// A capability for one trip, given to a family.
package struct TripLink: Sendable, Equatable {
  package static let lifetime = Span.hours(24)
  package var id: String
  package var trip: String
  package var secretHash: [UInt8]
  package var createdBy: String
  package var expiresAt: Instant
  package var revokedAt: Instant?

  package init(
    id: String, trip: String, secretHash: [UInt8], createdBy: String, expiresAt: Instant, revokedAt: Instant? = nil
  ) {
    self.id = id
    self.trip = trip
    self.secretHash = secretHash
    self.createdBy = createdBy
    self.expiresAt = expiresAt
    self.revokedAt = revokedAt
  }
}
