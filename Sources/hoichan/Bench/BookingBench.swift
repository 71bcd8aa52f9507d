import ArgumentParser
import Domain
import Foundation

/// Durable bookings a second over HTTP, beside pgbench writing the same rows into a bare PostgreSQL on the same disk.
struct BookingBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "booking", abstract: "Durable bookings over HTTP, beside the same rows written by pgbench.")

  enum Peer: String, ExpressibleByArgument, CaseIterable { case none, pgbench }

  @Option(help: "Seconds of each measured stretch.") var seconds = 10
  @Option(help: "Connections of wrk, and clients of pgbench.") var clients = 64
  @Option(help: "Rounds; the medians are compared.") var runs = 3
  @Option(help: "Whom to compare with: none or pgbench.") var peer = Peer.pgbench
  @Option(help: "Further client counts of pgbench, with a comma between: its best is compared too.")
  var peerClients = "4,8,16,32"
  @Option(help: "A folder on the disk to be measured; what is made in it is removed.") var folder = "."
  @Option(help: "Bookings a second to prepare for, at most.") var rate = 10_000

  /// Load before each measured stretch, to fill caches.
  private static let warmUp = 2
  /// Load under strace.
  private static let proof = 3

  func validate() throws {
    guard (1...600).contains(seconds), (1...1000).contains(clients), (1...50).contains(runs), rate > 0 else {
      throw ValidationError("--seconds is up to 600, --clients up to 1000, --runs up to 50.")
    }
    guard peerCounts.allSatisfy({ (1...90).contains($0) }), peer == .none || clients <= 90 else {
      throw ValidationError("A bare PostgreSQL takes up to 90 clients.")
    }
  }

  private var peerCounts: [Int] { peerClients.split(separator: ",").map { Int($0) ?? 0 }.filter { $0 != clients } }

  func run() async throws {
    let command = self
    try await benchmark(in: folder) { try await command.measure($0) }
  }

  private func measure(_ folder: BenchFolder) async throws {
    say("\(clients) connections, \(seconds) s a stretch, \(runs) rounds, on \(folder.fileSystem)")
    let province = try await BenchProvince(in: folder)
    let load = try BookingLoad(clients: clients, token: province.token, in: folder)
    var next = 0
    try await prove(load, province, &next, folder)
    var ours: [Measured] = []
    var theirs: [Int: [Measured]] = [:]
    let postgres = peer == .none ? nil : try PostgresPeer(in: folder)
    do {
      let rows = try await province.sampleRows()
      try await postgres?.create()
      try postgres?.prepare(events: rows.events)
      try await postgres?.stop()
      for round in 1...runs {
        // Who begins changes, so that neither always meets a disk that the other has just left.
        if round % 2 == 1 { ours.append(try await own(round, load, province, &next, folder)) }
        if let postgres {
          for count in [clients] + peerCounts {
            theirs[count, default: []].append(try await other(round, postgres, count, document: rows.document))
          }
        }
        if round % 2 == 0 { ours.append(try await own(round, load, province, &next, folder)) }
      }
    } catch {
      await postgres?.close()
      throw error
    }
    await postgres?.close()
    report(ours, theirs)
  }

  /// Counts the fdatasyncs of a stretch that is not timed: an answered booking is on the disk, or this fails.
  private func prove(
    _ load: BookingLoad, _ province: BenchProvince, _ next: inout Int, _ folder: BenchFolder
  ) async throws {
    let lines = try await lines(province, &next, seconds: Self.proof)
    let before = try await province.newestEvent()
    let server = try await BenchServer(database: province.database, in: folder, counting: true)
    let (measured, groups) = try await server.use {
      (try await load.run(lines, seconds: Self.proof, on: $0), try $0.commitGroups())
    }
    let syncs = try await server.syncs()
    try await check(measured.bookings, province, since: before)
    guard syncs >= groups else {
      throw BenchFailure("\(groups) commit groups but \(syncs) fdatasyncs: answered bookings were not on the disk")
    }
    say(
      "durable: \(syncs) fdatasyncs for \(groups) commit groups and \(measured.bookings) bookings (counted by strace)")
  }

  private func own(
    _ round: Int, _ load: BookingLoad, _ province: BenchProvince, _ next: inout Int, _ folder: BenchFolder
  ) async throws -> Measured {
    let warming = try await lines(province, &next, seconds: Self.warmUp)
    let lines = try await lines(province, &next, seconds: seconds)
    let before = try await province.newestEvent()
    let server = try await BenchServer(database: province.database, in: folder)
    let (warm, measured) = try await server.use {
      (
        try await load.run(warming, seconds: Self.warmUp, on: $0),
        try await load.run(lines, seconds: seconds, on: $0)
      )
    }
    try await check(warm.bookings + measured.bookings, province, since: before)
    tell(round, "hoichan", measured, "commit group")
    return measured
  }

  private func other(_ round: Int, _ postgres: PostgresPeer, _ count: Int, document: String) async throws -> Measured {
    try await postgres.start()
    try await postgres.fill(rate * (Self.warmUp + seconds), document: document)
    let warmed = try await postgres.run(clients: count, seconds: Self.warmUp, first: 1)
    let measured = try await postgres.run(clients: count, seconds: seconds, first: 1 + rate * Self.warmUp)
    let written = try await postgres.bookings()
    guard written == warmed.bookings + measured.bookings else {
      throw BenchFailure("pgbench counted \(warmed.bookings + measured.bookings) bookings, PostgreSQL has \(written)")
    }
    try await postgres.stop()
    tell(round, "pgbench \(count)", measured, "sync")
    return measured
  }

  private func lines(_ province: BenchProvince, _ next: inout Int, seconds: Int) async throws -> [String] {
    let first = next
    next += rate * seconds
    return try await province.request(first..<next)
  }

  /// Every answered booking is in the log with its two events, and nothing but those still under way at the end.
  private func check(_ answered: Int, _ province: BenchProvince, since before: Int64) async throws {
    let events = Int(try await province.newestEvent() - before)
    guard events % 2 == 0, (answered...answered + 2 * clients).contains(events / 2) else {
      throw BenchFailure("\(answered) bookings were answered, but the log has \(events) new events")
    }
  }

  private func tell(_ round: Int, _ who: String, _ measured: Measured, _ unit: String) {
    let each = Double(measured.bookings) / Double(max(1, measured.syncs))
    say(
      "round \(round)  \(who.padded(10))  \(measured.rate.whole.padded(6)) bookings/s  "
        + "p50 \(measured.median.tenths) ms  p99 \(measured.p99.tenths) ms  \(each.tenths) bookings a \(unit)")
  }

  private func report(_ ours: [Measured], _ theirs: [Int: [Measured]]) {
    let own = ours.map(\.rate).median
    say("median  hoichan     \(own.whole) bookings/s, p99 \(ours.map(\.p99).median.tenths) ms")
    let rates = theirs.mapValues { $0.map(\.rate).median }
    guard let same = rates[clients], let best = rates.max(by: { $0.value < $1.value }) else { return }
    for (count, runs) in theirs.sorted(by: { $0.key < $1.key }) {
      say(
        "median  \("pgbench \(count)".padded(10))  \(runs.map(\.rate).median.whole) bookings/s, "
          + "p99 \(runs.map(\.p99).median.tenths) ms")
    }
    say("ratio   \((own / same).hundredths) at \(clients) clients")
    say("ratio   \((own / best.value).hundredths) against pgbench's best, \(best.key) clients")
  }
}

extension [Double] {
  var median: Double {
    let sorted = sorted()
    return isEmpty ? 0 : (sorted[count / 2] + sorted[(count - 1) / 2]) / 2
  }
}

extension Double {
  var whole: String { String(Int(rounded())) }
  var tenths: String { String(format: "%.1f", self) }
  var hundredths: String { String(format: "%.2f", self) }
}

extension String {
  fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
}
