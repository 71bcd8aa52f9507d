package import Coordinator
package import Domain

extension SQLTransaction {
  package func person(_ id: String) throws -> Person? { try connection.first(SQLs.byId, [.text(id)], Self.person) }

  package func person(username: String) throws -> Person? {
    try connection.first(SQLs.byName, [.text(username)], Self.person)
  }

  package func people(page: Page) throws -> [Person] {
    let (after, limit) = keyset(page)
    return try connection.rows(SQLs.people, [after, limit], Self.person)
  }

  package func insert(_ person: Person) throws {
    try connection.post(
      SQLs.insertPerson,
      [
        .text(person.id), .text(person.username), .text(person.name), .text(person.passwordHash),
        .bool(person.disabled), .orNull(person.practitionerId), .orNull(person.vehicleId),
        .text(Self.text(person.grants)), .int(person.version),
      ])
  }

  package func update(_ person: inout Person) throws {
    try connection.postOne(
      SQLs.updatePerson,
      [
        .text(person.id), .int(person.version), .text(person.name), .text(person.passwordHash), .bool(person.disabled),
        .orNull(person.practitionerId), .orNull(person.vehicleId), .text(Self.text(person.grants)),
      ])
    person.version += 1
  }

  package func hold(_ person: Person) throws {
    // One writer holds all there is.
    guard !connection.isOnlyWriter else { return }
    try connection.postOne(SQLs.hold, [.text(person.id), .int(person.version)])
  }

  package func session(_ id: String) throws -> Session? {
    try connection.first(SQLs.session, [.text(id)], Self.session)
  }

  package func session(secretHash: [UInt8]) throws -> Session? {
    try connection.first(SQLs.sessionBySecret, [.blob(secretHash)], Self.session)
  }

  package func tokens(page: Page) throws -> [Session] {
    let (after, limit) = keyset(page)
    return try connection.rows(SQLs.tokens, [after, limit], Self.session)
  }

  package func insert(_ session: Session) throws {
    try connection.post(
      SQLs.insertSession,
      [
        .text(session.id), .text(session.kind.rawValue), .blob(session.secretHash), .orNull(session.person),
        .text(session.name), .text(Self.text(session.grants)), .instant(session.createdAt), .orNull(session.expiresAt),
      ])
    if let person = session.person {
      try connection.post(SQLs.trimSessions, [.text(person), .int(Int64(Limits.sessionsPerPerson))])
    }
  }

  package func revokeSession(_ id: String, at now: Instant) throws -> Bool {
    try connection.run(SQLs.revoke, [.text(id), .instant(now)]) == 1
  }

  package func revokeSessions(of person: String, at now: Instant) throws {
    try connection.post(SQLs.revokeAll, [.text(person), .instant(now)])
  }

  package func liveSessions(_ ids: [String], now: Instant) throws -> Set<String> {
    var live = Set<String>()
    for id in ids where try connection.first(SQLs.live, [.text(id), .instant(now)], { $0.int(0) }) != nil {
      live.insert(id)
    }
    return live
  }

  package func insert(_ ticket: Ticket, now: Instant) throws {
    try connection.post(SQLs.removeTickets, [.instant(now)])
    try connection.post(
      SQLs.insertTicket,
      [
        .blob(ticket.secretHash), .text(ticket.session), .text(ticket.purpose), .orNull(ticket.consult),
        .instant(ticket.expiresAt),
      ])
  }

  package func takeTicket(secretHash: [UInt8], now: Instant) throws -> Ticket? {
    try connection.first(SQLs.takeTicket, [.blob(secretHash), .instant(now)]) {
      Ticket(
        secretHash: $0.blob(0), session: $0.text(1), purpose: $0.text(2), consult: $0.optionalText(3),
        expiresAt: $0.instant(4))
    }
  }

  private static func text(_ grants: [Grant]) -> String { JSON.array(grants.map(\.json)).text }

  private static func grants(_ text: String) throws -> [Grant] {
    guard let items = (try? JSON(parsing: text))?.array else { throw CorruptRow("grants", "not JSON") }
    return try items.map { item in
      guard let grant = Grant(json: item) else { throw CorruptRow("grants", "role") }
      return grant
    }
  }

