import ArgumentParser
import Foundation

/// Events to thousands of subscribers over WebSocket, beside servers that are made for nothing else. Ours are signed in,
/// filtered and durable before they are told; theirs are signed in.
struct FeedBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "feed", abstract: "The feed's speed and cost, beside nchan and nats-server over WebSocket.")

  @Option(help: "Subscribers of a burst and of paced events.") var subscribers = 5_000
  @Option(help: "Events of a burst.") var burst = 200
  @Option(help: "Rounds; the medians are compared.") var rounds = 3
  @Option(help: "Paced events a second.") var rate = 20
  @Option(help: "Seconds of paced events.") var seconds = 10
  @Option(help: "Subscribers who are told nothing, for memory and CPU; 0 leaves this out.") var idle = 15_000
  @Option(help: "Seconds over which the CPU of idle subscribers is counted.") var idleSeconds = 60
  @Option(help: "Whom to compare with, with a comma between: nchan and nats, or none.") var peers = "nchan,nats"
  @Option(help: "Threads that read what the subscribers get.") var threads = 2
  @Option(help: "A folder on the disk for our database; what is made in it is removed.") var folder = "."

  /// Connections over which a burst is published by HTTP, at most.
  private static let publishers = 256
  /// Descriptors beside the subscribers' own, here and in the servers.
  private static let spareFiles = 600

  func validate() throws {
    guard (1...19_000).contains(subscribers), (0...19_000).contains(idle), (1...50).contains(rounds) else {
      throw ValidationError("--subscribers and --idle are up to 19000, --rounds up to 50.")
    }
    guard (1...5_000).contains(burst), (1...1_000).contains(rate), (1...60).contains(seconds) else {
      throw ValidationError("--burst is up to 5000, --rate up to 1000, --seconds up to 60.")
    }
    guard (1...600).contains(idleSeconds), (1...64).contains(threads) else {
      throw ValidationError("--idle-seconds is up to 600, --threads up to 64.")
    }
    guard peers == "none" || peers.split(separator: ",").allSatisfy({ ["nchan", "nats"].contains($0) }) else {
      throw ValidationError("--peers are nchan and nats, with a comma between, or none.")
    }
  }

  /// Ourselves first: the peers' messages are made as long as our events are.
  private var kinds: [FeedServer.Kind] {
    [FeedServer.Kind.hoichan] + peers.split(separator: ",").compactMap { FeedServer.Kind(rawValue: String($0)) }
  }

  func run() async throws {
    let command = self
    try await benchmark(in: folder) { try await command.measure($0) }
  }

  private func measure(_ folder: BenchFolder) async throws {
    try Self.raiseOpenFiles(to: max(subscribers, idle) + Self.spareFiles)
    let province = try await BenchProvince(in: folder)
    say(
      "bursts of \(burst) events and \(rate) events/s for \(seconds) s to \(subscribers) subscribers, \(rounds) rounds, "
        + "\(threads) reading threads, on \(folder.fileSystem)")
    var payload = 600
    var stretches: [FeedServer.Kind: [FeedStretch]] = [:]
    for round in 1...rounds {
      // Who is whose neighbour changes: a shared machine changes its pace from one minute to the next.
      let order: [FeedServer.Kind] = round % 2 == 1 ? kinds : kinds.reversed()
      for kind in order {
        let length = payload
        let stretch = try await FeedServer.use(kind, province, in: folder) { server in
          try await tell(server, payload: length)
        }
        if kind == .hoichan { payload = stretch.payload }
        stretches[kind, default: []].append(stretch)
        say("round \(round)  \(kind.name.padded(11))  \(stretch.line)")
      }
    }
    var rests: [FeedServer.Kind: FeedRest] = [:]
    if idle > 0 {
      say("\(idle) subscribers who are told nothing, \(idleSeconds) s, then one event to all of them")
      for kind in kinds {
        let length = payload
        let rest = try await FeedServer.use(kind, province, in: folder) { server in
          try await wait(server, payload: length)
        }
        rests[kind] = rest
        say("idle     \(kind.name.padded(11))  \(rest.line)")
      }
    }
    report(stretches, rests)
  }

  // MARK: Events

  private func tell(_ server: FeedServer, payload: Int) async throws -> FeedStretch {
    let paced = rate * seconds
    let ((fired, sent), parts) = try await FeedCrowd.use(
      subscribers, of: server, threads: threads, window: paced
    ) { crowd in
      let source = try server.source(connections: min(burst, Self.publishers), payload: payload)
      // The first burst fills caches and buffers, and is not measured.
      _ = try await fire(burst, source, crowd, before: 0)
      let measured = try await fire(burst, source, crowd, before: burst)
      return (measured, try await pace(paced, source, crowd, before: 2 * burst))
    }
    try check(parts, each: 2 * burst + paced, of: server)
    return FeedStretch(
      deliveries: subscribers * burst, fired: fired, latencies: Self.latencies(parts, sent),
      payload: parts.reduce(0) { $0 + $1.bytes } / parts.reduce(0) { $0 + $1.messages })
  }

  /// Publishes as fast as the server takes it.
  /// - Parameter before: the messages that each subscriber has got already.
  private func fire(
    _ count: Int, _ source: any FeedSource, _ crowd: FeedCrowd, before: Int
  ) async throws -> FeedStretch.Fired {
    let messages = (0..<count).map { source.message($0) }
    let begin = Monotonic.now
    for message in messages { try source.send(message) }
    try source.settle()
    let taken = Monotonic.now
    let last = try await crowd.gets(before + count, within: 300)
    return FeedStretch.Fired(begin: begin, taken: taken, last: last)
  }

  /// Publishes at a steady pace, whatever becomes of it.
  /// - Returns: when each message was sent.
  private func pace(_ count: Int, _ source: any FeedSource, _ crowd: FeedCrowd, before: Int) async throws -> [Int64] {
    let messages = (0..<count).map { source.message($0) }
    crowd.record(from: before)
    var sent: [Int64] = []
    let begin = ContinuousClock.now
    for (number, message) in messages.enumerated() {
      try await Task.sleep(until: begin + .seconds(1) / rate * number)
      sent.append(Monotonic.now)
      try source.send(message)
    }
    try source.settle()
    _ = try await crowd.gets(before + count, within: 300)
    return sent
  }

  /// Every subscriber got each message once: neither was one lost, nor did one come twice.
  private func check(_ parts: [FeedCrowd.Part], each wanted: Int, of server: FeedServer) throws {
    guard parts.allSatisfy({ $0.fewest == wanted && $0.most == wanted }) else {
      let (fewest, most) = (parts.map(\.fewest).min() ?? 0, parts.map(\.most).max() ?? 0)
      throw BenchFailure(
        "\(server.kind.name): \(wanted) messages were for each subscriber, and \(fewest) to \(most) came")
    }
  }

  /// Milliseconds from each message's sending to each subscriber's reading it, sorted. Messages are known by their
  /// place: each subscriber gets all of them, and they are sent one after another. Two that a server swapped would trade
  /// a pause of the pace between them, and leave the sum as it is.
  static func latencies(_ parts: [FeedCrowd.Part], _ sent: [Int64]) -> [Double] {
    var latencies: [Int64] = []
    latencies.reserveCapacity(parts.reduce(0) { $0 + $1.arrivals.count })
    for part in parts {
      for (index, arrival) in part.arrivals.enumerated() { latencies.append(arrival - sent[index % sent.count]) }
    }
    latencies.sort()
    return latencies.map { Double($0) / 1e6 }
  }

  // MARK: Rest

  private func wait(_ server: FeedServer, payload: Int) async throws -> FeedRest {
    let empty = try ProcessUsage(of: server.pid)
    let (rest, parts) = try await FeedCrowd.use(idle, of: server, threads: threads, window: 0) { crowd in
      // What the handshakes left behind is done with.
      try await Task.sleep(for: .seconds(5))
      let begin = try ProcessUsage(of: server.pid)
      try await Task.sleep(for: .seconds(idleSeconds))
      let end = try ProcessUsage(of: server.pid)
      let counters = try server.counters()
      _ = try await fire(1, try server.source(connections: 1, payload: payload), crowd, before: 0)
      return FeedRest(
        kibibytes: Double(end.bytes - empty.bytes) / 1024 / Double(idle),
        microseconds: (end.cpuSeconds - begin.cpuSeconds) * 1e6 / Double(idle * idleSeconds),
        counted: try server.counters().merging(counters) { $0 - $1 }.filter { $0.value != 0 })
    }
    try check(parts, each: 1, of: server)
    return rest
  }

  // MARK: Result

  private func report(_ stretches: [FeedServer.Kind: [FeedStretch]], _ rests: [FeedServer.Kind: FeedRest]) {
    for kind in kinds {
      let own = stretches[kind] ?? []
      say(
        "median   \(kind.name.padded(11))  \(own.map(\.rate).median.whole) deliveries/s  "
          + "p50 \(own.map(\.median).median.hundredths) ms  p99 \(own.map(\.p99).median.hundredths) ms")
    }
    for kind in kinds.dropFirst() {
      // Each round against its own: they lie next to each other in time.
      func ratio(_ value: (FeedStretch) -> Double) -> String {
        zip(stretches[.hoichan] ?? [], stretches[kind] ?? []).map { value($0) / value($1) }.median.hundredths
      }
      say(
        "ratio    hoichan ÷ \(kind.name.padded(11))  deliveries/s \(ratio(\.rate))  "
          + "p50 \(ratio(\.median))  p99 \(ratio(\.p99))")
      guard let own = rests[.hoichan], let other = rests[kind] else { continue }
      say(
        "ratio    hoichan ÷ \(kind.name.padded(11))  idle: memory \((own.kibibytes / other.kibibytes).hundredths)  "
          + "CPU \((own.microseconds / other.microseconds).hundredths)")
    }
  }

  /// A socket is a file, here and in the servers, which are given the same limit.
  static func raiseOpenFiles(to wanted: Int) throws {
    var limit = rlimit()
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(files, &limit) == 0 else { throw BenchFailure("the limit of open files can't be read") }
    limit.rlim_cur = limit.rlim_max
    guard limit.rlim_max >= rlim_t(wanted), setrlimit(files, &limit) == 0 else {
      throw BenchFailure("\(wanted) files must be open at once, and the system's limit is \(limit.rlim_max)")
    }
  }
}

