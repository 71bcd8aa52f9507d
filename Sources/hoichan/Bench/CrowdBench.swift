import ArgumentParser
import Foundation

/// What thousands of readers of the feed do to each other and to the server: each check is a line that begins with `ok`
/// or `FAILED`, and holds what was measured (ops/test-feed).
struct CrowdBench: AsyncParsableCommand {
  enum Scenario: String, CaseIterable, ExpressibleByArgument, Sendable {
    case stalled, reconnect, replay
  }

  static let configuration = CommandConfiguration(
    commandName: "crowd",
    abstract: "Checks the feed with thousands of readers: stalled ones, all coming back at once, a long replay.")

  @Argument(help: "stalled, reconnect or replay.") var scenario: Scenario
  @Option(help: "Readers, the stalled ones among them.") var subscribers = 5_000
  @Option(help: "Readers who read nothing.") var stalled = 1_000
  @Option(help: "Rounds with stalled readers; the median is judged.") var rounds = 3
  @Option(help: "Paced events a second, beside stalled readers.") var rate = 20
  @Option(help: "Seconds of paced events.") var seconds = 10
  @Option(help: "Events that everybody who comes back has missed.") var missed = 50
  @Option(help: "Events in the log that is replayed.") var events = 1_000_000
  @Option(help: "Threads that read what the subscribers get.") var threads = 2
  @Option(help: "A folder on the disk for the database; what is made in it is removed.") var folder = "."

  /// Events of a burst: what a stalled reader's system takes for it is full behind a few.
  private static let burst = 200
  private static let bursts = 10
  /// Threads over which those who come back do so, all at once as far as the server can tell.
  private static let comingThreads = 50
  /// The most that the server may hold for a stalled reader: what its channel takes, and a page behind that.
  private static let stalledBytes = 160 * 1024
  private static let tries = 20

  func validate() throws {
    guard (2...19_000).contains(subscribers), (1..<subscribers).contains(stalled) else {
      throw ValidationError("--subscribers is up to 19000, --stalled smaller.")
    }
    guard (1...50).contains(rounds), (1...1_000).contains(rate), (1...30).contains(seconds) else {
      throw ValidationError("--rounds is up to 50, --rate up to 1000, --seconds up to 30.")
    }
    guard (1...5_000).contains(missed), (100...10_000_000).contains(events), (1...64).contains(threads) else {
      throw ValidationError("--missed is up to 5000, --events from 100 to 10000000, --threads up to 64.")
    }
  }

  func run() async throws {
    let command = self
    try await benchmark(in: folder) { folder in
      try FeedBench.raiseOpenFiles(to: command.subscribers + 600)
      let province = try await BenchProvince(in: folder)
      switch command.scenario {
      case .stalled: try await command.stall(province, folder)
      case .reconnect: try await command.reconnect(province, folder)
      case .replay: try await command.replay(province, folder)
      }
    }
  }

  private func check(_ name: String, _ isGood: Bool, _ detail: String) {
    say("\(isGood ? "ok    " : "FAILED")  \(scenario.rawValue): \(name): \(detail)")
  }

  // MARK: Stalled readers

  private struct Stall: Sendable {
    /// Milliseconds, of those who read.
    var before: Double
    var during: Double
    /// Bytes by which the server grew for those who don't.
    var bytes: Int
  }

  private func stall(_ province: BenchProvince, _ folder: BenchFolder) async throws {
    var found: [Stall] = []
    for round in 1...rounds {
      let one = try await FeedServer.use(.hoichan, province, in: folder) { server in try await measure(server) }
      found.append(one)
      say(
        "round \(round)  p99 \(one.before.hundredths) ms, with \(stalled) of \(subscribers) stalled "
          + "\(one.during.hundredths) ms, \(one.bytes / 1024 / stalled) KiB for each of these")
    }
    let ratio = found.map { $0.during / $0.before }.median
    check(
      "the others' p99", ratio < 1.2,
      "\(ratio.hundredths) of what it is when all \(subscribers) read (\(found.map(\.before).median.hundredths) ms)")
    let most = (found.map(\.bytes).max() ?? 0) / stalled
    check("memory", most <= Self.stalledBytes, "\(most / 1024) KiB for each, of \(Self.stalledBytes / 1024)")
  }

  private func measure(_ server: FeedServer) async throws -> Stall {
    // The same number of readers both times: those who will stall read at first.
    let (before, _) = try await FeedCrowd.use(stalled, of: server, threads: 1, window: 0) { _ in
      try await p99(server)
    }
    let begin = try ProcessUsage(of: server.pid)
    var idle: [FeedSubscriber] = []
    defer { for subscriber in idle { subscriber.leave() } }
    for number in 0..<stalled {
      let subscriber = try FeedSubscriber.join(server, number: number).0
      subscriber.stall()
      idle.append(subscriber)
    }
    let during = try await p99(server)
    let end = try ProcessUsage(of: server.pid)
    return Stall(before: before, during: during, bytes: max(0, end.bytes - begin.bytes))
  }

