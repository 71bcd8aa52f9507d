import Domain
import Foundation
import Storage

/// A bare PostgreSQL with its defaults (fsync and synchronous_commit are on) to which pgbench writes the rows of a
/// booking: what an application over PostgreSQL could reach at best, without HTTP, sign-in, rules or a chained log.
struct PostgresPeer: Sendable {
  private static let binaries = "/usr/lib/postgresql/15/bin"
  private static let threads = 2

  private let folder: BenchFolder
  private let data: String
  private let socket: String
  private let port: Int

  /// Makes the cluster, with the product's own schema.
  init(in folder: BenchFolder) async throws {
    self.folder = folder
    port = try Loopback.freePort()
    let home = folder.file("postgres")
    data = home + "/data"
    // A socket's path has at most 107 bytes; it holds no data.
    var template = Array("/tmp/hoichan-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw BenchFailure("no folder can be made in /tmp") }
    socket = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: false)
    if geteuid() == 0 {
      for path in [home, socket] { _ = try await run("chown", package: "coreutils", ["postgres", path], within: 10) }
    }
    _ = try await server("initdb", ["-D", data, "-A", "trust", "-U", "postgres", "--locale=C.UTF-8"], within: 120)
    try await start()
    let script = folder.file("schema.sql")
    let facility = "INSERT INTO facility VALUES ('38001', '', '', '', 'station', '38');\n"
    try (Migrations.all.map(\.script).joined(separator: ";\n") + ";\n" + facility)
      .write(toFile: script, atomically: true, encoding: .utf8)
    _ = try await psql(["-f", script], within: 60)
  }

  func start() async throws {
    let options = "-p \(port) -c listen_addresses='' -c unix_socket_directories='\(socket)'"
    _ = try await server(
      "pg_ctl", ["-D", data, "-w", "-t", "60", "-l", data + "/log", "-o", options, "start"], within: 90)
  }

  /// Ends the postmaster of this data folder, whose id stands in it.
  func stop() async throws {
    _ = try await server("pg_ctl", ["-D", data, "-w", "-t", "60", "-m", "fast", "stop"], within: 90)
  }

  /// Stops what runs and removes the socket's folder; for the end, however it came.
  func close() async {
    if FileManager.default.fileExists(atPath: data + "/postmaster.pid") {
      do { try await stop() } catch {
        FileHandle.standardError.write(Data("PostgreSQL could not be stopped: \(error)\n".utf8))
      }
    }
    try? FileManager.default.removeItem(atPath: socket)
  }

  /// Empties the tables and puts in this many consults that wait to be booked.
  func fill(_ count: Int, document: String) async throws {
    let script = folder.file("fill.sql")
    try """
    TRUNCATE consult, appointment, claim, event CASCADE;
    INSERT INTO consult (id, version, state, specialty, station, requested_at, due_at, overdue, created_by, document,
      body_hash)
    SELECT lpad(i::text, 36, '0'), 1, 'requested', 'cardiology', '38001', 1790000000000, 1790000000000, 0, 'bench',
      '\(document.replacing("'", with: "''"))', decode(repeat('5a', 32), 'hex')
    FROM generate_series(0, \(count - 1)) i;
    VACUUM (FREEZE, ANALYZE) consult;
    CHECKPOINT;
    """.write(toFile: script, atomically: true, encoding: .utf8)
    _ = try await psql(["-f", script], within: 300)
  }

  /// Writes the script of one booking: the statements of `Coordinator.book`, one round trip each.
  /// - Parameter events: the rows that a booking appends; their data is written with its length.
  func prepare(events: [EventRecord]) throws {
    // The cells are free, each client has its own consults, and the numbers of events are made up by the client: this
    // costs less than real bookings do. `lpad` makes ids of 36 characters. A colon would begin a variable.
    let appends = events.enumerated().map { index, event in
      """
      INSERT INTO event (seq, id, type, time, subject, facilities, specialty, actor, data, chain)
      VALUES (:i * 2 + \(index), lpad(:i::text, 36, 'e'), '\(event.type)', 1790000000000,
        '\(event.subject)', '\(event.facilities.joined(separator: ","))', 'cardiology', '\(event.actor)',
        '\(event.data.replacing(":", with: ".").replacing("'", with: "."))', decode(repeat('5a', 32), 'hex'));
      """.replacing("\n", with: " ")
    }
    let statements = [
      "BEGIN;",
      """
      SELECT id, version, state, station, practitioner, serving, appointment_id, start_at, end_at, requested_at, due_at,
        overdue, started_at, ended_at, created_by, document, body_hash FROM consult WHERE id = lpad(:i::text, 36, '0');
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
      ["\\set n :n + 1", "\\set i :base + :n * :clients + :client_id", "\\set p :i % 120", "\\set cell :i / 120 * 6"]
      + statements.map { $0.replacing("\n", with: " ") } + appends + ["COMMIT;", ""]
    try lines.joined(separator: "\n").write(toFile: folder.file("booking.sql"), atomically: true, encoding: .utf8)
  }

  /// - Parameter base: the number of the first consult to book; those before it were booked already.
  func run(clients: Int, seconds: Int, base: Int) async throws -> Measured {
    let prefix = folder.file("transactions")
    let syncs = try await count("SELECT wal_sync FROM pg_stat_wal")
    let output = try await run(
      "pgbench", package: "postgresql-15",
      [
        "-n", "-M", "prepared", "-c", "\(clients)", "-j", "\(Self.threads)", "-T", "\(seconds)", "-D", "n=-1", "-D",
        "base=\(base)", "-D", "clients=\(clients)", "-f", folder.file("booking.sql"), "-l", "--log-prefix=\(prefix)",
        "-h", socket, "-p", "\(port)", "-U", "postgres", "postgres",
      ], within: seconds + 60)
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
      ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", socket, "-p", "\(port)", "-U", "postgres"] + arguments
        + ["-d", "postgres"], within: seconds)
  }

  /// Runs one of the programs that refuse to be root, as the user that Debian makes for them.
  private func server(_ name: String, _ arguments: [String], within seconds: Int) async throws -> String {
    guard geteuid() == 0 else { return try await run(name, package: "postgresql-15", arguments, within: seconds) }
    let program = try Program.find(name, package: "postgresql-15", under: [Self.binaries])
    return try await run(
      "setpriv", package: "util-linux",
      ["--reuid", "postgres", "--regid", "postgres", "--init-groups", program] + arguments, within: seconds)
  }

  private func run(_ name: String, package: String, _ arguments: [String], within seconds: Int) async throws -> String {
    let program = try Program.find(name, package: package, under: [Self.binaries])
    return try await Program.run(program, arguments, name: name, in: folder, within: seconds)
  }
}
