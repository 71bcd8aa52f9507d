import Coordinator
import Domain
import Testing

@Suite struct SessionTests {
  /// scrypt takes its time; one hash serves all tests.
  private static let password = "mật khẩu dài"
  private static let hash = Task { try await PasswordHasher().hash(password) }

  private func person(
    _ world: World, _ username: String = "an", disabled: Bool = false, grants: [Grant]? = nil
  ) async throws -> Person {
    let person = Person(
      id: UUIDv7.make(at: World.now), username: username, name: "An", passwordHash: try await Self.hash.value,
      disabled: disabled, practitionerId: "bs-01",
      grants: grants ?? [Grant(role: .specialist, facilities: ["38000"])])
    try await world.store.write { try $0.insert(person) }
    return person
  }

  // MARK: Signing in

  @Test func signsIn() async throws {
    try await withWorld { world async throws in
      let person = try await person(world)
      let (token, caller) = try await world.coordinator.signIn(username: "an", password: Self.password)
      #expect(caller.personId == person.id && caller.kind == .session)
      #expect(caller.practitionerId == "bs-01" && caller.specialty == .cardiology)
      #expect(caller.has(.specialist, at: "38901"))
      #expect(caller.expiresAt == World.now + Coordinator.sessionLifetime)
      #expect(try await world.coordinator.authenticate(token: token) == caller)
      #expect(token.utf8.count >= 43)
      // The secret itself is nowhere.
      #expect(try await world.store.read { try $0.session(caller.sessionId) }?.secretHash == Secrets.hash(token))
      let log = try await world.accessLog()
      #expect(log.map(\.action) == ["sign-in"] && log.first?.subject == "people/" + person.id)
    }
  }

