import Configuration
import Coordinator
import Domain
import Foundation
import Logging
import StorageSQLite

/// The demo's province in a database of its own, with consults that wait to be booked at times that are free.
struct BenchProvince: Sendable {
  /// A free time within a practitioner's availability.
  struct Time: Sendable {
    var practitioner: String
    var specialty: Specialty
    var start: Instant
  }

  static let secretKey = "the key of a benchmark, which nobody keeps"
  /// The length of a booking: six cells.
  static let minutes: Int64 = 30
  private static let requestsAtOnce = 128
  private static let eventsAtOnce = 5_000

  /// As `HOICHAN_DATABASE` names it.
  let database: String
  /// Somebody's who speaks for every station.
  let token: String
  private let times: [Time]
  private let stations: [String]

  /// - Parameter database: an empty one; without it a file is made.
  init(in folder: BenchFolder, database: String? = nil) async throws {
    let database = database ?? "sqlite:" + folder.file("hoichan.sqlite")
    self.database = database
    (token, times, stations) = try await Self.open(database) { deployment in
      try await DemoCommand.fill(deployment, province: nil)
      let (calendars, facilities) = try await deployment.store.read { tx in
        (try tx.calendars(), try tx.facilities(query: nil, page: Page(limit: 10_000)))
      }
      guard let root = facilities.first(where: { $0.kind == .province })?.code else {
        throw BenchFailure("the province has no root")
      }
      let answer = try await deployment.coordinator.addToken(
        Call(try await deployment.administrator()),
        ["name": "bench", "grants": [["role": "station", "facilities": [.string(root)]]]])
      guard let token = try answer.body.map({ try JSON(parsing: $0) })?["token"]?.string else {
        throw BenchFailure("no token was made")
      }
      let stations = facilities.filter { $0.kind == .station }.map(\.code)
      return (token, Self.times(calendars, now: deployment.coordinator.now()), stations)
    }
  }

  /// How many bookings there is room for.
  var capacity: Int { times.count }

  /// Every visit that fits into the availability from tomorrow to the horizon, earliest first, as stations book.
  private static func times(
    _ calendars: [(practitioner: Practitioner, sessions: [ScheduleSession])], now: Instant
  ) -> [Time] {
    let from = (now.day + 1).start
    let to = (now.day + (Limits.bookingHorizonDays - 1)).start
    var times: [Time] = []
    for (practitioner, sessions) in calendars {
      for stretch in Availability(sessions: sessions, lastDay: practitioner.validTo, from: from, to: to).stretches {
        var start = max(stretch.start, from)
        while start + .minutes(minutes) <= min(stretch.end, to) {
          times.append(Time(practitioner: practitioner.id, specialty: practitioner.specialty, start: start))
          start = start + .minutes(minutes)
        }
      }
    }
    return times.sorted { ($0.start, $0.practitioner) < ($1.start, $1.practitioner) }
  }

  /// Has stations ask for consults, by the use case, one for each of these times; the server must not run meanwhile.
  /// - Returns: what is to be sent, as lines for the load's script: consult, practitioner and start.
  func request(_ range: Range<Int>) async throws -> [String] {
    try await Self.open(database) { deployment in
      let coordinator = deployment.coordinator
      // The same that books: a station's people book what they have asked for.
      let caller = try await coordinator.authenticate(token: token)
      return try await withThrowingTaskGroup(of: [(Int, String)].self) { group in
        for worker in 0..<Self.requestsAtOnce {
          group.addTask {
            var lines: [(Int, String)] = []
            for index in stride(from: range.lowerBound + worker, to: range.upperBound, by: Self.requestsAtOnce) {
              let time = times[index]
              let id = UUIDv7.make(at: coordinator.now())
              let body = Self.body(id: id, time.specialty, station: stations[index % stations.count])
              _ = try await coordinator.requestConsult(Call(caller), body)
              lines.append((index, "\(id) \(time.practitioner) \(time.start.text)"))
            }
            return lines
          }
        }
        var lines = [String](repeating: "", count: range.count)
        for try await some in group { for (index, line) in some { lines[index - range.lowerBound] = line } }
        return lines
      }
    }
  }

