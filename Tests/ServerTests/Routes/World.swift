import Coordinator
import Domain
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import StorageSQLite
import Synchronization
import Testing

@testable import Server

/// A small province on a real database, with an account of every role, behind the server that `hoichan` runs.
final class World: Sendable {
  let store: SQLiteStore
  let coordinator: Coordinator
  let server: HTTPServer
  let harness: Harness
  let clock: Clock
  private let folder: URL

  /// The time of the world: a Wednesday morning.
  final class Clock: Sendable {
    private let value = Mutex(Instant("2026-11-18T08:00:00+07:00")!)
    var now: Instant { value.withLock { $0 } }
    func advance(_ span: Span) { value.withLock { $0 = $0 + span } }
  }

  static let station = "38101"
  static let cardiologist = "p-cardio"
  static let neurologist = "p-neuro"
  static let vehicle = "v1"
  static let password = "hoichan-demo"

  /// A name a role, and a second station and specialist, who see nothing of the first's.
  static let accounts: [(name: String, role: Role, facility: String, practitioner: String?, vehicle: String?)] = [
    ("station", .station, station, nil, nil), ("specialist", .specialist, "38001", cardiologist, nil),
    ("dispatcher", .dispatcher, "38000", nil, nil), ("crew", .crew, "38001", nil, vehicle),
    ("monitor", .monitor, "38000", nil, nil), ("admin", .admin, "38000", nil, nil),
    ("auditor", .auditor, "38000", nil, nil), ("station2", .station, "38102", nil, nil),
    ("specialist2", .specialist, "38001", neurologist, nil),
  ]

  static let feedStatus: JSON = [
    "startedAt": "2026-11-18T08:00:00+07:00", "subscribers": ["sockets": 2, "streams": 1, "waiting": 0],
    "lagMilliseconds": .null, "behind": ["subscribers": 1, "events": 40],
    "ring": ["events": 0, "bytes": 0, "maxBytes": 41_943_040, "since": .null],
    "backlog": ["bytes": 0, "maxBytes": 268_435_456], "deliveries": 7, "encodes": 5,
    "deflates": 5, "pagesRead": 0, "ends": ["tooSlow": 1, "signedOut": 0],
  ]