/// What one server showed in one round.
struct FeedStretch: Sendable {
  /// `Monotonic` times of a burst.
  struct Fired: Sendable {
    var begin: Int64
    /// When the server had said of every event that it took it.
    var taken: Int64
    var last: Int64
  }

  /// Deliveries a second, from the first event's sending to the last delivery.
  let rate: Double
  /// Milliseconds from sending to reading.
  let median: Double
  let p99: Double
  /// Bytes of a message, on average.
  let payload: Int
  private let fired: Fired

  /// - Parameter latencies: of paced events, in milliseconds, sorted.
  init(deliveries: Int, fired: Fired, latencies: [Double], payload: Int) {
    rate = Double(deliveries) / (Double(fired.last - fired.begin) / 1e9)
    median = latencies[latencies.count / 2]
    p99 = latencies[latencies.count * 99 / 100]
    self.payload = payload
    self.fired = fired
  }

  var line: String {
    let (taken, last) = (Double(fired.taken - fired.begin) / 1e6, Double(fired.last - fired.begin) / 1e6)
    return "\(rate.whole.padded(7)) deliveries/s of \(payload) bytes (burst taken after \(taken.whole) ms, "
      + "delivered after \(last.whole) ms)  paced p50 \(median.hundredths) ms  p99 \(p99.hundredths) ms"
  }
}

/// What subscribers cost who are told nothing.
struct FeedRest: Sendable {
  /// Resident memory of the server for each.
  var kibibytes: Double
  /// Of CPU, a second, for each.
  var microseconds: Double
  /// What the server counted while one event went to all of them.
  var counted: [String: Int]

  var line: String {
    let counts = counted.sorted { $0.key < $1.key }.map { "  \($0.key) \($0.value)" }.joined()
    return "\(kibibytes.hundredths) KiB and \(microseconds.hundredths) µs of CPU a second each" + counts
  }
}