  /// A consult that nobody has asked for yet.
  func request(id: String, number: Int) -> JSON {
    Self.body(id: id, times[number % times.count].specialty, station: stations[number % stations.count])
  }

  /// - Parameter station: nil where whoever asks has one only.
  static func body(id: String, _ specialty: Specialty, station: String?) -> JSON {
    .compact([
      "id": .string(id), "specialty": .string(specialty.rawValue), "urgency": "routine", "mode": "live",
      "stationId": station.map { .string($0) },
      "patient": [
        "name": "Nguyễn Thị Bích Hồng", "birthDate": "1961-03-08", "sex": "female", "personalId": "038161012345",
        "phone": "+84912345678",
      ],
      "situation": "Đau ngực trái lan lên vai khi gắng sức, từ hai tuần nay, mỗi lần khoảng năm phút.",
      "background": "Tăng huyết áp mười năm, đang uống amlodipin 5 mg; không hút thuốc; mẹ bị nhồi máu cơ tim.",
      "assessment": "Nghi đau thắt ngực ổn định. Điện tim: nhịp xoang, ST không chênh.",
      "request": "Xin ý kiến về chẩn đoán, thuốc và có cần chuyển tuyến không.",
      "vitals": [
        "respiratoryRate": 18, "spo2": 97, "oxygen": false, "systolic": 142, "diastolic": 86, "pulse": 78,
        "consciousness": "alert", "temperature": .double(36.8),
      ],
    ])
  }

  /// The stored form of such a request, and the data of the two events of a booking, for writing the same rows
  /// elsewhere.
  func sampleRows() async throws -> (document: String, events: [EventRecord]) {
    try await Self.open(database) { deployment in
      let day = deployment.coordinator.now().day
      let head = try await deployment.coordinator.logBounds().head.seq
      let request = try ConsultRequest(json: Self.body(id: "", .cardiology, station: ""), on: day)
      return (request.json.text, try await deployment.coordinator.events(after: head - 2, limit: 2))
    }
  }

  /// The number of the newest event: a booking appends two.
  func newestEvent() async throws -> Int64 {
    try await Self.open(database) { deployment in
      try await deployment.store.settle()
      return try await deployment.coordinator.logBounds().head.seq
    }
  }

  /// Appends so many events of requests, many in a transaction, as if years had gone by; the server must not run
  /// meanwhile. There are no consults behind them.
  func append(_ count: Int) async throws {
    try await Self.open(database) { deployment in
      let now = deployment.coordinator.now()
      for first in stride(from: 0, to: count, by: Self.eventsAtOnce) {
        let numbers = first..<min(count, first + Self.eventsAtOnce)
        try await deployment.store.write { tx in
          for number in numbers {
            let id = UUIDv7.make(at: now)
            var data = EventData()
            data.consultId = id
            try tx.append(
              EventDraft(
                type: .consultRequested, subject: "consults/\(id)", facilities: [stations[number % stations.count]],
                specialty: .cardiology, actor: "bench", data: data), at: now)
          }
        }
      }
    }
  }

  /// Positions that stand so far behind the newest event; the server must not run meanwhile.
  func cursors(back: [Int]) async throws -> [String] {
    try await Self.open(database) { deployment in
      let head = try await deployment.coordinator.logBounds().head
      var cursors: [String] = []
      for distance in back {
        let seq = head.seq - Int64(distance)
        guard let event = try await deployment.coordinator.events(after: seq - 1, limit: 1).first, event.seq == seq
        else { throw BenchFailure("the log is shorter than \(distance) events") }
        cursors.append(Cursor(epoch: head.epoch, seq: seq, chain: event.chain).text)
      }
      return cursors
    }
  }

  /// Opens the database in this process; only while no server is measured.
  static func open<T: Sendable>(_ database: String, _ body: (Deployment) async throws -> T) async throws -> T {
    let values: [AbsoluteConfigKey: ConfigValue] = [
      "database": ConfigValue(stringLiteral: database), "log.level": "warning",
      "secret.key": ConfigValue(stringLiteral: secretKey),
    ]
    let settings = try Settings(ConfigReader(provider: InMemoryProvider(name: "bench", values: values)))
    let deployment = try await Deployment(settings, .make, logger: Deployment.logger(settings))
    defer { deployment.store.close() }
    return try await body(deployment)
  }
}
