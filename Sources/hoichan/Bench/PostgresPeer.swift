import Domain
import Foundation
import Storage
import Synchronization

/// A bare PostgreSQL with its defaults (fsync and synchronous_commit are on) to which pgbench writes the rows of a
/// booking: what an application over PostgreSQL could reach at best, without HTTP, sign-in, rules or a chained log.
final class PostgresPeer: Sendable {
  private static let binaries = "/usr/lib/postgresql/15/bin"
  private static let threads = 2

  private let folder: BenchFolder
  private let home: String
  private let data: String
  private let socket: String
  private let port: Int
  private let running = Mutex<Child?>(nil)

  /// An empty database in somebody's PostgreSQL; nil where this makes one of its own.
  private let uri: String?

  init(in folder: BenchFolder, uri: String? = nil) throws {
    self.folder = folder
    self.uri = uri
    port = try Loopback.freePort()
    home = folder.file("postgres")
    data = home + "/data"
    // A socket's path has at most 107 bytes; it holds no data.
    socket = try BenchFolder.make(in: "/tmp")
  }

  /// Makes the cluster, with the product's own schema, and leaves it running.
  func create() async throws {
    if uri == nil { try await makeCluster() }
    let script = folder.file("schema.sql")
    let more = """
      INSERT INTO facility (code, name, folded, sort_key, kind, province) VALUES ('38001', '', '', '', 'station', '38');

      """
    try (Migrations.all.map(\.script).joined(separator: ";\n") + ";\n" + more)
      .write(toFile: script, atomically: true, encoding: .utf8)
    _ = try await psql(["-f", script], within: 60)
    // What a bare database does not keep would be no measure.
    for (name, wrong) in [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")] {
      let value = try await psql(["-At", "-c", "SHOW \(name)"], within: 10)
      guard !value.contains(wrong) else { throw BenchFailure("\(name) is \(wrong) on this PostgreSQL") }
    }
  }

  private func makeCluster() async throws {
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
    if geteuid() == 0 {
      for path in [home, socket] { _ = try await run("chown", package: "coreutils", ["postgres", path], within: 10) }
    }
    let (program, arguments) = try server(
      "initdb", ["-D", data, "-A", "trust", "-U", "postgres", "--locale=C.UTF-8"])
    _ = try await Program.run(program, arguments, name: "initdb", in: folder, within: 120)
    try await start()
  }