  /// Milliseconds from sending an event to reading it, of those who read; each must get every event once.
  private func p99(_ server: FeedServer) async throws -> Double {
    let (filling, paced) = (Self.burst * Self.bursts, rate * seconds)
    let (sent, parts) = try await FeedCrowd.use(
      subscribers - stalled, of: server, threads: threads, window: paced
    ) { crowd in
      let source = try server.source(connections: 64, payload: 0)
      for burst in 0..<Self.bursts {
        for number in 0..<Self.burst { try source.send(source.message(number)) }
        try source.settle()
        _ = try await crowd.gets((burst + 1) * Self.burst, within: 120)
      }
      crowd.record(from: filling)
      let begin = ContinuousClock.now
      var sent: [Int64] = []
      for number in 0..<paced {
        let message = source.message(number)
        try await Task.sleep(until: begin + .seconds(1) / rate * number)
        sent.append(Monotonic.now)
        try source.send(message)
      }
      try source.settle()
      _ = try await crowd.gets(filling + paced, within: 120)
      return sent
    }
    try exactly(filling + paced, parts)
    let latencies = FeedBench.latencies(parts, sent)
    return latencies[latencies.count * 99 / 100]
  }

  private func exactly(_ wanted: Int, _ parts: [FeedCrowd.Part]) throws {
    guard parts.allSatisfy({ $0.fewest == wanted && $0.most == wanted }) else {
      let (fewest, most) = (parts.map(\.fewest).min() ?? 0, parts.map(\.most).max() ?? 0)
      throw BenchFailure("\(wanted) events were for each reader, and \(fewest) to \(most) came")
    }
  }

  // MARK: All come back

  private func reconnect(_ province: BenchProvince, _ folder: BenchFolder) async throws {
    let total = missed + Self.burst
    _ = try await FeedServer.use(.hoichan, province, in: folder) { server in
      try await FeedCrowd.use(subscribers, of: server, threads: threads, window: 0) { crowd in
        let source = try server.source(connections: 64, payload: 0)
        for number in 0..<total { try source.send(source.message(number)) }
        try source.settle()
        return try await crowd.gets(total, within: 120)
      }
    }
    // The server has stopped, and everybody's last cursor is this one.
    let cursor = try await province.cursors(back: [missed])[0]
    let (milliseconds, pages) = try await FeedServer.use(.hoichan, province, in: folder) { server in
      let begin = Monotonic.now
      let (last, parts) = try await FeedCrowd.use(
        subscribers, of: server.following(after: cursor), threads: Self.comingThreads, window: 0
      ) { crowd in try await crowd.gets(missed, within: 60) }
      try exactly(missed, parts)
      let pages = try server.counters()["hoichan_feed_replay_pages_total"] ?? 0
      return (Double(last - begin) / 1e6, pages)
    }
    check(
      "all have what they missed", milliseconds < 5_000,
      "\(subscribers) readers and \(missed) events each in \(milliseconds.whole) ms, of 5000")
    check("pages of the log read for them", pages == 0, "\(pages)")
  }

  // MARK: A long replay

  private func replay(_ province: BenchProvince, _ folder: BenchFolder) async throws {
    let begin = ContinuousClock.now
    try await province.append(events)
    say("\(events) events were appended in \((ContinuousClock.now - begin).components.seconds) s")
    let depths = [events - 1, events / 2, events / 10, events / 100]
    let cursors = try await province.cursors(back: depths)
    try await FeedServer.use(.hoichan, province, in: folder) { server in
      // It may come while the ring still begins, and then waits for that.
      let first = try FeedSubscriber.firstEvent(server.following(after: cursors[0]))
      say("the very first reader had its first event after \(first.hundredths) ms")
      for (depth, cursor) in zip(depths, cursors) {
        var times: [Double] = []
        for _ in 0..<Self.tries { times.append(try FeedSubscriber.firstEvent(server.following(after: cursor))) }
        let slowest = times.max() ?? 0
        check(
          "the first of \(depth) events", slowest < 20,
          "p50 \(times.median.hundredths) ms, slowest of \(Self.tries) \(slowest.hundredths) ms, of 20")
      }
      let asked = Monotonic.now
      let (last, parts) = try await FeedCrowd.use(
        1, of: server.following(after: cursors[0]), threads: 1, window: 0
      ) { crowd in try await crowd.gets(depths[0], within: 600) }
      let seconds = Double(last - asked) / 1e9
      check(
        "all of them, once", parts.allSatisfy { $0.fewest == depths[0] && $0.most == depths[0] },
        "\(depths[0]) events in \(seconds.hundredths) s, \((Double(depths[0]) / seconds).whole) a second")
    }
  }
}