  @Test(arguments: [("an", "mật khẩu khác"), ("an", ""), ("khác", password), ("", ""), ("khoa", password)])
  func refuses(username: String, password: String) async throws {
    try await withWorld { world async throws in
      _ = try await person(world)
      _ = try await person(world, "khoa", disabled: true)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.signIn(username: username, password: password)
      }
      // The same words whatever was wrong: nobody learns who has an account.
      #expect(refusal == Rejection(.unauthenticated, "The user name or the password is wrong."))
      #expect(try await world.accessLog().map(\.action) == ["sign-in-failed"])
    }
  }

  /// A password that was changed while it was being checked opens nothing.
  @Test(arguments: ["password", "disabled"])
  func aPersonWhoChangedMeanwhile(change: String) async throws {
    try await withWorld { world async throws in
      let id = try await person(world).id
      world.interruption.beforeNextWrite {
        try await world.store.write { tx in
          guard var person = try tx.person(id) else { return }
          if change == "password" { person.passwordHash = "scrypt$new" } else { person.disabled = true }
          try tx.revokeSessions(of: id, at: World.now)
          try tx.update(&person)
        }
      }
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.signIn(username: "an", password: Self.password)
      }
      #expect(refusal?.code == .unauthenticated)
    }
  }

  // MARK: Sessions

  @Test func aSessionEndsByItself() async throws {
    try await withWorld { world async throws in
      _ = try await person(world)
      let (token, _) = try await world.coordinator.signIn(username: "an", password: Self.password)
      world.clock.move(by: Coordinator.sessionLifetime.almost)
      _ = try await world.coordinator.authenticate(token: token)
      world.clock.move(by: .milliseconds(1))
      let refusal = await #expect(throws: Rejection.self) { try await world.coordinator.authenticate(token: token) }
      #expect(refusal?.code == .unauthenticated)
    }
  }

  @Test func signsOutThisSessionOnly() async throws {
    try await withWorld { world async throws in
      _ = try await person(world)
      let (token, caller) = try await world.coordinator.signIn(username: "an", password: Self.password)
      let (other, second) = try await world.coordinator.signIn(username: "an", password: Self.password)
      _ = try await world.coordinator.authenticate(token: token)
      try await world.coordinator.signOut(caller)
      await #expect(throws: Rejection.self) { try await world.coordinator.authenticate(token: token) }
      _ = try await world.coordinator.authenticate(token: other)
      let live = try await world.coordinator.liveSessions(
        [caller.sessionId, second.sessionId], at: world.clock.now)
      #expect(live == [second.sessionId])
    }
  }

  @Test(arguments: ["", "x", String(repeating: "A", count: 43)])
  func aGuessOpensNothing(token: String) async throws {
    try await withWorld { world async throws in
      let refusal = await #expect(throws: Rejection.self) { try await world.coordinator.authenticate(token: token) }
      #expect(refusal?.code == .unauthenticated)
    }
  }

  // MARK: Accounts

  private static func body(_ username: String = "binh", _ more: (String, JSON)...) -> JSON {
    .object(
      .init(
        [
          ("username", .string(username)), ("name", "Bình"), ("password", "mật khẩu dài"),
          ("grants", [["role": "station", "facilities": ["38001"]]]),
        ] + more))
  }

  @Test func anAdministratorAddsPeople() async throws {
    try await withWorld { world async throws in
      let answer = try await world.coordinator.addPerson(Call(world.admin), Self.body())
      #expect(answer.status == .created && answer.json["username"] == "binh" && answer.json["disabled"] == false)
      #expect(!String(decoding: answer.body ?? [], as: UTF8.self).contains("scrypt"))
      let (_, caller) = try await world.coordinator.signIn(username: "binh", password: Self.password)
      #expect(caller.has(.station, at: "38001") && !caller.has(.station, at: "38002"))
      #expect(try await world.accessLog().first?.action == "grant")
      let taken = await #expect(throws: Rejection.self) {
        try await world.coordinator.addPerson(Call(world.admin), Self.body())
      }
      #expect(taken?.fields.map(\.pointer) == ["/username"])
      let list = try await world.coordinator.people(Call(world.admin), page: Page())
      #expect(list.items.map { $0["username"]?.string } == ["binh"])
    }
  }

  @Test(
    arguments: [
      (("password", "ngắn"), "/password"), (("password", .string(String(repeating: "x", count: 201))), "/password"),
      (("practitionerId", "bs-99"), "/practitionerId"), (("vehicleId", "xe-99"), "/vehicleId"),
      (("grants", [["role": "chief", "facilities": ["38001"]]]), "/grants/0/role"),
      (("grants", [["role": "station", "facilities": ["38001", "99999"]]]), "/grants/0/facilities/1"),
      (("grants", [["role": "station", "facilities": []]]), "/grants/0/facilities"),
    ] as [((String, JSON), String)])
  func refusesPeople(member: (String, JSON), pointer: String) async throws {
    try await withWorld { world async throws in
      guard case .object(var members) = Self.body() else { return }
      members[member.0] = member.1
      let body = JSON.object(members)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.addPerson(Call(world.admin), body)
      }
      #expect(refusal?.fields.map(\.pointer) == [pointer])
    }
  }

  @Test func onlyAdministratorsManagePeopleAndTokens() async throws {
    try await withWorld { world async throws in
      let id = try await person(world).id
      for caller in [world.station, world.specialist, world.dispatcher, world.monitor, world.auditor, world.crew] {
        let calls: [() async throws -> Answer] = [
          { try await world.coordinator.people(Call(caller), page: Page()) },
          { try await world.coordinator.addPerson(Call(caller), Self.body()) },
          { try await world.coordinator.changePerson(Call(caller), id: id, ["name": "x"]) },
          { try await world.coordinator.tokens(Call(caller), page: Page()) },
          { try await world.coordinator.addToken(Call(caller), ["name": "x"]) },
          { try await world.coordinator.revokeToken(Call(caller), id: "x") },
        ]
        for call in calls {
          let refusal = await #expect(throws: Rejection.self) { try await call() }
          #expect(refusal?.code == .forbidden)
        }
      }
    }
  }

  @Test(
    arguments: [
      ["disabled": true], ["password": "một mật khẩu khác"], ["grants": [["role": "crew", "facilities": ["38901"]]]],
    ] as [JSON])
  func changesThatEndEverySession(change: JSON) async throws {
    try await withWorld { world async throws in
      let id = try await person(world).id
      let (token, caller) = try await world.coordinator.signIn(username: "an", password: Self.password)
      _ = try await world.coordinator.authenticate(token: token)
      let answer = try await world.coordinator.changePerson(Call(world.admin, ifMatch: 1), id: id, change)
      #expect(answer.version == 2)
      await #expect(throws: Rejection.self) { try await world.coordinator.authenticate(token: token) }
      #expect(try await world.coordinator.liveSessions([caller.sessionId], at: world.clock.now).isEmpty)
      let stale = await #expect(throws: Rejection.self) {
        try await world.coordinator.changePerson(Call(world.admin, ifMatch: 1), id: id, change)
      }
      #expect(stale?.code == .preconditionFailed)
      #expect(try await world.coordinator.changePerson(Call(world.admin), id: id, ["name": "Khác"]).version == 3)
    }
  }

  @Test func refusesAShortNewPassword() async throws {
    try await withWorld { world async throws in
      let id = try await person(world).id
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.changePerson(Call(world.admin), id: id, ["password": "ngắn"])
      }
      #expect(refusal?.fields.map(\.pointer) == ["/password"])
    }
  }

  // MARK: Tokens

  private static let grants: JSON = [["role": "monitor", "facilities": ["38000"]]]

  @Test func aMachineToken() async throws {
    try await withWorld { world async throws in
      let answer = try await world.coordinator.addToken(Call(world.admin), ["name": "miniIOC", "grants": Self.grants])
      let token = try #require(answer.json["token"]?.string)
      let caller = try await world.coordinator.authenticate(token: token)
      #expect(caller.kind == .token && caller.name == "miniIOC" && caller.has(.monitor, at: "38001"))
      #expect(caller.expiresAt == nil)
      let list = try await world.coordinator.tokens(Call(world.admin), page: Page())
      #expect(list.items.map { $0["id"]?.string } == [answer.id])
      #expect(!String(decoding: list.body ?? [], as: UTF8.self).contains(token))
      #expect(try await world.coordinator.revokeToken(Call(world.admin), id: answer.id) == .noContent)
      await #expect(throws: Rejection.self) { try await world.coordinator.authenticate(token: token) }
      let again = await #expect(throws: Rejection.self) {
        try await world.coordinator.revokeToken(Call(world.admin), id: answer.id)
      }
      #expect(again?.code == .notFound)
      #expect(try await world.coordinator.tokens(Call(world.admin), page: Page()).items.isEmpty)
    }
  }

  @Test func aTokenEndsWhenItWasToldTo() async throws {
    try await withWorld { world async throws in
      let end = World.now + .hours(1)
      let answer = try await world.coordinator.addToken(
        Call(world.admin), ["name": "x", "grants": Self.grants, "expiresAt": .string(end.text)])
      let token = try #require(answer.json["token"]?.string)
      _ = try await world.coordinator.authenticate(token: token)
      world.clock.move(to: end)
      await #expect(throws: Rejection.self) { try await world.coordinator.authenticate(token: token) }
    }
  }

  /// A time that cannot be read must not make a token that never ends.
  @Test(arguments: [
    "2026-11-21T06:00:00+07:00", "2025-01-01T00:00:00Z", "tomorrow", "2300-01-01T00:00:00Z", "2027-02-30T00:00:00Z",
  ])
  func refusesAnEndThatIsNone(text: String) async throws {
    try await withWorld { world async throws in
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.addToken(
          Call(world.admin), ["name": "x", "grants": Self.grants, "expiresAt": .string(text)])
      }
      #expect(refusal?.fields.map(\.pointer) == ["/expiresAt"])
      #expect(try await world.coordinator.tokens(Call(world.admin), page: Page()).items.isEmpty)
    }
  }

  @Test func aSessionIsNoTokenToRevoke() async throws {
    try await withWorld { world async throws in
      _ = try await person(world)
      let (_, caller) = try await world.coordinator.signIn(username: "an", password: Self.password)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.revokeToken(Call(world.admin), id: caller.sessionId)
      }
      #expect(refusal?.code == .notFound)
    }
  }

  // MARK: Tickets

  @Test func aTicketOpensOneSocketOnce() async throws {
    try await withWorld { world async throws in
      _ = try await person(world)
      let (_, caller) = try await world.coordinator.signIn(username: "an", password: Self.password)
      let consult = try await world.requested()
      try await world.move(consult, .accept, by: world.specialist)
      func ticket(_ purpose: String, _ consult: String? = nil) async throws -> String {
        let answer = try await world.coordinator.issueTicket(Call(caller), purpose: purpose, consult: consult)
        #expect(answer.json["expiresAt"]?.string == (world.clock.now + .seconds(60)).text)
        return try #require(answer.json["ticket"]?.string)
      }
      func refused(_ ticket: String, _ purpose: String, _ consult: String? = nil) async throws {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.redeem(ticket: ticket, purpose: purpose, consult: consult)
        }
        #expect(refusal?.code == .unauthenticated)
      }
      let events = try await ticket("events")
      #expect(try await world.coordinator.redeem(ticket: events, purpose: "events", consult: nil) == caller)
      try await refused(events, "events")
      try await refused(try await ticket("events"), "call", consult)
      try await refused(try await ticket("call", consult), "events")
      try await refused(try await ticket("call", consult), "call", UUIDv7.make(at: World.now))
      let call = try await ticket("call", consult)
      #expect(try await world.coordinator.redeem(ticket: call, purpose: "call", consult: consult) == caller)
      let old = try await ticket("events")
      world.clock.move(by: .seconds(60))
      try await refused(old, "events")
      let last = try await ticket("events")
      try await world.coordinator.signOut(caller)
      try await refused(last, "events")
    }
  }

  @Test func aTicketIsForWhatMayBeDone() async throws {
    try await withWorld { world async throws in
      let consult = try await world.requested()
      for (caller, id, code) in [
        (world.monitor, consult, Rejection.Code.forbidden), (world.otherStation, consult, .notFound),
        (world.station, UUIDv7.make(at: World.now), .notFound), (world.station, nil, .notFound),
      ] as [(Caller, String?, Rejection.Code)] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.issueTicket(Call(caller), purpose: "call", consult: id)
        }
        #expect(refusal?.code == code)
      }
      let events = await #expect(throws: Rejection.self) {
        try await world.coordinator.issueTicket(Call(world.nobody), purpose: "events", consult: nil)
      }
      #expect(events?.code == .forbidden)
    }
  }
}
