import ArgumentParser
import Coordinator
import Domain
import Foundation
import Synchronization

/// Two nodes over one PostgreSQL: how long until what one did is heard at the other.
struct NodesBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nodes", abstract: "How long an event, and a call's signal, takes from one node to another.")

  @Option(help: "postgres://…: what is made in it is removed.") var database: String
  @Option(help: "Seconds of each measured stretch.") var seconds = 10
  @Option(help: "Events a second.") var rate = 500
  @Option(help: "Signals a second in the call.") var signals = 50
  @Option(help: "A folder for logs; what is made in it is removed.") var folder = "."

  private static let writers = 8

  func validate() throws {
    guard (1...600).contains(seconds), rate >= Self.writers, signals >= 1 else {
      throw ValidationError("--seconds is up to 600, --rate at least \(Self.writers).")
    }
  }

  func run() async throws {
    let command = self
    try await benchmark(in: folder) { folder in
      try await ScratchDatabase.use(on: command.database, "nodes") { uri in
        let province = try await BenchProvince(in: folder, database: uri)
        try await BenchServer(database: uri, in: folder).use { first in
          try await BenchServer(database: uri, in: folder).use { second in
            try await command.events(from: first, to: second, province)
            try await command.call(first, second)
          }
        }
      }
    }
  }

  /// Consults are asked for at one node; a reader at the other sees them. The time runs from the request's sending, so
  /// that it holds the whole booking as well.
  private func events(from first: BenchServer, to second: BenchServer, _ province: BenchProvince) async throws {
    let (sent, answered, heard) = (Times(), Times(), Times())
    let follower = try FeedFollower(port: second.port, token: province.token) { line, now in
      guard let start = line.firstRange(of: "\"subject\":\"consults/")?.upperBound else { return }
      heard.note(String(line[start...].prefix(36)), now)
    }
    let perWriter = rate * seconds / Self.writers
    let pause = Duration.seconds(1) / rate * Self.writers
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<Self.writers {
        group.addTask {
          let client = try HTTPConnection(port: first.port, token: province.token)
          let begin = ContinuousClock.now + pause * writer / Self.writers
          for number in 0..<perWriter {
            try await Task.sleep(until: begin + pause * number)
            let id = UUIDv7.make(at: .system)
            let body = province.request(id: id, number: writer * perWriter + number)
            sent.note(id, .now)
            _ = try client.post("/api/v1/consults", body)
            answered.note(id, .now)
          }
        }
      }
      try await group.waitForAll()
    }
    try await follower.reaches(perWriter * Self.writers)
    follower.stop()
    let (begun, done, arrived) = (sent.all, answered.all, heard.all)
    func times(_ from: [String: ContinuousClock.Instant]) throws -> [Double] {
      try from.map { id, start in
        guard let end = arrived[id] else { throw BenchFailure("the event of \(id) never came") }
        return (end - start) / .milliseconds(1)
      }.sorted()
    }
    say("\(rate) events/s for \(seconds) s at one node, a reader at the other")
    say("request sent → event read     \(Self.summary(try times(begun)))")
    say("commit answered → event read  \(Self.summary(try times(done)))")
  }

  /// A station's and a specialist's sockets on different nodes; the station says something, the specialist hears it.
  private func call(_ first: BenchServer, _ second: BenchServer) async throws {
    let station = try HTTPConnection(port: first.port, signIn: "tram")
    let specialist = try HTTPConnection(port: second.port, signIn: "bacsi")
    let id = UUIDv7.make(at: .system)
    _ = try station.post("/api/v1/consults", BenchProvince.body(id: id, .cardiology, station: nil))
    _ = try specialist.post("/api/v1/consults/\(id)/accept", .object(.init([])))
    let speaker = try SocketConnection(port: first.port, "/api/v1/consults/\(id)/call", token: station.token)
    let listener = try SocketConnection(port: second.port, "/api/v1/consults/\(id)/call", token: specialist.token)
    for socket in [speaker, listener] {
      try socket.send("{\"op\":\"join\"}")
      while try !socket.receive().contains("\"op\":\"joined\"") {}
    }
    var times: [Double] = []
    let begin = ContinuousClock.now
    for number in 0..<signals * seconds {
      try await Task.sleep(until: begin + .seconds(1) / signals * number)
      let start = ContinuousClock.now
      try speaker.send("{\"op\":\"chat\",\"text\":\"n\(number)\"}")
      while true {
        let text = try listener.receive()
        if text.contains("\"op\":\"ping\"") { try listener.send("{\"op\":\"pong\"}") }
        if text.contains("\"n\(number)\"") { break }
      }
      times.append((ContinuousClock.now - start) / .milliseconds(1))
    }
    say("\(signals) signals/s for \(seconds) s between sockets on two nodes")
    say("signal sent → signal read     \(Self.summary(times.sorted()))")
  }

  /// When something happened to each consult.
  private final class Times: Sendable {
    private let times = Mutex<[String: ContinuousClock.Instant]>([:])
    var all: [String: ContinuousClock.Instant] { times.withLock { $0 } }
    func note(_ id: String, _ now: ContinuousClock.Instant) { times.withLock { $0[id] = now } }
  }

  private static func summary(_ times: [Double]) -> String {
    "p50 \(times[times.count / 2].hundredths) ms  p99 \(times[times.count * 99 / 100].hundredths) ms  "
      + "slowest \((times.last ?? 0).hundredths) ms"
  }
}
