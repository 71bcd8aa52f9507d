import Coordinator
import Domain
import HTTPTypes
import StorageSQLite
import Testing

@testable import Server

@Suite struct DirectoryRoutesTests {
  @Test(
    arguments: [
      ("facilities", Schema.page(of: .facility), 4), ("facilities?q=hac%20thanh", .page(of: .facility), 1),
      ("facilities?q=+", .page(of: .facility), 4), ("facilities?limit=2", .page(of: .facility), 2),
      ("practitioners", .page(of: .practitioner), 2), ("practitioners?q=dao", .page(of: .practitioner), 1),
      ("practitioners?specialty=neurology", .page(of: .practitioner), 1),
      ("specialties", .page(of: .specialtyName), 16), ("specialties?q=tim%20mach", .page(of: .specialtyName), 1),
      ("vehicles", .page(of: .vehicle), 1),
    ])
  func lists(path: String, schema: Schema, count: Int) async throws {
    let world = try await World()
    let called = try await world.call(.get, "/api/v1/" + path, as: "station")
    #expect(called.status == 200 && schema.check(called.json).isEmpty)
    #expect(called.json["items"]?.array?.count == count)
  }

  @Test func pagesThroughAll() async throws {
    let world = try await World()
    var names: [String] = []
    var after = ""
    repeat {
      let page = try await world.call(.get, "/api/v1/facilities?limit=1\(after)", as: "station").json
      names += page["items"]?.array?.compactMap { $0["id"]?.string } ?? []
      after = page["next"]?.string.map { "&after=\($0)" } ?? ""
    } while !after.isEmpty
    #expect(names.sorted() == ["38000", "38001", "38101", "38102"])
  }

  @Test func findsSlots() async throws {
    let world = try await World()
    let called = try await world.call(.get, "/api/v1/slots?specialty=cardiology&minutes=60&limit=3", as: "station")
    let slots = try #require(called.json["items"]?.array)
    #expect(slots.count == 3 && slots.allSatisfy { Schema.slot.check($0).isEmpty })
    for query in ["minutes=7", "minutes=0", "from=2026-11-21", "specialty=x", "limit=2001"] {
      #expect(try await world.call(.get, "/api/v1/slots?\(query)", as: "station").status == 422)
    }
  }

  @Test func showsASchedule() async throws {
    let world = try await World()
    _ = try await world.consult(.scheduled)
    let path = "/api/v1/practitioners/\(World.cardiologist)/schedule"
    let called = try await world.call(.get, path, as: "specialist")
    #expect(called.status == 200 && Schema.schedule.check(called.json).isEmpty)
    let kinds = Set(called.json["items"]?.array?.compactMap { $0["kind"]?.string } ?? [])
    #expect(kinds == ["free", "appointment"])
    #expect(try await world.call(.get, "/api/v1/practitioners/p-none/schedule", as: "station").status == 404)
  }
}

@Suite struct EventRoutesTests {
  @Test func pages() async throws {
    let world = try await World()
    _ = try await world.consult(.assigned)
    let called = try await world.call(.get, "/api/v1/events", as: "monitor")
    #expect(called.status == 200 && Schema.eventPage.check(called.json).isEmpty)
    let cursor = try #require(called.json["cursor"]?.string)
    let rest = try await world.call(.get, "/api/v1/events?after=\(cursor)", as: "monitor").json
    #expect(rest["items"] == [] && rest["cursor"] == .string(cursor))
    let some = try await world.call(.get, "/api/v1/events?types=consult.acc*,call.*&after=oldest", as: "monitor").json
    #expect(some["items"]?.array?.compactMap { $0["event"]?["type"]?.string } == ["consult.accepted"])
    #expect(try await world.call(.get, "/api/v1/events?after=rubbish", as: "monitor").status == 422)
  }

