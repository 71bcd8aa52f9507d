import ArgumentParser
import Domain
import Foundation
import StoragePostgres

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
  @Option(
    help: "postgres://…: measures on this PostgreSQL, and pgbench beside it there; what is made in it is removed.")
  var database: String?
  @Option(help: "Readers who follow the feed; if there are any, it is measured without them too.") var readers = 0

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
    guard let database else { return try await measure(folder, BenchProvince(in: folder), PostgresPeer(in: folder)) }
    try await ScratchDatabase.use(on: database, "product") { own in
      try await ScratchDatabase.use(on: database, "bare") { bare in
        try await measure(folder, BenchProvince(in: folder, database: own), PostgresPeer(in: folder, uri: bare))
      }
    }
  }

  private func measure(_ folder: BenchFolder, _ province: BenchProvince, _ bare: PostgresPeer) async throws {
    let load = try BookingLoad(clients: clients, token: province.token, in: folder)
    let stretches = readers > 0 ? 2 : 1
    let needed = rate * (runs * (Self.warmUp + stretches * seconds) + (database == nil ? Self.proof : 0))
    guard needed <= province.capacity else {
      throw BenchFailure(
        "\(needed) bookings may be needed, there is room for \(province.capacity): less --runs, --seconds or --rate")
    }
    var next = 0
    if database == nil { try await prove(load, province, &next, folder) }
    var ours: [Int: [Measured]] = [:]
    var theirs: [Int: [Measured]] = [:]
    let postgres = peer == .none ? nil : bare
    do {
      let rows = try await province.sampleRows()
      try await postgres?.create()
      try postgres?.prepare(events: rows.events)
      try await postgres?.stop()
      for round in 1...runs {
        // Who begins changes, so that neither always meets a disk that the other has just left.
        let isFirst = round % 2 == 1
        if isFirst { try await own(round, load, province, &next, folder, into: &ours) }
        if let postgres {
          for count in [clients] + peerCounts {
            theirs[count, default: []].append(try await other(round, postgres, count, document: rows.document))
          }
        }
        if !isFirst { try await own(round, load, province, &next, folder, into: &ours) }
      }
    } catch {
      await postgres?.close()
      throw error
    }
    await postgres?.close()
    report(ours[readers] ?? [], theirs)
    if readers > 0, let read = ours[readers], let unread = ours[0] {
      // Each against its neighbour: a shared machine changes its pace from one minute to the next.
      let ratios = zip(read, unread).map { $0.rate / $1.rate }
      say("pairs   \(ratios.map(\.hundredths).joined(separator: " "))")
      say(
        "ratio   \(ratios.median.hundredths) with \(readers) readers against none (\(unread.map(\.rate).median.whole))")
    }
  }

  /// Counts the fdatasyncs of a stretch that is not timed: an answered booking is on the disk, or this fails.
  private func prove(
    _ load: BookingLoad, _ province: BenchProvince, _ next: inout Int, _ folder: BenchFolder
  ) async throws {
    let lines = try await lines(province, &next, seconds: Self.proof)
    let before = try await province.newestEvent()
    let server = try await BenchServer(database: province.database, in: folder, counting: true)
    let (measured, groups) = try await server.use {
      (try await load.run(lines, seconds: Self.proof, on: $0), try $0.commits())
    }
    let syncs = try await server.syncs()
    try await check([measured.bookings], province, since: before)
    guard syncs >= groups else {
      throw BenchFailure("\(groups) commit groups but \(syncs) fdatasyncs: answered bookings were not on the disk")
    }
    say(
      "durable: \(syncs) fdatasyncs for \(groups) commit groups and \(measured.bookings) bookings (counted by strace)")
  }

  /// One server: a stretch with the readers, if there are to be any, and one without. Which is first changes with the
  /// round.
  private func own(
    _ round: Int, _ load: BookingLoad, _ province: BenchProvince, _ next: inout Int, _ folder: BenchFolder,
    into all: inout [Int: [Measured]]
  ) async throws {
    let counts = readers == 0 ? [0] : round % 2 == 1 ? [readers, 0] : [0, readers]
    let warming = try await lines(province, &next, seconds: Self.warmUp)
    var stretches: [(readers: Int, lines: [String])] = []
    for count in counts { stretches.append((count, try await lines(province, &next, seconds: seconds))) }
    let before = try await province.newestEvent()
    let server = try await BenchServer(database: province.database, in: folder)
    let (warm, measured) = try await server.use { [stretches] server in
      let warm = try await load.run(warming, seconds: Self.warmUp, on: server)
      var measured: [Measured] = []
      for (count, lines) in stretches {
        let followers = try (0..<count).map { _ in try FeedFollower(port: server.port, token: province.token) }
        measured.append(try await load.run(lines, seconds: seconds, on: server))
        for follower in followers {
          try await follower.reaches(2 * (measured.last?.bookings ?? 0))
          follower.stop()
        }
      }
      return (warm, measured)
    }
    try await check(([warm] + measured).map(\.bookings), province, since: before)
    for (count, measured) in zip(counts, measured) {
      let who = count > 0 ? "hoichan, \(count) readers" : "hoichan"
      tell(round, who, measured, database == nil ? "commit group" : "transaction")
      all[count, default: []].append(measured)
    }
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
  private func check(_ stretches: [Int], _ province: BenchProvince, since before: Int64) async throws {
    let events = Int(try await province.newestEvent() - before)
    let answered = stretches.reduce(0, +)
    guard events % 2 == 0, (answered...answered + stretches.count * clients).contains(events / 2) else {
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
  func padded(_ width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
}

/// A database of its own in somebody's PostgreSQL, made for a benchmark and removed after it.
enum ScratchDatabase {
  static func use(on uri: String, _ name: String, _ body: (String) async throws -> Void) async throws {
    let database = "hoichan_bench_\(name)_\(ProcessInfo.processInfo.processIdentifier)"
    let cluster = PostgresSettings(uri: uri, statementSeconds: 60)
    try PostgresStore.script("CREATE DATABASE \(database) ENCODING 'UTF8' TEMPLATE template0", cluster)
    do {
      try await body(Self.uri(uri, database))
    } catch {
      try? PostgresStore.script("DROP DATABASE \(database) WITH (FORCE)", cluster)
      throw error
    }
    try PostgresStore.script("DROP DATABASE \(database) WITH (FORCE)", cluster)
  }

  /// The URI with another database in it.
  private static func uri(_ uri: String, _ database: String) -> String {
    let parts = uri.split(separator: "?", maxSplits: 1)
    let slashes = parts[0].split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    return slashes.prefix(3).joined(separator: "/") + "/\(database)" + (parts.count > 1 ? "?\(parts[1])" : "")
  }
}
