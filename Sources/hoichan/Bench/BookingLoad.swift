import Foundation

/// What a stretch of load showed.
struct Measured: Sendable {
  var bookings: Int
  var seconds: Double
  /// Milliseconds from a request to its answer.
  var median: Double
  var p99: Double
  /// How often the disk was asked to keep what was written: the server's commit groups, PostgreSQL's syncs of its log.
  var syncs: Int

  var rate: Double { Double(bookings) / seconds }
}

/// Bookings over HTTP by wrk: each connection sends the next prepared one as soon as its last was answered.
struct BookingLoad: Sendable {
  static let threads = 2

  let clients: Int
  let token: String
  let folder: BenchFolder
  private let wrk: String

  init(clients: Int, token: String, in folder: BenchFolder) throws {
    self.clients = clients
    self.token = token
    self.folder = folder
    wrk = try Program.find("wrk", package: "wrk")
    try Data(Self.script.utf8).write(to: URL(fileURLWithPath: folder.file("booking.lua")))
  }

  /// - Returns: how many bookings were answered, all of them 201, and how fast.
  func run(_ lines: [String], seconds: Int, on server: BenchServer) async throws -> Measured {
    for thread in 0..<Self.threads {
      let own = stride(from: thread, to: lines.count, by: Self.threads).map { lines[$0] }
      let file = URL(fileURLWithPath: folder.file("lines-\(thread)"))
      try Data((own.joined(separator: "\n") + "\n").utf8).write(to: file)
    }
    let groups = try server.commits()
    let output = try await Program.run(
      wrk,
      [
        "-t\(Self.threads)", "-c\(clients)", "-d\(seconds)s", "--timeout", "10s", "-s", folder.file("booking.lua"),
        "http://127.0.0.1:\(server.port)/", "--", folder.file("lines"), token,
      ], name: "wrk", in: folder, within: seconds + 30)
    guard let line = output.split(separator: "\n").last(where: { $0.hasPrefix("hoichan ") }) else {
      throw BenchFailure("wrk said nothing of use:\n\(output)")
    }
    // Requests, microseconds, median, p99, answers that were no success, broken connections and timeouts.
    let numbers = line.split(separator: " ").dropFirst().compactMap { Int($0) }
    guard numbers.count == 6, numbers[1] > 0 else { throw BenchFailure("wrk's summary is '\(line)'") }
    guard numbers[4] == 0, numbers[5] == 0 else {
      throw BenchFailure("\(numbers[4]) answers were no success, \(numbers[5]) requests were not answered\n\(output)")
    }
    guard numbers[0] + clients < lines.count else {
      throw BenchFailure("all \(lines.count) prepared bookings were used up; give a higher --rate")
    }
    return Measured(
      bookings: numbers[0], seconds: Double(numbers[1]) / 1e6, median: Double(numbers[2]) / 1e3,
      p99: Double(numbers[3]) / 1e3, syncs: try server.commits() - groups)
  }

  /// A thread reads its own file of lines. Every request is of the same length: ids have 36 characters, starts 25.
  private static let script = #"""
    local threads = 0

    function setup(thread)
      thread:set("number", threads)
      threads = threads + 1
    end

    function init(args)
      lines = assert(io.open(args[1] .. "-" .. number, "r"))
      fixed = "/appointment HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. args[2] ..
        "\r\nContent-Type: application/json\r\nContent-Length: 106\r\n\r\n{\"practitionerId\":\""
    end

    function request()
      -- What is sent again at the end is counted by the caller, who refuses the run.
      last = lines:read("*l") or last
      return "POST /api/v1/consults/" .. last:sub(1, 36) .. fixed .. last:sub(38, 73) ..
        "\",\"start\":\"" .. last:sub(75, 99) .. "\",\"minutes\":30}"
    end

    function done(summary, latency, requests)
      local errors = summary.errors
      io.write(string.format("hoichan %d %d %d %d %d %d\n", summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
    end
    """#
}