  @Test func tellsOfAGap() async throws {
    let (world, other) = (try await World(), try await World())
    let cursor = try #require(try await other.call(.get, "/api/v1/events", as: "monitor").json["head"]?.string)
    let called = try await world.call(.get, "/api/v1/events?after=\(cursor)", as: "monitor")
    #expect(called.status == 410 && called.code == "cursor-gap")
    #expect(called.json["reason"] == "epoch-changed" && called.json["head"] != nil)
  }

  @Test func waitsForAPage() async throws {
    let world = try await World()
    let waited = try await world.call(.get, "/api/v1/events?after=c1&wait=25&limit=7", as: "monitor")
    #expect(waited.json == ["page": "monitor", "after": "c1", "wait": 25, "limit": 7])
    // Nothing to wait for is a page as always.
    let now = try await world.call(.get, "/api/v1/events?wait=0", as: "monitor")
    #expect(now.status == 200 && Schema.eventPage.check(now.json).isEmpty)
    for wait in ["-1", "26", "x", "1.5", "", "+1"] {
      let refused = try await world.call(.get, "/api/v1/events?wait=\(wait)", as: "monitor")
      #expect(refused.status == 422 && refused.code == "invalid" && refused.pointers == ["wait"], "\(wait)")
    }
    #expect(try await world.call(.get, "/api/v1/events?wait=5").status == 401)
    let stream = try await world.call(
      .get, "/api/v1/events?after=c1&wait=5", as: "monitor", headers: [.accept: "text/event-stream"])
    #expect(stream.json == ["stream": "c1"], "a stream waits anyhow")
  }

  @Test func showsWhereEverythingStands() async throws {
    let world = try await World()
    let consult = try await world.consult(.assigned)
    let trip = try await world.trip()
    let called = try await world.call(.get, "/api/v1/snapshot", as: "monitor")
    #expect(called.status == 200 && Schema.snapshot.check(called.json).isEmpty, "\(called.text)")
    let consults = called.json["consults"]?["items"]?.array?.compactMap { $0["id"]?.string } ?? []
    #expect(consults.contains(consult) && consults.count == 2)
    #expect(called.json["trips"]?["items"]?.array?.compactMap { $0["id"]?.string } == [trip])
    // The feed goes on from it.
    let cursor = try #require(called.json["cursor"]?.string)
    #expect(try await world.call(.get, "/api/v1/events?after=\(cursor)", as: "monitor").json["items"] == [])
    let next = try await world.consult(.requested)
    let events = try await world.call(.get, "/api/v1/events?after=\(cursor)", as: "monitor").json["items"]?.array
    #expect(events?.compactMap { $0["event"]?["subject"]?.string } == ["consults/\(next)"])
    // A page of it, and what is none.
    let one = try await world.call(.get, "/api/v1/snapshot?limit=1&facility=38101,38102", as: "monitor").json
    #expect(one["consults"]?["items"]?.array?.count == 1 && one["consults"]?["next"] != nil)
    for query in ["limit=0", "limit=501", "limit=x", "facility=", "specialty="] {
      let refused = try await world.call(.get, "/api/v1/snapshot?\(query)", as: "monitor")
      #expect(refused.status == 422 && refused.code == "invalid", "\(query)")
    }
  }

  @Test func opensStreams() async throws {
    let world = try await World()
    let stream: HTTPFields = [.accept: "text/event-stream", .lastEventID: "c2"]
    let called = try await world.call(.get, "/api/v1/events?after=c1", as: "monitor", headers: stream)
    #expect(called.json == ["stream": "c2"])
    #expect(try await world.call(.get, "/api/v1/events", headers: stream).status == 401)
    #expect(try await world.call(.get, "/api/v1/events?ticket=x", headers: stream).status == 401)
  }

