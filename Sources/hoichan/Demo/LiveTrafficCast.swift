import Coordinator
import Domain

/// Who plays, and where: stations, specialists and vehicles of the province but for those of the demo's accounts.
struct LiveCast: Sendable {
  let stations: [Facility]
  let specialists: [Specialty: [Practitioner]]
  let vehicles: [Vehicle]
  let facilities: [String: Facility]
  private let practitioners: [String: Practitioner]
  private let tree: FacilityTree
  private let root: String

  private static let prefix = "mo-phong-"

  /// Whether this person is one of the play.
  static func plays(_ person: String) -> Bool { person.hasPrefix(prefix) }

  init(_ coordinator: Coordinator) async throws {
    let (facilities, parents, calendars, vehicles, people) = try await coordinator.store.read { tx in
      (
        try tx.facilities(query: nil, page: Page(limit: 10_000)), try tx.facilityParents(), try tx.calendars(),
        try tx.vehicles(page: Page(limit: Limits.pageMax)), try tx.people(page: Page(limit: Limits.pageMax))
      )
    }
    guard let root = facilities.first(where: { $0.kind == .province })?.code else { throw Rejection.notFound }
    self.root = root
    self.facilities = Dictionary(facilities.map { ($0.code, $0) }) { $1 }
    tree = FacilityTree(parents: parents)
    let visited = Set(people.flatMap(\.grants).filter { $0.role == .station }.flatMap(\.facilities))
    let signedIn = Set(people.compactMap(\.practitionerId))
    let ridden = Set(people.compactMap(\.vehicleId))
    stations = facilities.filter { $0.kind == .station && $0.latitude != nil && !visited.contains($0.code) }
    let played = calendars.map(\.practitioner).filter { !signedIn.contains($0.id) }
    practitioners = Dictionary(played.map { ($0.id, $0) }) { $1 }
    specialists = Dictionary(grouping: played) { $0.specialty }
    self.vehicles = vehicles.filter { !ridden.contains($0.id) }
    guard !stations.isEmpty, !self.vehicles.isEmpty else { throw Rejection.notFound }
  }

  func nurse(at station: String) -> Call {
    call("tram-\(station)", facilities[station]?.name ?? station, .station, [station])
  }

  var dispatcher: Call { call("dieu-phoi", "Điều phối", .dispatcher, [root]) }

  /// Nil for a specialist whom a visitor plays.
  func specialist(_ id: String?) -> Call? {
    guard let practitioner = id.flatMap({ practitioners[$0] }) else { return nil }
    var call = call("bac-si-\(practitioner.id)", practitioner.name, .specialist, [root])
    call.caller.practitionerId = practitioner.id
    call.caller.specialty = practitioner.specialty
    return call
  }

  func crew(of vehicle: String?) -> Call? {
    guard let vehicle = vehicles.first(where: { $0.id == vehicle }) else { return nil }
    var call = call("kip-xe-\(vehicle.id)", vehicle.label, .crew, [root])
    call.caller.vehicleId = vehicle.id
    return call
  }

  private func call(_ id: String, _ name: String, _ role: Role, _ facilities: [String]) -> Call {
    Call(
      Caller(
        sessionId: Self.prefix + id, kind: .token, personId: Self.prefix + id, username: Self.prefix + id,
        name: name + " (mô phỏng)", grants: [Grant(role: role, facilities: facilities)], tree: tree))
  }
}
