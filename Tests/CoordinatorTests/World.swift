import Coordinator
import Domain
import Foundation
import Logging
import Storage
import StorageSQLite
import Synchronization

/// A small province with a clock that stands still until it is moved.
struct World: Sendable {
  let store: any Store
  /// What the coordinator has instead of the store itself.
  let interruption: InterruptedStore
  let coordinator: Coordinator
  let clock: Clock
  let published: Published

  final class Clock: Sendable {
    private let instant = Mutex(World.now)
    var now: Instant { instant.withLock { $0 } }
    func move(by span: Span) { instant.withLock { $0 = $0 + span } }
    func move(to moment: Instant) { instant.withLock { $0 = moment } }
  }

  /// What was sent to whoever watches.
  final class Published: Sendable {
    private let list = Mutex<[VolatileEvent]>([])
    var events: [VolatileEvent] { list.withLock { $0 } }
    func add(_ event: VolatileEvent) { list.withLock { $0.append(event) } }
  }

  /// A Saturday morning, before the first slot.
  static let now = Instant("2026-11-21T06:00:00+07:00")!
  static let nine = Instant("2026-11-21T09:00:00+07:00")!
  static let secrets = Secrets(key: Array(repeating: 3, count: 32))

  static let directory = DirectoryBatch(
    facilities: [
      Facility(code: "38000", name: "Thanh Hóa", kind: .province, province: "38"),
      Facility(code: "38001", name: "Trạm Hạc Thành", kind: .station, province: "38", parent: "38000", phone: "02371"),
      Facility(code: "38002", name: "Trạm Đông Sơn", kind: .station, province: "38", parent: "38000"),
      Facility(
        code: "38003", name: "Trạm cũ", kind: .station, province: "38", parent: "38000",
        validTo: CalendarDay("2025-06-30")),
      Facility(
        code: "38901", name: "Bệnh viện tỉnh", kind: .hospital, province: "38", parent: "38000", latitude: 19.8,
        longitude: 105.78),
      Facility(code: "38902", name: "Bệnh viện tim", kind: .hospital, province: "38", parent: "38000"),
      Facility(code: "40000", name: "Nghệ An", kind: .province, province: "40"),
      Facility(code: "40001", name: "Trạm xa", kind: .station, province: "40", parent: "40000"),
    ],
    practitioners: [
      Practitioner(id: "bs-01", name: "Nguyễn Văn Ái", facility: "38901", specialty: .cardiology),
      Practitioner(id: "bs-02", name: "Lê Thị Bích", facility: "38902", specialty: .cardiology),
      Practitioner(id: "bs-03", name: "Đỗ Cường", facility: "38901", specialty: .neurology),
      Practitioner(
        id: "bs-04", name: "Đã nghỉ", facility: "38901", specialty: .cardiology, validTo: CalendarDay("2026-11-20")),
    ],
    // Every day from 07:00 to 11:00.
    sessions: ["bs-01", "bs-02", "bs-03", "bs-04"].flatMap { id in
      (1...7).map {
        ScheduleSession(
          id: "\(id)-\($0)", practitioner: id, weekday: $0, startMinute: 420, endMinute: 660, visitMinutes: 30)
      }
    },
    vehicles: [
      Vehicle(id: "xe-01", label: "Xe 01", facility: "38901", kind: "ambulance"),
      Vehicle(id: "xe-02", label: "Xe 02", facility: "38901", kind: "ambulance"),
    ])

  static let tree = FacilityTree(parents: directory.facilities.map { ($0.code, $0.parent) })

  static func caller(
    _ id: String, _ role: Role?, at facilities: [String], practitioner: String? = nil, vehicle: String? = nil
  ) -> Caller {
    Caller(
      sessionId: "s-" + id, kind: .session, personId: id, username: id, name: "Người \(id)",
      practitionerId: practitioner,
      specialty: directory.practitioners.first { $0.id == practitioner }?.specialty, vehicleId: vehicle,
      grants: role.map { [Grant(role: $0, facilities: facilities)] } ?? [], tree: tree)
  }

  let station = caller("tram", .station, at: ["38001"])
  let otherStation = caller("tram2", .station, at: ["38002"])
  let specialist = caller("bacsi", .specialist, at: ["38901"], practitioner: "bs-01")
  let colleague = caller("bacsi2", .specialist, at: ["38902"], practitioner: "bs-02")
  let neurologist = caller("bacsi3", .specialist, at: ["38901"], practitioner: "bs-03")
  let dispatcher = caller("dieuphoi", .dispatcher, at: ["38000"])
  let crew = caller("xe", .crew, at: ["38901"], vehicle: "xe-01")
  let otherCrew = caller("xe2", .crew, at: ["38901"], vehicle: "xe-02")
  let monitor = caller("giamsat", .monitor, at: ["38000"])
  let admin = caller("quantri", .admin, at: ["38000"])
  let auditor = caller("kiemtra", .auditor, at: ["38000"])
  let foreigner = caller("xa", .monitor, at: ["40000"])
  let nobody = caller("ai", nil, at: [])
}