  @Test func opensSocketsByTicketOnce() async throws {
    let world = try await World()
    let socket: HTTPFields = [.upgrade: "websocket"]
    func ticket(_ body: JSON, as account: String) async throws -> String {
      let called = try await world.call(.post, "/api/v1/tickets", as: account, body: body)
      #expect(called.status == 201 && Schema.ticket.check(called.json).isEmpty)
      return try #require(called.json["ticket"]?.string)
    }
    let pass = try await ticket(["purpose": "events"], as: "monitor")
    let opened = try await world.call(.get, "/api/v1/events?ticket=\(pass)", headers: socket)
    #expect(opened.json == ["socket": "monitor"])
    #expect(try await world.call(.get, "/api/v1/events?ticket=\(pass)", headers: socket).status == 401, "used")
    #expect(try await world.call(.get, "/api/v1/events", as: "monitor", headers: socket).status == 200)
    #expect(try await world.call(.get, "/api/v1/events", headers: socket).status == 401)

    let consult = try await world.consult(.assigned)
    let call = "/api/v1/consults/\(consult)/call"
    let seat = try await ticket(["purpose": "call", "consultId": .string(consult.uppercased())], as: "specialist")
    #expect(try await world.call(.get, "/api/v1/events?ticket=\(seat)", headers: socket).status == 401)
    let second = try await ticket(["purpose": "call", "consultId": .string(consult)], as: "specialist")
    #expect(try await world.call(.get, call + "?ticket=\(second)", headers: socket).json == ["role": "specialist"])
    #expect(try await world.call(.post, "/api/v1/tickets", as: "station", body: ["purpose": "call"]).status == 422)
  }

  @Test func wantsTheOriginOfACookiesSocket() async throws {
    let world = try await World()
    let token = try await world.token("monitor")
    func open(_ origin: String?) async throws -> Int {
      var headers: HTTPFields = [.upgrade: "websocket", .cookie: "hoichan_session=\(token)"]
      if let origin { headers[.origin] = origin }
      return try await world.call(.get, "/api/v1/events", headers: headers).status
    }
    #expect(try await open("http://hoichan.test") == 200)
    #expect(try await open("http://evil.test") == 403)
    #expect(try await open(nil) == 403)
  }

  @Test func wantsASocketForACall() async throws {
    let world = try await World()
    let consult = try await world.consult(.assigned)
    let called = try await world.call(.get, "/api/v1/consults/\(consult)/call", as: "station")
    #expect(called.status == 426 && called.code == "upgrade-required" && called[.upgrade] == "websocket")
  }
}

@Suite struct PeopleRoutesTests {
  private static let grants: JSON = [["role": "station", "facilities": ["38101"]]]

  @Test func managesUsers() async throws {
    let world = try await World()
    let body: JSON = ["username": "moi", "name": "Người mới", "password": "mat-khau-dai", "grants": Self.grants]
    let made = try await world.call(.post, "/api/v1/users", as: "admin", body: body)
    #expect(made.status == 201 && Schema.user.check(made.json).isEmpty)
    let id = try #require(made.json["id"]?.string)
    let list = try await world.call(.get, "/api/v1/users?limit=3", as: "admin")
    #expect(Schema.page(of: .user).check(list.json).isEmpty)
    let token = try await world.token("moi")
    let headers: HTTPFields = [.authorization: "Bearer \(token)"]
    #expect(try await world.call(.get, "/api/v1/session", headers: headers).status == 200)
    let off = try await world.call(.patch, "/api/v1/users/\(id)", as: "admin", body: ["disabled": true])
    #expect(off.status == 200)
    #expect(off.json["disabled"] == true)
    #expect(try await world.call(.get, "/api/v1/session", headers: headers).status == 401)
    #expect(try await world.call(.post, "/api/v1/users", as: "admin", body: body).status == 422, "the name is taken")
  }

