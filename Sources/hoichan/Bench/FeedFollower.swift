import Foundation
import Synchronization

/// Somebody who follows the feed (Server-Sent Events) on a thread of its own.
final class FeedFollower: Sendable {
  private struct State {
    var count = 0
    var failure: (any Error)?
    var isStopped = false
  }

  private let descriptor: Int32
  private let state = Mutex(State())

  /// - Parameter onEvent: told of each event's data line, at the moment at which it was read.
  init(
    port: Int, token: String, onEvent: (@Sendable (Substring, ContinuousClock.Instant) -> Void)? = nil
  ) throws {
    descriptor = try Loopback.connection(port: port, patience: 60)
    let request =
      "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nAuthorization: Bearer \(token)\r\n\r\n"
    try Loopback.send(Array(request.utf8), on: descriptor)
    // The stream has begun once its head is there: what is written from now on will come.
    let head = String(decoding: try Loopback.receive(on: descriptor), as: UTF8.self)
    guard head.contains(" 200 ") else { throw BenchFailure("the feed answered \(head.prefix(200))") }
    let thread = Thread { [self] in
      do { try follow(onEvent) } catch { state.withLock { $0.failure = $0.isStopped ? nil : error } }
    }
    thread.start()
  }

  private func follow(_ onEvent: (@Sendable (Substring, ContinuousClock.Instant) -> Void)?) throws {
    guard let onEvent else { return try countEvents() }
    var rest: [UInt8] = []
    while true {
      let chunk = try Loopback.receive(on: descriptor)
      if chunk.isEmpty { throw BenchFailure("the feed ended") }
      let now = ContinuousClock.now
      rest += chunk
      guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { continue }
      let lines = String(decoding: rest[..<end], as: UTF8.self)
      rest.removeFirst(end + 1)
      var count = 0
      for line in lines.split(separator: "\n") where line.hasPrefix("data:") && line.contains("\"specversion\"") {
        count += 1
        onEvent(line, now)
      }
      state.withLock { $0.count += count }
    }
  }

  /// How the line with an event begins, behind the one with its cursor.
  private static let marker = Array("\ndata: {".utf8)

  /// Only counts, in one buffer: the load must not take what it measures.
  private func countEvents() throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 1)
    defer { buffer.deallocate() }
    // What may be the beginning of a marker.
    var kept = 0
    while let base = buffer.baseAddress {
      let received = recv(descriptor, base + kept, buffer.count - kept, 0)
      guard received > 0 else { throw BenchFailure("the feed ended: \(String(cString: strerror(errno)))") }
      let end = base + kept + received
      var (found, place) = (0, base)
      // Up to a line's end behind which there is not yet enough to say what begins there.
      while let line = memchr(place, 10, end - place), end - line >= Self.marker.count {
        if memcmp(line, Self.marker, Self.marker.count) == 0 { found += 1 }
        place = line + 1
      }
      if let line = memchr(place, 10, end - place) { place = line } else { place = end }
      kept = end - place
      memmove(base, place, kept)
      state.withLock { $0.count += found }
    }
  }

  var count: Int { state.withLock { $0.count } }

  /// Comes back when so many events were read.
  func reaches(_ count: Int) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while self.count < count {
      if let failure = state.withLock({ $0.failure }) { throw failure }
      guard .now < deadline else { throw BenchFailure("a reader got \(self.count) of \(count) events") }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    shutdown(descriptor, Int32(SHUT_RDWR))
  }
}