  init(settings change: (inout ServerSettings) -> Void = { _ in }) async throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("world-\(UUID())")
    let logger = Logger(label: "world") { _ in SwiftLogNoOpLogHandler() }
    store = try SQLiteStore(path: folder.appendingPathComponent("test.sqlite").path, logger: logger)
    let clock = Clock()
    self.clock = clock
    let coordinator = Coordinator(
      store: store, secrets: Secrets(key: Array(repeating: 7, count: 32)), publicURL: { "http://hoichan.test" },
      logger: logger, now: { clock.now })
    self.coordinator = coordinator
    var settings = ServerSettings()
    settings.requestRate = nil
    change(&settings)
    let registry = PrometheusRegistry()
    server = try HTTPServer.assemble(
      coordinator, settings: settings, registry: registry, version: "test",
      live: .init(
        socket: { _, caller, _, _, _ in .json(["socket": .string(caller.username)]) },
        stream: { _, _, _, after in .json(["stream": .orNull(after)]) },
        page: { request, caller, _, after, wait in
          .ok([
            "page": .string(caller.username), "after": .orNull(after), "wait": .int(wait),
            "limit": .int(Int64(request.limit)),
          ])
        },
        call: { _, caller, consult in
          let (_, role) = try await coordinator.admit(caller, toCallOf: consult)
          return .json(["role": .string(role.rawValue)])
        }, status: { .ok(World.feedStatus) }),
      testWebhook: { _, _ in
        .ok(["delivered": true, "status": 204, "error": .null, "milliseconds": 1])
      })
    harness = Harness(server)
    try await coordinator.load(try await Self.batch(), people: try await Self.people(), meta: ["demo": "1"])
  }

  deinit {
    store.close()
    try? FileManager.default.removeItem(at: folder)
  }

  private static func batch() async throws -> DirectoryBatch {
    func facility(_ code: String, _ name: String, _ kind: Facility.Kind, _ parent: String?) -> Facility {
      Facility(
        code: code, name: name, kind: kind, province: "38", parent: parent, latitude: 19.8, longitude: 105.77,
        phone: "+842373850000")
    }
    func everyDay(_ practitioner: String) -> [ScheduleSession] {
      (1...7).map {
        ScheduleSession(
          id: "\(practitioner)-\($0)", practitioner: practitioner, weekday: $0, startMinute: 0, endMinute: 1_440,
          visitMinutes: 30)
      }
    }
    return DirectoryBatch(
      facilities: [
        facility("38000", "Tỉnh Thanh Hóa", .province, nil),
        facility("38001", "Bệnh viện Đa khoa tỉnh", .hospital, "38000"),
        facility("38101", "Trạm Y tế Hạc Thành", .station, "38000"),
        facility("38102", "Trạm Y tế Sầm Sơn", .station, "38000"),
      ],
      practitioners: [
        Practitioner(id: cardiologist, name: "Lê Thị Đào", facility: "38001", specialty: .cardiology),
        Practitioner(id: neurologist, name: "Trần Văn Ân", facility: "38001", specialty: .neurology),
      ], sessions: everyDay(cardiologist) + everyDay(neurologist),
      vehicles: [Vehicle(id: vehicle, label: "36A-115.01", facility: "38001", kind: "ambulance")])
  }

  /// One hash for all: scrypt takes its time.
  private static let hash = Task { try await PasswordHasher().hash(password) }

  private static func people() async throws -> [Person] {
    let hash = try await hash.value
    return accounts.map { account in
      Person(
        id: UUIDv7.make(at: .system), username: account.name, name: "Người \(account.name)", passwordHash: hash,
        practitionerId: account.practitioner, vehicleId: account.vehicle,
        grants: [Grant(role: account.role, facilities: [account.facility])])
    }
  }

  // MARK: Doing things

  private let tokens = Mutex<[String: String]>([:])

  /// The token of a session that is made once for each account.
  func token(_ account: String) async throws -> String {
    if let known = tokens.withLock({ $0[account] }) { return known }
    let token = try await session(of: account)
    tokens.withLock { $0[account] = token }
    return token
  }

  /// The token of a new session, as signing in makes it, without the time that scrypt takes.
  func session(of account: String) async throws -> String {
    let secret = Secrets.random()
    let now = clock.now
    try await store.write { tx in
      let person = try #require(try tx.person(username: account))
      try tx.insert(
        Session(
          id: UUIDv7.make(at: now), kind: .session, secretHash: Secrets.hash(secret), person: person.id,
          name: person.name, createdAt: now, expiresAt: now + Coordinator.sessionLifetime))
    }
    return secret
  }

  func call(
    _ method: HTTPRequest.Method, _ path: String, as account: String? = nil, headers: HTTPFields = [:],
    body: JSON? = nil
  ) async throws -> Called {
    var token: String?
    if let account { token = try await self.token(account) }
    return try await harness.call(method, path, token: token, headers: headers, body: body?.bytes)
  }

  static func consultBody(id: String? = nil, specialty: String = "cardiology") -> JSON {
    .compact([
      "id": id.map { .string($0) }, "specialty": .string(specialty), "urgency": "urgent", "mode": "live",
      "patient": ["name": "Nguyễn Văn Bình", "birthDate": "1958-02-28", "sex": "male"],
      "situation": "Đau ngực trái 40 phút", "request": "Có chuyển tuyến không?",
      "vitals": [
        "respiratoryRate": 22, "spo2": 93, "oxygen": false, "systolic": 98, "pulse": 112, "consciousness": "alert",
        "temperature": .double(37.2),
      ],
    ])
  }

  static let conclusion: JSON = [
    "summary": "Nhồi máu cơ tim cấp", "diagnoses": [["code": "I21.0", "main": true]],
    "disposition": "transferEmergency", "recommendation": "Aspirin 300 mg, chuyển ngay.",
  ]

  /// A consult brought to a state; its id.
  func consult(_ state: ConsultState) async throws -> String {
    let made = try await call(.post, "/api/v1/consults", as: "station", body: Self.consultBody())
    #expect(made.status == 201, "\(made.text)")
    let id = try #require(made.json["id"]?.string)
    let steps: [(String, String, JSON?)] =
      switch state {
      case .requested: []
      case .assigned: [("accept", "specialist", nil)]
      case .waiting: [("accept", "specialist", nil), ("arrive", "station", nil)]
      case .inProgress: [("accept", "specialist", nil), ("start", "station", nil)]
      case .interrupted: [("accept", "specialist", nil), ("start", "station", nil), ("interrupt", "station", nil)]
      case .concluded:
        [("accept", "specialist", nil), ("start", "station", nil), ("conclude", "specialist", Self.conclusion)]
      case .signed:
        [
          ("accept", "specialist", nil), ("start", "station", nil), ("conclude", "specialist", Self.conclusion),
          ("sign", "specialist", nil),
        ]
      case .scheduled, .amended, .cancelled, .noShow: []
      }
    for (step, account, body) in steps {
      let called = try await call(.post, "/api/v1/consults/\(id)/\(step)", as: account, body: body)
      #expect(called.status == 200, "\(step): \(called.text)")
    }
    if state == .scheduled {
      let start = try await freeStart()
      let called = try await call(
        .post, "/api/v1/consults/\(id)/appointment", as: "station",
        body: ["practitionerId": .string(Self.cardiologist), "start": .instant(start), "minutes": 5])
      #expect(called.status == 201, "\(called.text)")
    }
    return id
  }

  /// The next free start of the cardiologist.
  func freeStart() async throws -> Instant {
    let called = try await call(
      .get, "/api/v1/slots?practitioner=\(Self.cardiologist)&minutes=5&limit=1", as: "station")
    let text = try #require(called.json["items"]?.array?.first?["start"]?.string)
    return try #require(Instant(text))
  }

  static let tripBody: JSON = [
    "vehicleId": .string(vehicle), "priority": "emergency", "origin": ["lat": .double(19.9), "lon": .double(105.6)],
    "destination": ["facilityId": "38001"], "patient": ["temporary": true],
  ]

  static let webhookBody: JSON = ["url": "https://ioc.example.vn/hook", "facilities": ["38000"]]

  /// A trip of the station's, ridden by the crew, watched by the specialist of its consult; its id.
  func trip() async throws -> String {
    let consult = try await consult(.assigned)
    guard case .object(var members) = Self.tripBody else { return "" }
    members["consultId"] = .string(consult)
    let called = try await call(.post, "/api/v1/trips", as: "station", body: .object(members))
    #expect(called.status == 201, "\(called.text)")
    return try #require(called.json["id"]?.string)
  }
}