/// A world of its own for one test, on a real database, closed and removed afterwards.
func withWorld(_ body: (World) async throws -> Void) async throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("hoichan-\(UUID().uuidString)").path
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  let store = try SQLiteStore(path: folder + "/hoichan.sqlite", logger: logger)
  defer {
    store.close()
    do { try FileManager.default.removeItem(atPath: folder) } catch { fatalError("\(folder) stays behind: \(error)") }
  }
  try await store.write { try $0.save(World.directory) }
  let (clock, published) = (World.Clock(), World.Published())
  let interruption = InterruptedStore(store)
  let coordinator = Coordinator(
    store: interruption, secrets: World.secrets, publicURL: { "https://hoichan.test" }, logger: logger,
    now: { clock.now }, publish: published.add)
  try await body(
    World(
      store: store, interruption: interruption, coordinator: coordinator, clock: clock, published: published))
}

extension World {
  static let patient: JSON = [
    "name": "Trần Thị Hoa", "birthDate": "1950-01-31", "sex": "female", "personalId": "038150000001",
  ]

  static func body(_ changes: KeyValuePairs<String, JSON?> = [:]) -> JSON {
    changed(
      [
        "specialty": "cardiology", "urgency": "urgent", "mode": "live", "patient": patient,
        "situation": "Đau ngực 30 phút", "background": "Tăng huyết áp", "request": "Xin ý kiến",
      ], changes)
  }

  static func conclusion(_ changes: KeyValuePairs<String, JSON?> = [:]) -> JSON {
    changed(
      [
        "summary": "Nhồi máu cơ tim", "diagnoses": [["code": "I21.1", "main": true]],
        "disposition": "transferUrgent", "recommendation": "Aspirin 300 mg",
      ], changes)
  }

  static func tripBody(_ changes: KeyValuePairs<String, JSON?> = [:]) -> JSON {
    changed(
      [
        "vehicleId": "xe-01", "priority": "urgent",
        "origin": ["lat": .double(19.9), "lon": .double(105.7), "label": "Nhà bà Hoa"],
        "destination": ["facilityId": "38901"], "patient": patient,
      ], changes)
  }

  private static func changed(_ json: JSON, _ changes: KeyValuePairs<String, JSON?>) -> JSON {
    guard case .object(var members) = json else { return json }
    for (name, value) in changes { members[name] = value }
    return .object(members)
  }

  /// Asks for a consult; returns its id.
  func requested(_ changes: KeyValuePairs<String, JSON?> = [:], by caller: Caller? = nil) async throws -> String {
    try await coordinator.requestConsult(Call(caller ?? station), Self.body(changes)).id
  }

  @discardableResult
  func book(
    _ id: String, _ practitioner: String = "bs-01", at start: Instant = nine, minutes: Int64 = 30,
    by caller: Caller? = nil, ifMatch: Int64? = nil
  ) async throws -> Answer {
    try await coordinator.book(
      Call(caller ?? station, ifMatch: ifMatch), consult: id, practitioner: practitioner, start: start,
      minutes: minutes)
  }

  @discardableResult
  func move(_ id: String, _ transition: ConsultTransition, by caller: Caller, _ body: JSON = .null) async throws
    -> Answer
  {
    try await coordinator.move(Call(caller), consult: id, transition, body)
  }

  func trip(_ changes: KeyValuePairs<String, JSON?> = [:], by caller: Caller? = nil) async throws -> String {
    try await coordinator.requestTrip(Call(caller ?? station), Self.tripBody(changes)).id
  }

  @discardableResult
  func milestone(_ id: String, _ milestone: Milestone, by caller: Caller? = nil, at: Instant? = nil) async throws
    -> Answer
  {
    try await coordinator.recordMilestone(Call(caller ?? crew), trip: id, milestone, at: at)
  }

  /// The types of the events so far, of a subject or of all.
  func types(of subject: String? = nil) async throws -> [String] {
    try await events().filter { subject == nil || $0.subject == subject }.map(\.type)
  }

  func events() async throws -> [EventRecord] {
    try await store.read { try $0.events(after: 0, limit: 100_000) }
  }

  func accessLog() async throws -> [AccessEntry] {
    try await store.read { try $0.accessChain(after: 0, limit: 100_000).map(\.entry) }
  }
}

extension Answer {
  /// The body, parsed again: what a client sees.
  var json: JSON { body.flatMap { try? JSON(parsing: $0) } ?? .null }
  var id: String { json["id"]?.string ?? "" }
  var items: [JSON] { json["items"]?.array ?? [] }
}

/// Lets something happen between a use case's checks and its next transaction.
final class InterruptedStore: Store {
  private let base: any Store
  private let interruption = Mutex<(@Sendable () async throws -> Void)?>(nil)

  init(_ base: any Store) { self.base = base }

  func beforeNextWrite(_ body: @escaping @Sendable () async throws -> Void) { interruption.withLock { $0 = body } }

  func read<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    try await base.read(body)
  }

  func write<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    let interrupt = interruption.withLock { interruption in
      defer { interruption = nil }
      return interruption
    }
    try await interrupt?()
    return try await base.write(body)
  }

  func check() async throws { try await base.check() }

  func settle() async throws { try await base.settle() }

  var peers: any Peers { base.peers }
  func close() { base.close() }

  func onChange(_ body: @escaping @Sendable (StoreChange) -> Void) { base.onChange(body) }
}

extension Span {
  /// A millisecond less.
  var almost: Span { Span(milliseconds: milliseconds - 1) }
}
