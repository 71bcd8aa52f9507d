import Coordinator
import Domain
import Foundation
import Logging
import Storage
import StoragePostgres
import StorageSQLite
import Synchronization
import Testing

/// An engine that the suite runs on. What a suite says of `any Store` holds for every one of them.
enum Engine: String, CaseIterable, Sendable {
  case sqlite
  case postgres

  /// A database of its own for one test, with the fixture's directory in it; closed and removed afterwards.
  func withStore<T>(_ body: (any Store) async throws -> T) async throws -> T {
    switch self {
    case .sqlite: try await withSQLite { store, _ in try await body(store) }
    case .postgres: try await withPostgres { store, _ in try await body(SettledStore(store)) }
    }
  }
}

extension Engine {
  /// A database in which nothing is but what every one has.
  func withEmptyStore<T>(_ body: (any Store) async throws -> T) async throws -> T {
    switch self {
    case .sqlite:
      try await withFolder { folder async throws in
        let store = try SQLiteStore(path: folder + "/empty.sqlite", logger: .silent)
        defer { store.close() }
        return try await body(store)
      }
    case .postgres:
      try await withPostgresDatabase { settings async throws in
        let store = try PostgresStore(settings, logger: .silent)
        defer { store.close() }
        return try await body(SettledStore(store))
      }
    }
  }
}

/// Waits, before it reads, until what was committed is in the log, as the use cases do that read the log.
struct SettledStore: Store {
  let base: any Store

  init(_ base: any Store) { self.base = base }

  func read<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    try await settle()
    return try await base.read(body)
  }

  func write<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    try await base.write(body)
  }

  func check() async throws { try await base.check() }

  /// However slow the machine is: a service would go on after a while, a test would be wrong.
  func settle() async throws {
    for outbox in Self.outboxes {
      let newest = try await base.int(outbox.newest) ?? 0
      repeat { try await base.settle() } while try await base.int(outbox.oldest) ?? .max <= newest
    }
  }

  private static let outboxes = [
    (
      newest: SQL("SELECT max(id) FROM event_outbox"),
      oldest: SQL("SELECT min(id) FROM event_outbox HAVING count(*) > 0")
    ),
    (
      newest: SQL("SELECT max(id) FROM access_outbox"),
      oldest: SQL("SELECT min(id) FROM access_outbox HAVING count(*) > 0")
    ),
  ]

  func onChange(_ body: @escaping @Sendable (StoreChange) -> Void) { base.onChange(body) }
  var peers: any Peers { base.peers }
  func close() { base.close() }
}

/// The same, for what only the embedded engine promises.
func withSQLite<T>(_ body: (SQLiteStore, String) async throws -> T) async throws -> T {
  try await withFolder { folder async throws in
    let path = folder + "/hoichan.sqlite"
    let store = try SQLiteStore(path: path, logger: .silent)
    defer { store.close() }
    try await store.write { try $0.save(Fixture.directory) }
    return try await body(store, path)
  }
}

func withFolder<T>(_ body: (String) async throws -> T) async throws -> T {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("hoichan-\(UUID().uuidString)").path
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer {
    do { try FileManager.default.removeItem(atPath: folder) } catch { fatalError("\(folder) stays behind: \(error)") }
  }
  return try await body(folder)
}

/// Counts across tasks.
final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .sequentiallyConsistent) }
  @discardableResult
  func add() -> Int { count.add(1, ordering: .sequentiallyConsistent).newValue }

  /// Comes back when so many were counted.
  func reaches(_ value: Int) async { while self.value < value { await Task.yield() } }
}

extension Logger {
  static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension Store {
  /// Runs statements as they are: to damage a database, or to ask it what no use case asks.
  func run(_ sql: SQL..., values: [SQLValue] = []) async throws {
    try await write { transaction in
      guard let tables = transaction as? SQLTransaction else { throw StoreFailure("no tables") }
      for statement in sql { try tables.connection.run(statement, values) }
    }
  }

  /// The transaction is tried again and again, finds another version each time, and leaves nothing.
  func expectStale(_ body: @escaping @Sendable (any StoreTransaction) throws -> Void) async {
    await #expect(throws: StoreFailure.self) {
      try await write { tx in
        try tx.setMeta("stale", "1")
        try body(tx)
      }
    }
    #expect(await (try? read { try $0.meta("stale") }) == .some(nil))
  }

  /// As if a later release had changed the schema so that only those that know this number can work with it.
  func setNeeded(_ number: Int64) async throws { try await write { try $0.setMeta("schema.neededBy", "\(number)") } }

  func int(_ sql: SQL) async throws -> Int64? {
    try await read { transaction in
      guard let tables = transaction as? SQLTransaction else { throw StoreFailure("no tables") }
      return try tables.connection.first(sql, []) { $0.int(0) }
    }
  }
}

enum Fixture {
  /// A Saturday morning.
  static let now = Instant("2026-11-21T08:00:00+07:00")!

