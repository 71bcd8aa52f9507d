package import Domain

/// People and machine tokens: an administrator's work, from the page, the interface or the command line.
extension Coordinator {
  package func people(_ call: Call, page: Page) async throws -> Answer {
    try call.caller.require(.administer)
    let found = try await store.read { try $0.people(page: Page(after: page.after, limit: page.limit + 1)) }
    let items = found.prefix(page.limit)
    return .list(items.map(\.json), next: found.count > page.limit ? items.last?.username : nil)
  }

  package func addPerson(_ call: Call, _ body: JSON) async throws -> Answer {
    try call.caller.require(.administer)
    let directory = try await directory.get()
    guard let username = body["username"]?.string, let password = body["password"]?.string else {
      throw Rejection.invalid("/username", "required", "A user has a name and a password.")
    }
    guard Username.isValid(username) else {
      throw Rejection.invalid("/username", "format", "A user name has 2 to 50 of a-z, 0-9, '.', '-' and '_'.")
    }
    try Self.check(password: password)
    let grants = try Self.grants(body["grants"], directory)
    let practitioner = body["practitionerId"]?.string
    if let practitioner, directory.practitioners[practitioner] == nil {
      throw Rejection.invalid("/practitionerId", "unknown", "There is no such practitioner.")
    }
    let hash = try await passwords.hash(password)
    let caller = call.caller
    return try await write(call) { tx, now in
      guard try tx.person(username: username) == nil else {
        throw Rejection.invalid("/username", "taken", "There is a user of this name.")
      }
      if let vehicle = body["vehicleId"]?.string, try tx.vehicle(vehicle) == nil {
        throw Rejection.invalid("/vehicleId", "unknown", "There is no such vehicle.")
      }
      let person = Person(
        id: UUIDv7.make(at: now), username: username, name: body["name"]?.string ?? username, passwordHash: hash,
        practitionerId: practitioner, vehicleId: body["vehicleId"]?.string, grants: grants)
      try tx.insert(person)
      try tx.log([AccessEntry(caller, "grant", "people/\(person.id)", facility: nil, at: now)])
      return .created(person.json, version: person.version)
    }
  }

  private static func check(password: String) throws {
    guard Limits.password.contains(password.unicodeScalars.count) else {
      throw Rejection.invalid(
        "/password", "length",
        "A password has \(Limits.password.lowerBound) to \(Limits.password.upperBound) characters.")
    }
  }

  /// A new password, other grants or a disabled account end every session of the person at once.
  package func changePerson(_ call: Call, id: String, _ body: JSON) async throws -> Answer {
    try call.caller.require(.administer)
    let directory = try await directory.get()
    let grants = try body["grants"].map { try Self.grants($0, directory) }
    var hash: String?
    if let password = body["password"]?.string {
      try Self.check(password: password)
      hash = try await passwords.hash(password)
    }
    let (caller, newHash) = (call.caller, hash)
    let answer = try await write(call) { tx, now in
      guard var person = try tx.person(id) else { throw Rejection.notFound }
      try call.check(version: person.version)
      if let name = body["name"]?.string { person.name = name }
      if let disabled = body["disabled"]?.bool { person.disabled = disabled }
      if let grants { person.grants = grants }
      if let newHash { person.passwordHash = newHash }
      if body["disabled"]?.bool == true || grants != nil || newHash != nil { try tx.revokeSessions(of: id, at: now) }
      try tx.update(&person)
      try tx.log([AccessEntry(caller, "grant", "people/\(id)", facility: nil, at: now)])
      let changed = person
      return .ok(changed.json, version: changed.version)
    }
    sessionsChanged()
    return answer
  }

  package func tokens(_ call: Call, page: Page) async throws -> Answer {
    try call.caller.require(.administer)
    let found = try await store.read { try $0.tokens(page: Page(after: page.after, limit: page.limit + 1)) }
    let items = found.prefix(page.limit)
    return .list(items.map { Self.json($0) }, next: found.count > page.limit ? items.last?.id : nil)
  }

  /// Makes a machine's token; the secret is in this answer only.
  package func addToken(_ call: Call, _ body: JSON) async throws -> Answer {
    try call.caller.require(.administer)
    let directory = try await directory.get()
    let grants = try Self.grants(body["grants"], directory)
    let expiresAt = try body["expiresAt"]?.string.map { text in
      guard let time = Instant(text) else {
        throw Rejection.invalid("/expiresAt", "format", "This is no time in RFC 3339.")
      }
      return time
    }
    let caller = call.caller
    return try await write(call) { tx, now in
      if let expiresAt, expiresAt <= now {
        throw Rejection.invalid("/expiresAt", "range", "This time is over.")
      }
      let secret = Secrets.random()
      let token = Session(
        id: UUIDv7.make(at: now), kind: .token, secretHash: Secrets.hash(secret), person: nil,
        name: body["name"]?.string ?? "token", grants: grants, createdAt: now, expiresAt: expiresAt)
      try tx.insert(token)
      try tx.log([AccessEntry(caller, "grant", "tokens/\(token.id)", facility: nil, at: now)])
      return .created(Self.json(token, secret: secret))
    }
  }

  package func revokeToken(_ call: Call, id: String) async throws -> Answer {
    try call.caller.require(.administer)
    let caller = call.caller
    let answer = try await write(call) { tx, now in
      guard try tx.session(id)?.kind == .token, try tx.revokeSession(id, at: now) else { throw Rejection.notFound }
      try tx.log([AccessEntry(caller, "grant", "tokens/\(id)", facility: nil, at: now)])
      return .noContent
    }
    sessionsChanged()
    return answer
  }

  /// - Parameter secret: shown once, when the token is made.
  private static func json(_ token: Session, secret: String? = nil) -> JSON {
    .compact([
      "id": .string(token.id), "name": .string(token.name), "grants": .array(token.grants.map(\.json)),
      "createdAt": .instant(token.createdAt), "expiresAt": .orNull(token.expiresAt),
      "token": secret.map { .string($0) },
    ])
  }

  private static func grants(_ json: JSON?, _ directory: Directory) throws -> [Grant] {
    try (json?.array ?? []).enumerated().map { index, item in
      guard let role = item["role"]?.string.flatMap(Role.init(rawValue:)) else {
        throw Rejection.invalid("/grants/\(index)/role", "enum", "There is no such role.")
      }
      let facilities = (item["facilities"]?.array ?? []).compactMap(\.string)
      if let unknown = facilities.firstIndex(where: { directory.facilities[$0] == nil }) {
        throw Rejection.invalid("/grants/\(index)/facilities/\(unknown)", "unknown", "There is no such facility.")
      }
      guard !facilities.isEmpty else {
        throw Rejection.invalid("/grants/\(index)/facilities", "length", "A grant names at least one facility.")
      }
      return Grant(role: role, facilities: facilities)
    }
  }

  package func accessLog(_ call: Call, person: String?, subject: String?, page: Page) async throws -> Answer {
    try await store.settle()
    let caller = call.caller
    try caller.require(.readAccessLog)
    try page.require { Int64($0) != nil }
    let facilities = caller.scopes[.auditor] ?? []
    let found = try await store.read {
      try $0.accessLog(
        person: person, subject: subject, facilities: facilities, page: Page(after: page.after, limit: page.limit + 1))
    }
    let items = found.prefix(page.limit)
    return .list(items.map(\.json), next: found.count > page.limit ? items.last.map { String($0.seq) } : nil)
  }
}
