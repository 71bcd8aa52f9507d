import ArgumentParser
import Coordinator
import Domain
import Foundation
import StorageSQLite

/// Searching for free slots at a steady pace, half of the province's time being booked.
struct SlotsBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "slots", abstract: "GET /slots at a steady pace, half of all time booked.")

  @Option(help: "Seconds of the measured stretch.") var seconds = 10
  @Option(help: "Requests a second.") var rate = 200
  @Option(help: "Connections.") var clients = 8
  @Option(help: "Days of which half is booked, and which are searched.") var days = 90
  @Option(help: "A folder for the database; what is made in it is removed.") var folder = "."

  func validate() throws {
    guard (1...600).contains(seconds), (1...100).contains(clients), rate >= clients else {
      throw ValidationError("--seconds is up to 600, --clients up to 100 and to --rate.")
    }
    guard (1...Limits.searchDays).contains(days) else {
      throw ValidationError("--days is up to \(Limits.searchDays).")
    }
  }

  func run() async throws {
    let command = self
    try await benchmark(in: folder) { try await command.measure($0) }
  }

  private func measure(_ folder: BenchFolder) async throws {
    let h2load = try Program.find("h2load", package: "nghttp2-client")
    let province = try await BenchProvince(in: folder)
    let now = Instant.system
    let practitioners = try await fill(province, now: now)
    let server = try await BenchServer(database: province.database, in: folder)
    let uris = folder.file("uris")
    try paths(practitioners, now: now).map { "http://127.0.0.1:\(server.port)\($0)" }.joined(separator: "\n")
      .write(toFile: uris, atomically: true, encoding: .utf8)
    let log = folder.file("slots.log")
    let perClient = rate / clients
    let times = try await server.use { _ in
      // The first stretch fills the caches; its times are not kept.
      for (length, file) in [(2, folder.file("warm.log")), (seconds, log)] {
        _ = try await Program.run(
          h2load,
          [
            "--h1", "-c", "\(clients)", "-t", "1", "-n", "\(perClient * clients * length)", "--rps", "\(perClient)",
            // The connections begin one after another, so that requests come evenly and not in bursts of all at once.
            "-r", "1", "--rate-period", "\(1000 / rate)ms",
            "-H", "Authorization: Bearer \(province.token)", "-i", uris, "--log-file", file,
          ], name: "h2load", in: folder, within: length + 60)
      }
      return try Self.milliseconds(log)
    }
    guard times.count == perClient * clients * seconds else {
      throw BenchFailure("\(perClient * clients * seconds) requests were to be answered, \(times.count) were")
    }
    say(
      "\(practitioners.count) specialists, \(days) days half booked, \(perClient * clients) requests/s over \(clients)"
        + " connections for \(seconds) s")
    say(
      "GET /slots  p50 \(times[times.count / 2].hundredths) ms  p99 \(times[times.count * 99 / 100].hundredths) ms  "
        + "slowest \((times.last ?? 0).hundredths) ms")
  }

  /// Books every other visit of half an hour, by chance.
  private func fill(_ province: BenchProvince, now: Instant) async throws -> [Practitioner] {
    try await BenchProvince.open(province.database) { deployment in
      let calendars = try await deployment.store.read { try $0.calendars() }
      var random = SplitMix64(seed: 90)
      let to = now + .days(Int64(days))
      for (practitioner, sessions) in calendars {
        let stretches = Availability(sessions: sessions, from: now, to: to).stretches
        var visits: [Range<Int64>] = []
        for stretch in stretches {
          let cells = Cell.range(start: stretch.start, end: stretch.end)
          for first in stride(from: cells.lowerBound, to: cells.upperBound, by: 6) where random.below(2) == 0 {
            visits.append(first..<min(first + 6, cells.upperBound))
          }
        }
        let booked = visits
        try await deployment.store.write { tx in
          for cells in booked {
            try tx.claim(
              resource: practitioner.id, cells: cells, holder: UUIDv7.make(at: now), kind: "appointment",
              expiresAt: nil, now: now, otherwise: BenchFailure("a fresh province has claims already"))
          }
        }
      }
      return calendars.map(\.practitioner)
    }
  }

  /// What stations and dispatchers ask: a specialty or one specialist, from some day on, visits of several lengths.
  private func paths(_ practitioners: [Practitioner], now: Instant) -> [String] {
    var random = SplitMix64(seed: 200)
    return (0..<1_000).map { _ in
      let from = now + .minutes(Int64(random.below((days - 1) * 1440)))
      let to = now + .days(Int64(days))
      var query = "minutes=\(random.pick([15, 30, 30, 60]))&from=\(Self.escaped(from))&to=\(Self.escaped(to))"
      switch random.below(4) {
      case 0: query += "&practitioner=\(random.pick(practitioners).id)"
      case 1: query += "&limit=200"
      default: query += "&specialty=\(random.pick(Specialty.allCases).rawValue)"
      }
      return "/api/v1/slots?" + query
    }
  }

  private static func escaped(_ instant: Instant) -> String { instant.text.replacing("+", with: "%2B") }

  /// The times of h2load's log, sorted; every answer must be 200.
  private static func milliseconds(_ log: String) throws -> [Double] {
    try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map { line in
      // Start in microseconds, status, microseconds.
      let fields = line.split(separator: "\t").compactMap { Int($0) }
      guard fields.count >= 3, fields[1] == 200 else { throw BenchFailure("an answer was no success: \(line)") }
      return Double(fields[2]) / 1e3
    }.sorted()
  }
}
