import Foundation

/// The server under test: this very program as a child, on a free loopback port, with the limits a client meets raised.
struct BenchServer: BenchedServer {
  let port: Int
  private let child: Child
  private let summary: String?

  /// Starts it and waits until it is ready.
  /// - Parameter counting: whether its fdatasyncs are counted; that slows it, so what is counted is not timed.
  init(database: String, in folder: BenchFolder, counting: Bool = false) async throws {
    port = try Loopback.freePort()
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let environment = [
      "HOICHAN_DATABASE": database, "HOICHAN_SECRET_KEY": BenchProvince.secretKey,
      "HOICHAN_LISTEN": "127.0.0.1:\(port)",
      "HOICHAN_LIMIT_REQUESTS": "1000000", "HOICHAN_LIMIT_SOCKETS": "10000", "HOICHAN_LOG_LEVEL": "warning",
    ]
    if counting {
      let strace = try Program.find("strace", package: "strace")
      let file = folder.file("strace")
      // -D: the child is the server itself, and strace beside it, so that stopping the child stops the server.
      child = try Child(
        strace,
        ["-D", "-f", "-c", "--seccomp-bpf", "-e", "trace=fdatasync,fsync", "-o", file, own, "serve"],
        name: "hoichan", in: folder, environment: environment)
      summary = file
    } else {
      child = try Child(own, ["serve"], name: "hoichan", in: folder, environment: environment)
      summary = nil
    }
    let deadline = ContinuousClock.now + .seconds(15)
    while (try? Loopback.get(port: port, "/readyz"))?.status != 200 {
      guard child.isRunning, .now < deadline else {
        kill(child.pid, SIGKILL)
        let complaint = (try? String(contentsOfFile: child.errors, encoding: .utf8)) ?? ""
        throw BenchFailure("the server did not become ready\n\(complaint.suffix(2000))")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  var pid: Int32 { child.pid }

  /// A counter of its metrics.
  func counter(_ name: String) throws -> Int {
    let metrics = try Loopback.get(port: port, "/metrics")
    let line = metrics.body.split(separator: "\n").first { $0.hasPrefix(name + " ") }
    guard metrics.status == 200, let line, let value = line.split(separator: " ").last.flatMap({ Double($0) }) else {
      throw BenchFailure("the server's metrics have no \(name)")
    }
    return Int(value)
  }

  /// How many groups of transactions it has committed since its start; of PostgreSQL, how many transactions.
  func commits() throws -> Int {
    try (try? counter("hoichan_storage_commit_groups_total")) ?? counter("hoichan_storage_transactions_total")
  }

  func stop() async throws { try await child.stop(within: 30) }

  /// What strace counted, after the stop.
  func syncs() async throws -> Int {
    guard let summary else { throw BenchFailure("nothing was counted") }
    // strace writes when the server has gone, and nobody waits for it.
    for _ in 0..<200 {
      let text = (try? String(contentsOfFile: summary, encoding: .utf8)) ?? ""
      if let total = text.split(separator: "\n").last(where: { $0.hasSuffix("total") }) {
        let fields = total.split(separator: " ")
        if fields.count >= 5, let calls = Int(fields[3]) { return calls }
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw BenchFailure("strace gave no summary")
  }
}
