import Coordinator
import Domain
import HTTPTypes
import Testing

@testable import Server

/// CONTRACT "Who may", route by route: what happens to each role's request when the thing is within its reach.
@Suite struct AuthorizationTests {
  /// In the order of `Role.allCases`: station, specialist, dispatcher, crew, monitor, admin, auditor.
  /// `Y` is let in, `F` may see but not do (403), `H` may not see (404).
  static let cases: [String: String] = [
    "signIn": "YYYYYYY", "readSession": "YYYYYYY", "signOut": "YYYYYYY",
    "listFacilities": "YYYYYYY", "listPractitioners": "YYYYYYY", "listSpecialties": "YYYYYYY",
    "listVehicles": "YYYYYYY", "findSlots": "YYYYYYY", "readSchedule": "YYYYYYY",
    "requestConsult": "YFFFFFF", "listConsults": "YYYYYYY", "readConsult": "YYYHYYY", "bookAppointment": "YYYHFFF",
    "acceptConsult": "FYFHFFF", "declineConsult": "FYFHFFF", "arriveConsult": "YFFHFFF", "startConsult": "YYFHFFF",
    "interruptConsult": "YYFHFFF", "resumeConsult": "YYFHFFF", "cancelConsult": "YYYHFFF", "noShowConsult": "YYYHFFF",
    "concludeConsult": "FYFHFFF", "signConsult": "FYFHFFF", "amendConsult": "FYFHFFF",
    "readOutcomeDocument": "YYFHFFY", "joinCall": "YYFHFFF",
    "requestTrip": "YFYFFFF", "listTrips": "YYYYYYY", "readTrip": "YYYYYYY", "changeTrip": "YFYFFFF",
    "recordMilestone": "FFYYFFF", "sendPositions": "FFYYFFF", "shareTrip": "YFYYFFF", "revokeLink": "YFYYFFF",
    "trackTrip": "YYYYYYY",
    "readEvents": "YYYYYYY", "readSnapshot": "YYYYYYY", "readFeedStatus": "FFFFFYF",
    "issueTicket": "YYYYYYY",
    "listUsers": "FFFFFYF", "addUser": "FFFFFYF", "changeUser": "FFFFFYF", "listTokens": "FFFFFYF",
    "addToken": "FFFFFYF", "revokeToken": "FFFFFYF", "readAccessLog": "FFFFFFY",
    "listWebhooks": "FFFFFYF", "addWebhook": "FFFFFYF", "readWebhook": "FFFFFYF", "changeWebhook": "FFFFFYF",
    "removeWebhook": "FFFFFYF", "testWebhook": "FFFFFYF",
    "isAlive": "YYYYYYY", "isReady": "YYYYYYY", "readMetrics": "YYYYYYY", "describe": "YYYYYYY",
    "describeSockets": "YYYYYYY", "explainProblem": "YYYYYYY",
    "start": "YYYYYYY", "page.signIn": "YYYYYYY", "page.track": "YYYYYYY", "page.consult": "YYYYYYY",
    "page.call": "YYYYYYY", "page.station": "YFFFFFF", "page.stationNew": "YFFFFFF", "page.specialist": "FYFFFFF",
    "page.dispatch": "FFYFFFF", "page.crew": "FFFYFFF", "page.monitor": "FFFFYFF", "page.admin": "FFFFFYF",
    "page.audit": "FFFFFFY", "file": "YYYYYYY", "leafletImage": "YYYYYYY", "serviceWorker": "YYYYYYY",
  ]

