/// What a subscription asks for. Empty lists ask for everything.
package struct EventFilter: Sendable, Hashable {
  /// Types, with `*` for any run of characters: `consult.*`.
  package var types: [String]
  package var facilities: Set<String>
  package var specialties: Set<String>
  package var subjects: Set<String>

  package init(
    types: [String] = [], facilities: Set<String> = [], specialties: Set<String> = [], subjects: Set<String> = []
  ) {
    self.types = types
    self.facilities = facilities
    self.specialties = specialties
    self.subjects = subjects
  }

  package func matches(type: String, facilities: [String], specialty: String?, subject: String) -> Bool {
    (types.isEmpty || types.contains { Self.matches(type, pattern: $0) })
      && (self.facilities.isEmpty || facilities.contains { self.facilities.contains($0) })
      && (specialties.isEmpty || specialty.map { specialties.contains($0) } ?? false)
      && (subjects.isEmpty || subjects.contains(subject))
  }

  /// `*` stands for any run of characters; there may be several.
  static func matches(_ type: String, pattern: String) -> Bool {
    guard pattern.contains("*") else { return type == pattern }
    let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard let first = parts.first, let last = parts.last, type.hasPrefix(first) else { return false }
    var rest = type.dropFirst(first.count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return rest.count >= last.count && rest.hasSuffix(last)
  }
}

/// Which events a set of grants may see. Equal for all who hold the same grants, so that it is decided once for them.
package struct Visibility: Sendable, Hashable {
  package var everything: Bool
  package var facilities: Set<String>
  /// A specialist sees unassigned consults of this specialty, wherever they are asked.
  package var specialty: String?
  /// A crew sees its own vehicle's trips.
  package var vehicle: String?
  /// Facilities whose positions are seen whatever the destination.
  package var positions: Set<String>

  package init(_ caller: Caller) {
    everything = caller.has(.admin)
    facilities = caller.scopes.values.reduce(into: []) { $0.formUnion($1) }
    specialty = caller.has(.specialist) ? caller.specialty?.rawValue : nil
    vehicle = caller.has(.crew) ? caller.vehicleId : nil
    positions = []
    for role in [Role.dispatcher, .monitor, .auditor] { positions.formUnion(caller.scopes[role] ?? []) }
  }

  package func sees(_ event: EventRecord) -> Bool {
    if everything || event.facilities.contains(where: { facilities.contains($0) }) { return true }
    guard specialty != nil, event.specialty == specialty, Self.unassigned.contains(event.type) else { return false }
    return event.type != EventType.consultCancelled.rawValue || Self.wasNobodys(event)
  }

  /// A consult that was somebody's when it was cancelled names them.
  private static func wasNobodys(_ event: EventRecord) -> Bool {
    guard let data = try? JSON(parsing: event.data.utf8) else { return false }
    return data["practitionerId"] == nil
  }

  /// Events about a consult that nobody has taken yet (or no longer).
  private static let unassigned: Set<String> = [
    EventType.consultRequested.rawValue, EventType.consultDeclined.rawValue, EventType.consultEscalated.rawValue,
    EventType.consultCancelled.rawValue, EventType.consultAccepted.rawValue,
  ]

  /// Positions go to dispatcher, crew, destination and monitor; presence to whoever sees the facility.
  package func sees(_ event: VolatileEvent) -> Bool {
    if everything || (vehicle != nil && event.vehicle == vehicle) { return true }
    switch event.type {
    case .presence: return event.facilities.contains { facilities.contains($0) }
    case .tripPosition:
      return event.facilities.contains { positions.contains($0) }
        || (event.destination.map { facilities.contains($0) } ?? false)
    }
  }
}
