package import Domain

extension Coordinator {
  package static let sessionLifetime = Span.hours(12)

  /// Signs a person in with a local account. The answer holds the token, once.
  package func signIn(username: String, password: String) async throws -> (token: String, caller: Caller) {
    let directory = try await directory.get()
    let person = try await store.read { try $0.person(username: username) }
    // Checked also for an unknown name: the time it takes must tell nobody who exists.
    let matches = try await passwords.verify(password, stored: person?.passwordHash)
    let now = now()
    guard let person, matches, !person.disabled else {
      let entry = AccessEntry(
        at: now, person: person?.id ?? "", personName: "", action: "sign-in-failed",
        subject: person.map { "people/\($0.id)" } ?? "people", facility: nil)
      try await log([entry])
      throw Rejection(.unauthenticated, "The user name or the password is wrong.")
    }
    let token = Secrets.random()
    let session = Session(
      id: UUIDv7.make(at: now), kind: .session, secretHash: Secrets.hash(token), person: person.id, name: person.name,
      createdAt: now, expiresAt: now + Self.sessionLifetime)
    let caller = Self.caller(session, person, directory)
    try await store.write { tx in
      // The password or the account may have changed while the hash was being checked: then its sessions have ended,
      // and this one must not begin.
      guard let current = try tx.person(person.id), current.passwordHash == person.passwordHash, !current.disabled
      else { throw Rejection(.unauthenticated, "The user name or the password is wrong.") }
      // Whoever ends the person's sessions at this moment ends this one too, or comes first.
      try tx.hold(current)
      try tx.insert(session)
      try tx.log([AccessEntry(caller, "sign-in", "people/\(person.id)", facility: nil, at: now)])
    }
    return (token, caller)
  }

  /// Who presents this secret: a session's token or a machine's.
  package func authenticate(token: String) async throws -> Caller {
    let now = now()
    let hash = Secrets.hash(token)
    if let known = sessions.get(hash, now: now) { return known }
    let generation = sessions.generation
    let directory = try await directory.get()
    let found = try await store.read { tx in
      try tx.session(secretHash: hash).map { ($0, try $0.person.flatMap { try tx.person($0) }) }
    }
    guard let (session, person) = found, session.revokedAt == nil, session.expiresAt.map({ $0 > now }) ?? true,
      person.map({ !$0.disabled }) ?? (session.kind == .token)
    else { throw Rejection.unauthenticated }
    let caller = Self.caller(session, person, directory)
    sessions.put(hash, caller, now: now, generation: generation)
    return caller
  }

  private static func caller(_ session: Session, _ person: Person?, _ directory: Directory) -> Caller {
    Caller(
      sessionId: session.id, kind: session.kind, personId: person?.id ?? session.id,
      username: person?.username ?? session.name, name: person?.name ?? session.name,
      practitionerId: person?.practitionerId,
      specialty: person?.practitionerId.flatMap { directory.practitioners[$0]?.specialty },
      vehicleId: person?.vehicleId, grants: person?.grants ?? session.grants, tree: directory.tree,
      expiresAt: session.expiresAt)
  }

  /// Ends the session; its sockets hear of it through `liveSessions`, at once on this node.
  package func signOut(_ caller: Caller) async throws {
    let now = now()
    try await store.write { tx in
      _ = try tx.revokeSession(caller.sessionId, at: now)
      try tx.log([AccessEntry(caller, "sign-out", "people/\(caller.personId)", facility: nil, at: now)])
    }
    sessionsChanged()
  }

  /// Which of these sessions still hold; sockets ask twice a second.
  package func liveSessions(_ ids: [String], at now: Instant) async throws -> Set<String> {
    try await store.read { try $0.liveSessions(ids, now: now) }
  }

  /// While this stays the same, a caller's grants mean the same.
  package func grantBasis() async throws -> GrantBasis { try await directory.get().grantBasis }

  /// A pass for one socket, for browsers and programs that cannot send a header with it.
  package func issueTicket(_ call: Call, purpose: String, consult id: String?) async throws -> Answer {
    let caller = call.caller
    if purpose == "call" {
      guard let id, let consult = try await store.read({ try $0.consult(id) }) else { throw Rejection.notFound }
      try caller.require(.joinCall(consult.scope()))
    } else {
      try caller.require(.readEvents)
    }
    let now = now()
    let secret = Secrets.random()
    let ticket = Ticket(
      secretHash: Secrets.hash(secret), session: caller.sessionId, purpose: purpose,
      consult: purpose == "call" ? id : nil, expiresAt: now + Ticket.lifetime)
    try await store.write { try $0.insert(ticket, now: now) }
    return .created(["ticket": .string(secret), "expiresAt": .instant(ticket.expiresAt)])
  }

  /// Takes a ticket: it holds once, for what it was made for, and only while its session does.
  package func redeem(ticket secret: String, purpose: String, consult: String?) async throws -> Caller {
    let now = now()
    let hash = Secrets.hash(secret)
    let directory = try await directory.get()
    let found = try await store.write { tx -> (Session, Person?)? in
      guard let ticket = try tx.takeTicket(secretHash: hash, now: now), ticket.purpose == purpose,
        ticket.consult == consult, let session = try tx.session(ticket.session), session.revokedAt == nil,
        session.expiresAt.map({ $0 > now }) ?? true
      else { return nil }
      let person = try session.person.flatMap { try tx.person($0) }
      return person?.disabled == true ? nil : (session, person)
    }
    guard let (session, person) = found else { throw Rejection.unauthenticated }
    return Self.caller(session, person, directory)
  }
}