  static let directory = DirectoryBatch(
    facilities: [
      Facility(code: "38000", name: "Thanh Hóa", kind: .province, province: "38"),
      Facility(code: "38001", name: "Trạm y tế Hạc Thành", kind: .station, province: "38", parent: "38000"),
      Facility(code: "38002", name: "Trạm y tế Đông Sơn", kind: .station, province: "38", parent: "38000"),
      Facility(
        code: "38901", name: "Bệnh viện Đa khoa tỉnh", kind: .hospital, province: "38", parent: "38000",
        latitude: 19.8, longitude: 105.78, phone: "02373951467"),
    ],
    practitioners: [
      Practitioner(id: "bs-01", name: "Nguyễn Văn Ái", facility: "38901", specialty: .cardiology),
      Practitioner(id: "bs-02", name: "Đỗ Thị Bích", facility: "38901", specialty: .neurology),
    ],
    sessions: (1...7).map {
      ScheduleSession(
        id: "s\($0)", practitioner: "bs-01", weekday: $0, startMinute: 420, endMinute: 1020, visitMinutes: 30)
    }, vehicles: [Vehicle(id: "xe-01", label: "Xe 01", facility: "38901", kind: "ambulance")])

  static let start = now + .hours(1)

  static func request(_ specialty: Specialty = .cardiology, urgency: Urgency = .urgent) -> ConsultRequest {
    ConsultRequest(
      specialty: specialty, urgency: urgency, urgencyReason: nil, mode: .live,
      patient: Patient(
        name: "Trần Thị Hoa", birthDate: CalendarDay("1950-01-31"), sex: .female, personalId: "038150000001",
        insuranceNumber: nil, phone: nil, temporary: false), situation: "Đau ngực", background: "Tăng huyết áp",
      assessment: nil, request: "Xin ý kiến", vitals: Vitals(at: now, pulse: 96, temperature: 37.2), pregnant: nil,
      consent: Consent(basis: .emergency, at: now), on: now.day)
  }

  static func consult(
    _ id: String? = nil, station: String = "38001", specialty: Specialty = .cardiology, at: Instant = now
  ) -> Consult {
    Consult(
      id: id ?? UUIDv7.make(at: at), station: station, requestedAt: at, dueAt: at + .hours(1), createdBy: "p1",
      request: request(specialty), bodyHash: [1, 2, 3])
  }

  static func appointment(_ id: String, start: Instant = start, minutes: Int64 = 30) -> Appointment {
    Appointment(id: id, practitioner: "bs-01", start: start, end: start + .minutes(minutes))
  }

  static func trip(_ id: String? = nil, consult: String? = nil, vehicle: String? = "xe-01") -> Trip {
    Trip(
      id: id ?? UUIDv7.make(at: now), consult: consult, vehicle: vehicle, priority: .urgent, facility: "38001",
      origin: Place(latitude: 19.9, longitude: 105.7, label: "Nhà bà Hoa"), destination: Place(facility: "38901"),
      patient: request().patient, createdBy: "p1", createdAt: now, bodyHash: [9])
  }

  static func person(_ id: String, _ username: String) -> Person {
    Person(
      id: id, username: username, name: "Người \(username)", passwordHash: "scrypt$…", practitionerId: "bs-01",
      vehicleId: nil, grants: [Grant(role: .station, facilities: ["38001", "38002"])])
  }

  static func session(_ id: String, person: String? = "p1", expiresAt: Instant? = now + .hours(12)) -> Session {
    Session(
      id: id, kind: person == nil ? .token : .session, secretHash: Secrets.hash(id), person: person, name: "S",
      grants: person == nil ? [Grant(role: .monitor, facilities: ["38000"])] : [], createdAt: now,
      expiresAt: expiresAt)
  }

  static func webhook(_ id: String) -> Webhook {
    Webhook(
      id: id, url: WebhookURL("https://ioc.example.vn/hook")!, sealedSecret: [0, 1, 255],
      facilities: ["38001", "38901"],
      filter: EventFilter(types: ["consult.*"], facilities: ["38001"], specialties: ["cardiology"]), createdAt: now,
      createdBy: "p1", machine: WebhookMachine(cursor: Cursor(epoch: 1, seq: 2, chain: UInt64(3))))
  }

  static func draft(_ type: EventType = .consultRequested, _ subject: String = "consults/c") -> EventDraft {
    var data = EventData()
    data.consultId = subject
    return EventDraft(
      type: type, subject: subject, facilities: ["38001", "38901"], specialty: .cardiology, actor: "p1", data: data)
  }

  static func access(
    _ person: String = "p1", _ subject: String = "consults/c", at: Instant = now, facility: String? = "38001"
  ) -> AccessEntry {
    AccessEntry(at: at, person: person, personName: "Người", action: "read", subject: subject, facility: facility)
  }
}