  @Test func everyRouteHasACaseForEveryRole() async throws {
    let world = try await World()
    let ids = world.server.endpoints.map(\.id)
    #expect(Set(ids).count == ids.count, "an id names one route")
    #expect(Set(ids).symmetricDifference(Self.cases.keys).sorted() == [])
    for (id, row) in Self.cases { #expect(row.count == Role.allCases.count, "\(id)") }
  }

  @Test(arguments: cases.keys.sorted()) func asks(id: String) async throws {
    let world = try await World()
    let endpoint = try #require(world.server.endpoints.first { $0.id == id })
    for (role, expected) in zip(Role.allCases, try #require(Self.cases[id])) {
      let (path, body) = try await request(endpoint, world, role)
      // A session of its own for each, since signing out ends it.
      let token = try await world.session(of: role.rawValue)
      let headers: HTTPFields = id == "joinCall" ? [.upgrade: "websocket"] : [:]
      let called = try await world.harness.call(
        endpoint.method, path, token: token, headers: headers, body: body?.bytes)
      let status =
        switch called.status {
        case 200..<400: "Y"
        case 403: "F"
        case 404: "H"
        default: "\(called.status)"
        }
      #expect(status == String(expected), "\(role) \(endpoint.method) \(path): \(called.text)")
    }
  }

  /// What a stranger is told: to sign in, wherever that is needed.
  @Test(arguments: cases.keys.sorted()) func refusesStrangers(id: String) async throws {
    let world = try await World()
    let endpoint = try #require(world.server.endpoints.first { $0.id == id })
    guard case .signedIn = endpoint.access else { return }
    let (path, body) = try await request(endpoint, world, .station)
    for token in [nil, "foreign"] {
      let called = try await world.harness.call(endpoint.method, path, token: token, body: body?.bytes)
      #expect(called.status == (endpoint.options.contains(.page) ? 303 : 401))
    }
  }

  /// A good request of the route, about a thing in the right state.
  private func request(_ endpoint: Endpoint, _ world: World, _ role: Role) async throws -> (String, JSON?) {
    let reason: JSON = ["reason": "Bận cấp cứu"]
    func consult(_ state: ConsultState) async throws -> String {
      endpoint.path.replacing("{id}", with: try await world.consult(state))
    }
    func trip() async throws -> String { endpoint.path.replacing("{id}", with: try await world.trip()) }
    func link(_ trip: String) async throws -> Called {
      try await world.call(.post, "/api/v1/trips/\(trip)/links", as: "dispatcher")
    }
    let grants: JSON = [["role": "station", "facilities": ["38101"]]]
    switch endpoint.id {
    case "signIn": return (endpoint.path, ["username": .string(role.rawValue), "password": .string(World.password)])
    case "readSchedule": return (endpoint.path.replacing("{id}", with: World.cardiologist), nil)
    case "requestConsult": return (endpoint.path, withStation(World.consultBody()))
    case "readConsult", "cancelConsult":
      return (try await consult(.assigned), endpoint.id == "readConsult" ? nil : reason)
    case "bookAppointment":
      let start = try await world.freeStart()
      return (
        try await consult(.assigned),
        ["practitionerId": .string(World.cardiologist), "start": .instant(start), "minutes": 5]
      )
    case "acceptConsult": return (try await consult(.requested), nil)
    case "declineConsult": return (try await consult(.assigned), reason)
    case "arriveConsult", "startConsult", "joinCall": return (try await consult(.assigned), nil)
    case "interruptConsult": return (try await consult(.inProgress), nil)
    case "resumeConsult": return (try await consult(.interrupted), nil)
    case "noShowConsult":
      let path = try await consult(.scheduled)
      world.clock.advance(.minutes(30))
      return (path, ["side": "station"])
    case "concludeConsult": return (try await consult(.inProgress), World.conclusion)
    case "signConsult": return (try await consult(.concluded), nil)
    case "amendConsult":
      guard case .object(var members) = World.conclusion else { return ("", nil) }
      members["reason"] = "Nhầm liều"
      return (try await consult(.signed), .object(members))
    case "readOutcomeDocument":
      return (try await consult(.concluded).replacing("{version}", with: "1"), nil)
    case "requestTrip": return (endpoint.path, World.tripBody)
    case "readTrip": return (try await trip(), nil)
    case "changeTrip": return (try await trip(), ["priority": "planned"])
    case "recordMilestone":
      return (try await trip(), ["milestone": "dispatched", "at": .instant(world.clock.now)])
    case "sendPositions":
      return (
        try await trip(),
        ["positions": [["at": .instant(world.clock.now), "lat": .double(19.8), "lon": .double(105.7)]]]
      )
    case "shareTrip": return (try await trip(), nil)
    case "revokeLink":
      let trip = try await world.trip()
      let id = try #require(try await link(trip).json["id"]?.string)
      return (endpoint.path.replacing("{id}", with: trip).replacing("{linkId}", with: id), nil)
    case "trackTrip", "page.track":
      let url = try #require(try await link(try await world.trip()).json["url"]?.string)
      return (endpoint.path.replacing("{secret}", with: url.split(separator: "/").last ?? ""), nil)
    case "issueTicket": return (endpoint.path, ["purpose": "events"])
    case "addUser":
      return (
        endpoint.path,
        ["username": .string("moi-\(role.rawValue)"), "name": "Mới", "password": "mat-khau-dai", "grants": grants]
      )
    case "changeUser":
      let users = try await world.call(.get, "/api/v1/users", as: "admin").json
      let second = users["items"]?.array?.first { $0["username"] == "station2" }
      return (endpoint.path.replacing("{id}", with: second?["id"]?.string ?? ""), ["name": "Tên khác"])
    case "addToken": return (endpoint.path, ["name": "miniIOC", "grants": grants])
    case "revokeToken":
      let made = try await world.call(
        .post, "/api/v1/tokens", as: "admin", body: ["name": "miniIOC", "grants": grants])
      return (endpoint.path.replacing("{id}", with: made.json["id"]?.string ?? ""), nil)
    case "addWebhook": return (endpoint.path, World.webhookBody)
    case "readWebhook", "changeWebhook", "removeWebhook", "testWebhook":
      let made = try await world.call(.post, "/api/v1/webhooks", as: "admin", body: World.webhookBody)
      let path = endpoint.path.replacing("{id}", with: made.json["id"]?.string ?? "")
      return (path, endpoint.id == "changeWebhook" ? ["state": "paused"] : nil)
    case "explainProblem": return (endpoint.path.replacing("{code}", with: "slot-taken"), nil)
    case "page.consult", "page.call": return (try await consult(.assigned), nil)
    case "file": return ("/assets/1/api.js", nil)
    case "leafletImage": return ("/assets/leaflet/images/layers.png", nil)
    default: return (endpoint.path, nil)
    }
  }

  /// Others than the station name the station too: they are refused for who they are, not for what they forgot.
  private func withStation(_ body: JSON) -> JSON {
    guard case .object(var members) = body else { return body }
    members["stationId"] = .string(World.station)
    return .object(members)
  }
}
