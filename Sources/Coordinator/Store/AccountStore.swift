package import Domain

/// Somebody who can sign in.
package struct Person: Sendable, Equatable {
  package var id: String
  package var username: String
  package var name: String
  /// `scrypt$N$r$p$salt$hash`, both in base64url.
  package var passwordHash: String
  package var disabled: Bool
  package var practitionerId: String?
  package var vehicleId: String?
  package var grants: [Grant]
  package var version: Int64

  package init(
    id: String, username: String, name: String, passwordHash: String, disabled: Bool = false,
    practitionerId: String? = nil, vehicleId: String? = nil, grants: [Grant], version: Int64 = 1
  ) {
    self.id = id
    self.username = username
    self.name = name
    self.passwordHash = passwordHash
    self.disabled = disabled
    self.practitionerId = practitionerId
    self.vehicleId = vehicleId
    self.grants = grants
    self.version = version
  }

  package var json: JSON {
    .compact([
      "id": .string(id), "username": .string(username), "name": .string(name), "disabled": .bool(disabled),
      "practitionerId": .orNull(practitionerId), "vehicleId": .orNull(vehicleId),
      "grants": .array(grants.map(\.json)), "version": .int(version),
    ])
  }
}

/// A sign-in (of a person) or a machine token: a secret, stored as its SHA-256.
package struct Session: Sendable, Equatable {
  package var id: String
  package var kind: Caller.Kind
  package var secretHash: [UInt8]
  /// The person who signed in; nil for a machine token.
  package var person: String?
  package var name: String
  /// A machine token's own grants.
  package var grants: [Grant]
  package var createdAt: Instant
  package var expiresAt: Instant?
  package var revokedAt: Instant?

  package init(
    id: String, kind: Caller.Kind, secretHash: [UInt8], person: String?, name: String, grants: [Grant] = [],
    createdAt: Instant, expiresAt: Instant?, revokedAt: Instant? = nil
  ) {
    self.id = id
    self.kind = kind
    self.secretHash = secretHash
    self.person = person
    self.name = name
    self.grants = grants
    self.createdAt = createdAt
    self.expiresAt = expiresAt
    self.revokedAt = revokedAt
  }
}

/// A pass for one socket, used once within a minute.
package struct Ticket: Sendable, Equatable {
  package static let lifetime = Span.seconds(60)
  package var secretHash: [UInt8]
  package var session: String
  /// `events` or `call`.
  package var purpose: String
  package var consult: String?
  package var expiresAt: Instant

  package init(secretHash: [UInt8], session: String, purpose: String, consult: String?, expiresAt: Instant) {
    self.secretHash = secretHash
    self.session = session
    self.purpose = purpose
    self.consult = consult
    self.expiresAt = expiresAt
  }
}

package protocol AccountStore {
  func person(_ id: String) throws -> Person?
  func person(username: String) throws -> Person?
  /// In the order of user names.
  func people(page: Page) throws -> [Person]
  func insert(_ person: Person) throws
  func update(_ person: inout Person) throws
  /// Keeps the person as they were read until the transaction ends, or throws `StaleVersion`.
  func hold(_ person: Person) throws

  func session(_ id: String) throws -> Session?
  func session(secretHash: [UInt8]) throws -> Session?
  /// Machine tokens that are not revoked, newest first.
  func tokens(page: Page) throws -> [Session]
  func insert(_ session: Session) throws
  /// False when there was no live one.
  func revokeSession(_ id: String, at now: Instant) throws -> Bool
  func revokeSessions(of person: String, at now: Instant) throws
  /// Which of these sessions still hold: not revoked, not expired, their person not disabled.
  func liveSessions(_ ids: [String], now: Instant) throws -> Set<String>

  func insert(_ ticket: Ticket, now: Instant) throws
  /// Takes the ticket away: it holds once.
  func takeTicket(secretHash: [UInt8], now: Instant) throws -> Ticket?
}