  /// Starts it as a child of this process, so that it cannot outlive the benchmark unseen.
  func start() async throws {
    guard uri == nil else { return }
    let (program, arguments) = try server(
      "postgres",
      ["-D", data, "-p", "\(port)", "-c", "listen_addresses=", "-c", "unix_socket_directories=\(socket)"])
    let child = try Child(program, arguments, name: "postgres", in: folder)
    running.withLock { $0 = child }
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      do {
        _ = try await psql(["-c", "SELECT 1"], within: 10)
        return
      } catch {
        guard child.isRunning, .now < deadline else { throw error }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  func stop() async throws {
    let child = running.withLock { running in
      defer { running = nil }
      return running
    }
    try await child?.stop(within: 90)
  }

  /// Stops what runs and removes the socket's folder; for the end, however it came.
  func close() async {
    do { try await stop() } catch {
      FileHandle.standardError.write(Data("PostgreSQL did not stop as it should: \(error)\n".utf8))
    }
    try? FileManager.default.removeItem(atPath: socket)
  }

  /// Empties the tables and puts in this many consults that wait to be booked.
  func fill(_ count: Int, document: String) async throws {
    let script = folder.file("fill.sql")
    try """
    TRUNCATE consult, appointment, claim, event CASCADE;
    INSERT INTO consult (id, version, state, specialty, station, requested_at, due_at, overdue, created_by, urgency,
      mode)
    SELECT lpad(i::text, 36, '0'), 1, 'requested', 'cardiology', '38001', 1790000000000, 1790000000000, 0, 'bench',
      'routine', 'live'
    FROM generate_series(1, \(count)) i;
    INSERT INTO consult_document (consult, document, body_hash)
    SELECT id, '\(document.replacing("'", with: "''"))', decode(repeat('5a', 32), 'hex') FROM consult;
    VACUUM (FREEZE, ANALYZE) consult, consult_document;
    CHECKPOINT;
    """.write(toFile: script, atomically: true, encoding: .utf8)
    _ = try await psql(["-f", script], within: 300)
  }

  /// Writes the script of one booking: the statements of `Coordinator.book`, one round trip each.
  /// - Parameter events: the rows that a booking appends; their data is written with its length.
  func prepare(events: [EventRecord]) throws {
    // Each client counts its own bookings and knows its next consult by that. All cells are free, and the numbers of
    // events and the chain are made up by the client: this costs less than real bookings do. `lpad` makes ids of 36
    // characters. A colon would begin a variable.
    let appends = events.enumerated().map { index, event in
      """
      INSERT INTO event (seq, id, type, time, subject, facilities, specialty, actor, data, chain)
      VALUES (:i * 2 + \(index), lpad(:i::text, 36, 'e'), '\(event.type)', 1790000000000,
        '\(event.subject)', '\(event.facilities.joined(separator: ","))', 'cardiology', '\(event.actor)',
        '\(event.data.replacing(":", with: ".").replacing("'", with: "."))', decode(repeat('5a', 32), 'hex'));
      """.replacing("\n", with: " ")
    }
    let statements = [
      "\\set i :first + :n * :clients + :client_id", "\\set n :n + 1", "\\set p :i % 120",
      "\\set cell :i / 120 * 6",
      "BEGIN;",
      """
      SELECT version, state, station, practitioner, serving, appointment_id, start_at, end_at, requested_at, due_at,
        overdue, started_at, ended_at, created_by, specialty, urgency, mode, document, body_hash
      FROM consult JOIN consult_document ON consult_document.consult = consult.id
      WHERE id = lpad(:i::text, 36, '0') \\gset
      """,
      """
      INSERT INTO claim (resource_id, cell, holder_id, kind, expires_at)
      SELECT lpad(:p::text, 36, 'p'), cell, lpad(:i::text, 36, '0'), 'appointment', NULL
      FROM generate_series(:cell::bigint, :cell::bigint + 5) cell
      ON CONFLICT (resource_id, cell) DO UPDATE SET holder_id = excluded.holder_id, kind = excluded.kind,
        expires_at = excluded.expires_at
      WHERE claim.holder_id = excluded.holder_id OR claim.expires_at <= 1790000000000;
      """,
      """
      INSERT INTO appointment (id, consult, practitioner, start_at, end_at, state, created_at, created_by)
      VALUES (lpad(:i::text, 36, 'a'), lpad(:i::text, 36, '0'), lpad(:p::text, 36, 'p'), :cell::bigint * 300000,
        :cell::bigint * 300000 + 1800000, 'booked', 1790000000000, 'bench');
      """,
      """
      UPDATE consult SET version = version + 1, state = 'scheduled', practitioner = lpad(:p::text, 36, 'p'),
        serving = '38901', appointment_id = lpad(:i::text, 36, 'a'), start_at = :cell::bigint * 300000,
        end_at = :cell::bigint * 300000 + 1800000, overdue = 0, started_at = NULL, ended_at = NULL
      WHERE id = lpad(:i::text, 36, '0') AND version = 1;
      """,
    ]
    let lines =
      statements.map { $0.replacing("\n", with: " ") } + appends + ["COMMIT;", ""]
    try lines.joined(separator: "\n").write(toFile: folder.file("booking.sql"), atomically: true, encoding: .utf8)
  }

  /// Books what `fill` put in.
  /// - Parameter first: the number of the first consult, of those that no earlier run has booked.
  func run(clients: Int, seconds: Int, first: Int) async throws -> Measured {
    let prefix = folder.file("transactions")
    let syncs = try await count("SELECT wal_sync FROM pg_stat_wal")
    let output = try await run(
      "pgbench", package: "postgresql-15",
      [
        "-n", "-M", "prepared", "-c", "\(clients)", "-j", "\(Self.threads)", "-T", "\(seconds)", "-f",
        folder.file("booking.sql"), "-l", "--log-prefix=\(prefix)", "-D", "first=\(first)", "-D", "clients=\(clients)",
        "-D", "n=0",
      ] + place, within: seconds + 60)
    func number(after label: String) -> Double? {
      output.firstRange(of: label).flatMap { found in
        output[found.upperBound...].split(whereSeparator: { " \n".contains($0) }).first.flatMap { Double($0) }
      }
    }
    guard let bookings = number(after: "actually processed: "), let rate = number(after: "tps = "),
      number(after: "failed transactions: ") == 0
    else { throw BenchFailure("pgbench's result is not to be used:\n\(output)") }
    let times = try durations(prefix)
    guard !times.isEmpty else { throw BenchFailure("pgbench logged nothing") }
    return Measured(
      bookings: Int(bookings), seconds: bookings / rate, median: Double(times[times.count / 2]) / 1e3,
      p99: Double(times[times.count * 99 / 100]) / 1e3,
      syncs: try await count("SELECT wal_sync FROM pg_stat_wal") - syncs)
  }

  /// How many bookings are in the tables.
  func bookings() async throws -> Int { try await count("SELECT count(*) FROM appointment") }

  /// Every transaction's microseconds, sorted, from pgbench's logs, which are removed.
  private func durations(_ prefix: String) throws -> [Int] {
    let name = URL(fileURLWithPath: prefix).lastPathComponent + "."
    let logs = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix(name) }
    return try logs.flatMap { log in
      let file = folder.file(log)
      defer { try? FileManager.default.removeItem(atPath: file) }
      // Client, number, microseconds, …
      return try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").compactMap { line in
        line.split(separator: " ", maxSplits: 3).dropFirst(2).first.flatMap { Int($0) }
      }
    }.sorted()
  }

  private func count(_ query: String) async throws -> Int {
    let output = try await psql(["-At", "-c", query], within: 60)
    guard let count = Int(output.split(separator: "\n").last ?? "") else { throw BenchFailure("psql said: \(output)") }
    return count
  }

  private func psql(_ arguments: [String], within seconds: Int) async throws -> String {
    try await run(
      "psql", package: "postgresql-15",
      ["-X", "-q", "-v", "ON_ERROR_STOP=1"] + arguments + place, within: seconds)
  }

  /// Where psql and pgbench find it, behind their other arguments.
  private var place: [String] { uri.map { [$0] } ?? ["-h", socket, "-p", "\(port)", "-U", "postgres", "postgres"] }

  /// How to run one of the programs that refuse to be root: as the user that Debian makes for them.
  private func server(_ name: String, _ arguments: [String]) throws -> (program: String, arguments: [String]) {
    let program = try Program.find(name, package: "postgresql-15", under: [Self.binaries])
    guard geteuid() == 0 else { return (program, arguments) }
    return (
      try Program.find("setpriv", package: "util-linux"),
      ["--reuid", "postgres", "--regid", "postgres", "--init-groups", program] + arguments
    )
  }

  private func run(_ name: String, package: String, _ arguments: [String], within seconds: Int) async throws -> String {
    let program = try Program.find(name, package: package, under: [Self.binaries])
    return try await Program.run(program, arguments, name: name, in: folder, within: seconds)
  }
}
