import Coordinator
import Domain
import Foundation

/// A trip that is being played.
struct LiveTrip: Sendable {
  /// Metres a second.
  var speed: Double
  /// When something is to be done again.
  var next = Instant(milliseconds: 0)
  /// Before this no further milestone is recorded.
  var milestone: Instant
}

/// Ambulances: sent by the dispatcher, moved by their crews along a straight line.
extension LivePlay {
  private static let steps: [Milestone] = [
    .dispatched, .acknowledged, .enRoute, .atScene, .patientContact, .departed, .atDestination, .handedOver, .available,
  ]

  /// Sends a free vehicle to one of the stations nearest to it, or to the consult's.
  mutating func dispatch(for consult: Consult? = nil, now: Instant) async throws {
    let riding = try await coordinator.store.read { tx in
      Set(try tx.trips(TripFilter(open: true), page: Page(limit: Limits.pageMax)).compactMap(\.vehicle))
    }
    let free = cast.vehicles.filter { !riding.contains($0.id) }
    guard !free.isEmpty else { return }
    let vehicle = random.pick(free)
    guard let base = cast.facilities[vehicle.facility].flatMap({ Position($0, at: now) }) else { return }
    let near = cast.stations.sorted { base.distance(to: $0) < base.distance(to: $1) }.prefix(15)
    guard
      let station = consult.flatMap({ cast.facilities[$0.station] }) ?? (near.isEmpty ? nil : random.pick(Array(near))),
      let latitude = station.latitude, let longitude = station.longitude
    else { return }
    let id = UUIDv7.make(at: now)
    _ = try await coordinator.requestTrip(
      cast.dispatcher,
      .compact([
        "id": .string(id), "consultId": consult.map { .string($0.id) }, "vehicleId": .string(vehicle.id),
        "priority": consult == nil ? .string(random.pick(TripPriority.allCases).rawValue) : "emergency",
        "origin": [
          "lat": .double(latitude), "lon": .double(longitude), "label": .string(station.name + " (mô phỏng)"),
        ],
        "destination": ["facilityId": .string(vehicle.facility)],
      ]))
    trips[id] = LiveTrip(speed: speed(), milestone: soon(now, 3...10))
  }

  mutating func advance(trip id: String, now: Instant) async throws {
    let found = try await coordinator.store.read { try $0.trip(id) }
    guard let trip = found, let played = trips[id], let crew = cast.crew(of: trip.vehicle),
      let target = target(of: trip), trip.machine.sideExit == nil
    else {
      trips[id] = nil
      return
    }
    var arrived = true
    if trip.machine.isUnderWay {
      let position: Position
      (position, arrived) = step(trip, towards: target, speed: played.speed, now: now)
      _ = try await coordinator.recordPositions(crew, trip: id, [position])
    }
    guard arrived, now >= played.milestone else { return }
    let done = trip.machine.furthest?.order ?? 0
    guard let next = Self.steps.first(where: { ($0.order ?? 0) > done }) else {
      trips[id] = nil
      return
    }
    // Once in a while somebody calls it off before the patient is in the car.
    if next == .enRoute, once(in: 12) {
      _ = try await coordinator.recordMilestone(crew, trip: id, .stoodDown, at: now)
      trips[id] = nil
      return
    }
    _ = try await coordinator.recordMilestone(crew, trip: id, next, at: now)
    let pause = next == .atScene || next == .patientContact ? soon(now, 45...150) : soon(now, 5...20)
    trips[id]?.milestone = pause
  }

  /// Where it goes now: to the patient until it has departed, then to the destination.
  private func target(of trip: Trip) -> Facility? {
    guard trip.machine.has(.departed) else {
      return trip.origin.latitude.flatMap { latitude in
        trip.origin.longitude.map {
          Facility(code: "", name: "", kind: .station, province: "", latitude: latitude, longitude: $0)
        }
      }
    }
    return trip.destination.facility.flatMap { cast.facilities[$0] }
  }

  /// The position now, and whether it has arrived; a standing car sends its place as well.
  private func step(_ trip: Trip, towards target: Facility, speed: Double, now: Instant) -> (Position, Bool) {
    let base = cast.vehicles.first { $0.id == trip.vehicle }.flatMap { cast.facilities[$0.facility] }
    guard var position = trip.position ?? base.flatMap({ Position($0, at: now) }), let latitude = target.latitude,
      let longitude = target.longitude
    else { return (Position(at: now, latitude: target.latitude ?? 0, longitude: target.longitude ?? 0), true) }
    let seconds = min(10, max(1, Double((now - position.at).milliseconds) / 1000))
    let rest = position.distance(to: target)
    let share = rest > 0 ? min(1, speed * seconds / rest) : 1
    let north = latitude - position.latitude
    let east = (longitude - position.longitude) * cos(latitude * .pi / 180)
    position = Position(
      at: now, latitude: position.latitude + north * share,
      longitude: position.longitude + (longitude - position.longitude) * share, speed: rest > 1 ? speed : 0,
      heading: rest > 1 ? (atan2(east, north) * 180 / .pi + 360).truncatingRemainder(dividingBy: 360) : nil, accuracy: 8
    )
    return (position, share >= 1)
  }
}

extension Position {
  fileprivate init?(_ facility: Facility, at now: Instant) {
    guard let latitude = facility.latitude, let longitude = facility.longitude else { return nil }
    self.init(at: now, latitude: latitude, longitude: longitude)
  }

  fileprivate func distance(to facility: Facility) -> Double {
    guard let latitude = facility.latitude, let longitude = facility.longitude else { return .infinity }
    return distance(toLatitude: latitude, longitude: longitude)
  }
}