  @Test func managesTokens() async throws {
    let world = try await World()
    let made = try await world.call(
      .post, "/api/v1/tokens", as: "admin", body: ["name": "miniIOC", "grants": Self.grants])
    #expect(made.status == 201 && Schema.newToken.check(made.json).isEmpty)
    let secret = try #require(made.json["token"]?.string)
    let headers: HTTPFields = [.authorization: "Bearer \(secret)"]
    #expect(try await world.call(.get, "/api/v1/consults", headers: headers).status == 200)
    let list = try await world.call(.get, "/api/v1/tokens", as: "admin")
    #expect(Schema.page(of: .token).check(list.json).isEmpty && !list.text.contains(secret))
    let id = try #require(made.json["id"]?.string)
    #expect(try await world.call(.delete, "/api/v1/tokens/\(id)", as: "admin").status == 204)
    #expect(try await world.call(.delete, "/api/v1/tokens/\(id)", as: "admin").status == 404)
    #expect(try await world.call(.get, "/api/v1/consults", headers: headers).status == 401)
  }

  @Test(
    arguments: [
      ("username", "Hoa", "/username"), ("username", "a", "/username"), ("username", ".ab", "/username"),
      ("password", "ngan", "/password"),
      ("grants", [["role": "king", "facilities": ["38101"]]], "/grants/0/role"),
      ("grants", [["role": "station", "facilities": ["99999"]]], "/grants/0/facilities/0"),
      ("practitionerId", "nobody", "/practitionerId"),
    ] as [(String, JSON, String)])
  func refusesBadUsers(name: String, value: JSON, pointer: String) async throws {
    let world = try await World()
    var members = JSON.Members([
      ("username", "moi"), ("name", "Mới"), ("password", "mat-khau-dai"), ("grants", Self.grants),
    ])
    members[name] = value
    let called = try await world.call(.post, "/api/v1/users", as: "admin", body: .object(members))
    #expect(called.status == 422 && called.pointers == [pointer], "\(called.text)")
  }

  @Test func showsWhoLooked() async throws {
    let world = try await World()
    let id = try await world.consult(.assigned)
    _ = try await world.call(.get, "/api/v1/consults/\(id)", as: "specialist")
    let called = try await world.call(.get, "/api/v1/access-log?subject=consults/\(id)", as: "auditor")
    #expect(called.status == 200 && Schema.page(of: .accessEntry).check(called.json).isEmpty)
    let names = called.json["items"]?.array?.compactMap { $0["personName"]?.string }
    #expect(names?.contains("Người specialist") == true)
  }
}

@Suite struct OperationRoutesTests {
  @Test func tellsItsHealth() async throws {
    let world = try await World()
    #expect(try await world.call(.get, "/livez").json == ["status": "ok"])
    #expect(try await world.call(.get, "/readyz").json == ["status": "ok"])
    world.store.close()
    let called = try await world.call(.get, "/readyz")
    #expect(called.status == 503 && called.code == "unavailable" && called[.retryAfter] != nil)
    #expect(try await world.call(.get, "/livez").status == 200)
  }

  @Test func keepsItsMetricsToItself() async throws {
    let world = try await World()
    #expect(try await world.call(.get, "/metrics").status == 401)
    let token = try await world.call(.get, "/metrics", as: "monitor")
    #expect(token.status == 200 && token[.contentType]?.hasPrefix("text/plain; version=0.0.4") == true)
    var local = world.harness
    local.peer = "127.0.0.1"
    #expect(try await local.call(.get, "/metrics").status == 200)
    #expect(try await local.call(.get, "/metrics", headers: [.xForwardedFor: "203.0.113.9"]).status == 401)
  }

  @Test func describesEveryRoute() async throws {
    let world = try await World()
    let document = try await world.call(.get, "/openapi.json").json
    for endpoint in world.server.endpoints where !endpoint.options.contains(.undocumented) {
      let operation = document["paths"]?[endpoint.path]?[endpoint.method.rawValue.lowercased()]
      #expect(operation?["operationId"] == .string(endpoint.id))
    }
  }

  @Test func explainsProblems() async throws {
    let world = try await World()
    for code in Rejection.Code.allCases {
      let called = try await world.call(.get, "/problems/\(code.rawValue)")
      #expect(called.status == 200 && called.text.contains("(\(code.status.code))"))
    }
    #expect(try await world.call(.get, "/problems/other").status == 404)
  }
}
