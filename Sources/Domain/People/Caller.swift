/// Who asks: a signed-in person or a machine token, with its grants already spread over the facilities they cover.
package struct Caller: Sendable, Equatable {
  package enum Kind: String, Sendable { case session, token }

  package var sessionId: String
  package var kind: Kind
  /// The person's id; for a machine token, the token's own.
  package var personId: String
  package var username: String
  package var name: String
  /// For a specialist: who they are in the schedules.
  package var practitionerId: String?
  package var specialty: Specialty?
  /// For a crew: the vehicle they ride.
  package var vehicleId: String?
  package var grants: [Grant]
  /// Each role with every facility it covers.
  package var scopes: [Role: Set<String>]
  package var expiresAt: Instant?

  package init(
    sessionId: String, kind: Kind, personId: String, username: String, name: String, practitionerId: String? = nil,
    specialty: Specialty? = nil, vehicleId: String? = nil, grants: [Grant], tree: FacilityTree,
    expiresAt: Instant? = nil
  ) {
    self.sessionId = sessionId
    self.kind = kind
    self.personId = personId
    self.username = username
    self.name = name
    self.practitionerId = practitionerId
    self.specialty = specialty
    self.vehicleId = vehicleId
    self.grants = grants
    self.expiresAt = expiresAt
    var scopes: [Role: Set<String>] = [:]
    for grant in grants { scopes[grant.role, default: []].formUnion(tree.covered(by: grant.facilities)) }
    self.scopes = scopes
  }

  package func has(_ role: Role) -> Bool { scopes[role] != nil }

  /// Whether the role is held for this facility.
  package func has(_ role: Role, at facility: String?) -> Bool {
    guard let facility, let scope = scopes[role] else { return false }
    return scope.contains(facility)
  }

  package func has(_ role: Role, atAny facilities: [String]) -> Bool {
    guard let scope = scopes[role] else { return false }
    return facilities.contains { scope.contains($0) }
  }

  /// Grants and identity, but no secrets: what `GET /session` tells.
  package var json: JSON {
    .compact([
      "expiresAt": expiresAt.map { .instant($0) } ?? .null,
      "person": .compact([
        "id": .string(personId), "username": .string(username), "name": .string(name),
        "practitionerId": practitionerId.map { .string($0) }, "specialty": specialty.map { .string($0.rawValue) },
        "vehicleId": vehicleId.map { .string($0) },
      ]),
      "grants": .array(grants.map(\.json)),
    ])
  }
}
