import CEpoll
import Foundation
import Synchronization

/// Many subscribers of one server, read by a few threads that do as little as they can for each delivery, since the
/// server has the same cores.
final class FeedCrowd: Sendable {
  /// What a thread saw of its subscribers.
  struct Part: Sendable {
    /// Messages of the subscriber that got the fewest, and of the one that got the most.
    var fewest: Int
    var most: Int
    var messages: Int
    /// Bytes of all messages' payloads.
    var bytes: Int
    /// `Monotonic` times of the recorded messages' arrivals: `window` of one subscriber, then those of the next.
    var arrivals: [Int64]
  }

  let size: Int
  private let threads: [CrowdThread]

  private init(_ size: Int, of server: FeedServer, threads count: Int, window: Int) {
    self.size = size
    threads = (0..<count).map { index in
      CrowdThread(size * index / count..<size * (index + 1) / count, of: server, window: window)
    }
    for thread in threads { thread.start() }
  }

  /// Runs the body with subscribers who are connected and subscribed.
  /// - Parameters:
  ///   - window: of how many messages the arrivals are kept, from `record` on.
  /// - Returns: the body's result, and what each thread saw.
  static func use<T: Sendable>(
    _ size: Int, of server: FeedServer, threads: Int, window: Int, _ body: (FeedCrowd) async throws -> T
  ) async throws -> (T, [Part]) {
    let crowd = FeedCrowd(size, of: server, threads: threads, window: window)
    // The threads end with the body, however it ended.
    defer { crowd.stop() }
    try await crowd.connects()
    let result = try await body(crowd)
    return (result, try await crowd.parts())
  }

  /// Every subscriber's messages are recorded from this one on, counted from its first.
  func record(from message: Int) {
    for thread in threads { thread.recordFrom.store(message, ordering: .releasing) }
  }

  /// Comes back when so many messages have arrived as are so many for each subscriber, counted from its first.
  /// - Returns: when the last of them did, as `Monotonic` counts.
  func gets(_ messages: Int, within seconds: Int) async throws -> Int64 {
    try await wait(seconds, failing: "\(received) of \(messages * size) messages came within \(seconds) s") {
      received >= messages * size
    }
    return threads.map { $0.lastArrival.load(ordering: .acquiring) }.max() ?? 0
  }

  private var received: Int { threads.reduce(0) { $0 + $1.received.load(ordering: .acquiring) } }
  private var connected: Int { threads.reduce(0) { $0 + $1.connected.load(ordering: .acquiring) } }

  private func connects() async throws {
    try await wait(300, failing: "\(connected) of \(size) subscribers were connected") { connected == size }
    // nchan answers a handshake before the subscriber is known to the worker that owns the channel.
    try await Task.sleep(for: .seconds(1))
  }

  private func stop() {
    for thread in threads { thread.isStopped.store(true, ordering: .releasing) }
  }

  private func parts() async throws -> [Part] {
    stop()
    try await wait(60, failing: "the subscribers did not come to their end") { threads.allSatisfy { $0.part != nil } }
    return threads.compactMap(\.part)
  }

  private func wait(
    _ seconds: Int, failing complaint: @autoclosure () -> String, until isDone: () -> Bool
  ) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while !isDone() {
      for thread in threads { if let failure = thread.failure { throw failure } }
      guard .now < deadline else { throw BenchFailure(complaint()) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }
}

/// One thread with its part of the crowd.
private final class CrowdThread: Sendable {
  private struct State {
    var failure: (any Error)?
    var part: FeedCrowd.Part?
  }

  /// Connections that are looked at after one wait.
  private static let batch = 256

  let connected = Atomic<Int>(0)
  let received = Atomic<Int>(0)
  /// When the last counted message came; written before `received`.
  let lastArrival = Atomic<Int64>(0)
  /// Negative: nothing is recorded.
  let recordFrom = Atomic<Int>(-1)
  let isStopped = Atomic<Bool>(false)
  private let state = Mutex(State())
  private let numbers: Range<Int>
  private let server: FeedServer
  private let window: Int

  init(_ numbers: Range<Int>, of server: FeedServer, window: Int) {
    self.numbers = numbers
    self.server = server
    self.window = window
  }

  var failure: (any Error)? { state.withLock { $0.failure } }
  var part: FeedCrowd.Part? { state.withLock { $0.part } }

  func start() {
    let thread = Thread { [self] in
      do {
        let part = try follow()
        state.withLock { $0.part = part }
      } catch {
        state.withLock { $0.failure = error }
      }
    }
    thread.start()
  }

  private func follow() throws -> FeedCrowd.Part {
    let poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard poll >= 0 else { throw Self.failure("epoll_create1") }
    defer { close(poll) }
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: FeedSubscriber.bufferBytes, alignment: 64)
    defer { buffer.deallocate() }
    let carries = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, numbers.count * FeedSubscriber.carryBytes), alignment: 64)
    defer { carries.deallocate() }
    let ready = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.batch)
    defer { ready.deallocate() }
    var subscribers: [FeedSubscriber] = []
    defer { for subscriber in subscribers { subscriber.leave() } }

    subscribers.reserveCapacity(numbers.count)
    for number in numbers where !isStopped.load(ordering: .relaxed) {
      let index = subscribers.count
      let (subscriber, rest) = try FeedSubscriber.join(server, number: number)
      subscribers.append(subscriber)
      try subscribers[index].begin(with: rest, buffer, carry: carries + index * FeedSubscriber.carryBytes)
      var event = epoll_event()
      event.events = EPOLLIN.rawValue
      event.data.u64 = UInt64(index)
      guard epoll_ctl(poll, EPOLL_CTL_ADD, subscriber.descriptor, &event) == 0 else { throw Self.failure("epoll_ctl") }
      connected.store(subscribers.count, ordering: .releasing)
    }

    // What came together with the answers to the handshakes, to those who go on from a position.
    let early = subscribers.reduce(0) { $0 + $1.messages }
    if early > 0 {
      lastArrival.store(Monotonic.now, ordering: .relaxed)
      received.wrappingAdd(early, ordering: .releasing)
    }

    var arrivals = [Int64](repeating: 0, count: numbers.count * window)
    while !isStopped.load(ordering: .acquiring) {
      let count = epoll_wait(poll, ready, Int32(Self.batch), 50)
      guard count >= 0 || errno == EINTR else { throw Self.failure("epoll_wait") }
      let from = recordFrom.load(ordering: .acquiring)
      var (messages, now) = (0, Int64(0))
      for position in 0..<Int(max(0, count)) {
        let index = Int(ready[position].data.u64)
        let before = subscribers[index].messages
        try subscribers[index].receive(buffer, carry: carries + index * FeedSubscriber.carryBytes)
        let after = subscribers[index].messages
        guard after > before else { continue }
        messages += after - before
        now = Monotonic.now
        guard from >= 0 else { continue }
        for message in stride(from: max(before, from), to: min(after, from + window), by: 1) {
          arrivals[index * window + message - from] = now
        }
      }
      if messages > 0 {
        lastArrival.store(now, ordering: .relaxed)
        received.wrappingAdd(messages, ordering: .releasing)
      }
    }

    let counts = subscribers.map(\.messages)
    return FeedCrowd.Part(
      fewest: counts.min() ?? 0, most: counts.max() ?? 0, messages: counts.reduce(0, +),
      bytes: subscribers.reduce(0) { $0 + $1.bytes }, arrivals: arrivals)
  }

  private static func failure(_ call: String) -> BenchFailure {
    BenchFailure("\(call): \(String(cString: strerror(errno)))")
  }
}