  private static func person(_ row: any SQLRow) throws -> Person {
    Person(
      id: row.text(0), username: row.text(1), name: row.text(2), passwordHash: row.text(3), disabled: row.bool(4),
      practitionerId: row.optionalText(5), vehicleId: row.optionalText(6), grants: try grants(row.text(7)),
      version: row.int(8))
  }

  private static func session(_ row: any SQLRow) throws -> Session {
    guard let kind = Caller.Kind(rawValue: row.text(1)) else { throw CorruptRow("session", "kind") }
    return Session(
      id: row.text(0), kind: kind, secretHash: row.blob(2), person: row.optionalText(3), name: row.text(4),
      grants: try grants(row.text(5)), createdAt: row.instant(6), expiresAt: row.optionalInstant(7),
      revokedAt: row.optionalInstant(8))
  }

  private enum SQLs {
    static let byId = SQL(
      """
      SELECT id, username, name, password_hash, disabled, practitioner, vehicle, grants, version FROM person
      WHERE id = $1
      """)
    static let byName = SQL(
      """
      SELECT id, username, name, password_hash, disabled, practitioner, vehicle, grants, version FROM person
      WHERE username = $1
      """)
    static let people = SQL(
      """
      SELECT id, username, name, password_hash, disabled, practitioner, vehicle, grants, version FROM person
      WHERE CAST($1 AS TEXT) IS NULL OR username > $1 ORDER BY username LIMIT $2
      """)
    static let insertPerson = SQL(
      """
      INSERT INTO person (id, username, name, password_hash, disabled, practitioner, vehicle, grants, version)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
      """)
    static let updatePerson = SQL(
      """
      UPDATE person SET version = version + 1, name = $3, password_hash = $4, disabled = $5, practitioner = $6,
        vehicle = $7, grants = $8
      WHERE id = $1 AND version = $2
      """)
    static let hold = SQL("UPDATE person SET version = version WHERE id = $1 AND version = $2")
    static let session = SQL(
      """
      SELECT id, kind, secret_hash, person, name, grants, created_at, expires_at, revoked_at FROM session WHERE id = $1
      """)
    static let sessionBySecret = SQL(
      """
      SELECT id, kind, secret_hash, person, name, grants, created_at, expires_at, revoked_at FROM session
      WHERE secret_hash = $1
      """)
    static let tokens = SQL(
      """
      SELECT id, kind, secret_hash, person, name, grants, created_at, expires_at, revoked_at FROM session
      WHERE kind = 'token' AND revoked_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR id < $1) ORDER BY id DESC LIMIT $2
      """)
    static let insertSession = SQL(
      """
      INSERT INTO session (id, kind, secret_hash, person, name, grants, created_at, expires_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      """)
    /// The oldest sign-ins beyond the limit end.
    static let trimSessions = SQL(
      """
      DELETE FROM session WHERE person = $1
        AND id <= (SELECT id FROM session WHERE person = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)
      """)
    static let revoke = SQL("UPDATE session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
    static let revokeAll = SQL("UPDATE session SET revoked_at = $2 WHERE person = $1 AND revoked_at IS NULL")
    static let live = SQL(
      """
      SELECT 1 FROM session LEFT JOIN person ON person.id = session.person
      WHERE session.id = $1 AND session.revoked_at IS NULL
        AND (session.expires_at IS NULL OR session.expires_at > $2) AND coalesce(person.disabled, 0) = 0
      """)
    static let removeTickets = SQL("DELETE FROM ticket WHERE expires_at <= $1")
    static let insertTicket = SQL(
      "INSERT INTO ticket (secret_hash, session, purpose, consult, expires_at) VALUES ($1, $2, $3, $4, $5)")
    static let takeTicket = SQL(
      """
      DELETE FROM ticket WHERE secret_hash = $1 AND expires_at > $2
      RETURNING secret_hash, session, purpose, consult, expires_at
      """)
  }
}
