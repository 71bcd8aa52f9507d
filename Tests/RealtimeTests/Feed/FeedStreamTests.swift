import Coordinator
import Domain
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOEmbedded
import Testing

@testable import Realtime

/// Server-Sent Events over real connections.
@Suite struct FeedStreamTests {
  @Test func resumesFromTheLastId() async throws {
    let site = try await Site(ringEvents: 16)
    try await site.append(100)
    try await SiteServer.run(site) { server in
      try await Stream.open(server, "/stream?after=oldest") { stream in
        let bounds = try await site.coordinator.logBounds()
        #expect(try await stream.block() == [": ", "id: \(bounds.oldest.text)"])
        for event in try await site.coordinator.events(after: 0, limit: 100) {
          let cursor = Cursor(epoch: bounds.epoch, seq: event.seq, chain: event.chain)
          #expect(try await stream.block() == ["id: \(cursor.text)", "data: \(event.cloudEvent)"])
        }
        try await site.append(1)
        #expect(try await stream.block()[1].contains("\"sequence\":\"000000000101\""))
      }
      // Last-Event-ID outranks the parameter: that is the route's choice, and a browser's way to come back.
      let event = try await site.coordinator.events(after: 49, limit: 1)[0]
      let cursor = Cursor(epoch: try await site.head().epoch, seq: 50, chain: event.chain)
      try await Stream.open(server, "/stream?after=oldest", "Last-Event-ID: \(cursor.text)\r\n") { stream in
        _ = try await stream.block()
        #expect(try await stream.block()[1].contains("\"sequence\":\"000000000051\""))
      }
    }
  }

  @Test func aGapIsAnEventWithoutId() async throws {
    let site = try await Site()
    try await site.append(1)
    try await SiteServer.run(site) { server in
      var cursor = try await site.head()
      cursor.epoch ^= 1
      let bounds = try await site.coordinator.logBounds()
      try await Stream.open(server, "/stream?after=\(cursor.text)") { stream in
        let (oldest, head) = (bounds.oldest.text, bounds.head.text)
        let block = try await stream.block()
        #expect(
          block == [
            "event: gap", "retry: 60000",
            "data: {\"reason\":\"epoch-changed\",\"oldest\":\"\(oldest)\",\"head\":\"\(head)\"}",
          ])
        #expect(try await stream.ends())
      }
    }
  }

  @Test func silenceIsBrokenByACommentAndThePosition() async throws {
    var timing = FeedTiming()
    timing.keepAlive = .milliseconds(50)
    timing.safetyPass = .milliseconds(20)
    let site = try await Site(timing: timing)
    try await SiteServer.run(site) { server in
      try await Stream.open(server, "/stream?types=trip.*") { stream in
        let start = try await site.head()
        #expect(try await stream.block() == [": ", "id: \(start.text)"])
        try await site.append(3)
        let moved = try await site.head()
        while try await stream.block() != [": ", "id: \(moved.text)"] {}
      }
    }
  }

  /// Whoever looks for little in a long log is not silent until its end is reached.
  @Test func alsoASearchIsToldItsPosition() async throws {
    var timing = FeedTiming()
    timing.keepAlive = .zero
    let site = try await Site(timing: timing, ringEvents: 16)
    let count = Limits.replayPage * 2
    try await site.append(count)
    let events = try await site.coordinator.events(after: 0, limit: count)
    let epoch = try await site.head().epoch
    try await SiteServer.run(site) { server in
      try await Stream.open(server, "/stream?types=trip.*&after=oldest") { stream in
        _ = try await stream.block()
        for place in [Limits.feedPage, 2 * Limits.feedPage, 3 * Limits.feedPage, Limits.replayPage] {
          let event = events[place - 1]
          let cursor = Cursor(epoch: epoch, seq: event.seq, chain: event.chain)
          #expect(try await stream.block() == [": ", "id: \(cursor.text)"])
        }
      }
    }
  }

  @Test func endsWithItsClient() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      try await Stream.open(server, "/stream") { stream in
        _ = try await stream.block()
        #expect(site.hub.metrics.openCount == 1)
      }
      // Nothing is logged that would have to be written to it.
      try await eventually { site.hub.metrics.openCount == 0 }
    }
  }

  @Test func whoCameWhileTheLogWasRewoundComesAgain() async throws {
    let site = try await Site()
    try await site.append(3)
    let subscription = try await site.subscribe(site.caller("monitor"))
    site.hub.ring.restart(at: Cursor(epoch: 1, seq: 2, chain: UInt64(7)))
    let channel = NIOAsyncTestingChannel()
    try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
    let written = LockedBox("")
    try await within { try await FeedStream(subscription, channel: channel).body.write(Page(written)) }
    #expect(written.withLock { $0 } == ": \nid: \(subscription.start.text)\n\n")
  }

  /// Returns when an event has reached the client and its write has ended: what ends in the middle of a write is cut.
  private static func isWrittenTo(_ stream: Stream, _ site: Site) async throws {
    _ = try await stream.block()
    try await site.append(1)
    _ = try await stream.block()
    try await eventually { site.hub.backlog.bytes == 0 }
  }

  @Test func endsWithItsSignIn() async throws {
    let site = try await Site()
    let caller = try await site.caller("leaver")
    try await SiteServer.run(site) { server in
      try await Stream.open(server, "/stream?as=leaver") { stream in
        try await Self.isWrittenTo(stream, site)
        site.hub.sessionEnded(caller.sessionId)
        #expect(try await stream.ends())
      }
    }
  }

  @Test func endsWithTheServer() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      try await Stream.open(server, "/stream") { stream in
        try await Self.isWrittenTo(stream, site)
        await server.stop()
        #expect(try await stream.ends())
      }
    }
  }

  /// A client that reads nothing is cut off after its patience, and holds no stopping server up.
  @Test func whoDoesNotReadIsCutOff() async throws {
    var timing = FeedTiming()
    timing.patience = .milliseconds(300)
    timing.safetyPass = .milliseconds(50)
    let site = try await Site(timing: timing)
    try await SiteServer.run(site) { server in
      try await Stream.open(server, "/stream?after=oldest") { stream in
        _ = try await stream.block()
        // Until the buffers of both ends are full, which take megabytes.
        while site.hub.metrics.openCount > 0 { try await site.append(500) }
      }
    }
  }
}

/// Keeps what is written.
private struct Page: ResponseBodyWriter {
  private let text: LockedBox<String>

  init(_ text: LockedBox<String>) { self.text = text }

  mutating func write(_ buffer: ByteBuffer) async throws { text.withLock { $0 += String(buffer: buffer) } }

  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// A stream's client: blocks of lines, out of chunks.
private final class Stream {
  private let client: RawClient
  private var buffer = ""

  private init(_ client: RawClient) {
    self.client = client
  }

  static func open(
    _ server: SiteServer, _ path: String, _ headers: String = "",
    _ body: @escaping @Sendable (Stream) async throws -> Void
  ) async throws {
    try await RawClient.connect(to: server.port) { client in
      try await client.send(SharedPortTests.get(path, headers + "Accept: text/event-stream\r\n"))
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.headers["content-type"] == "text/event-stream")
      #expect(response.headers["cache-control"] == "no-store, no-transform")
      try await body(Stream(client))
    }
  }

  /// The lines of the next block.
  func block() async throws -> [String] {
    while true {
      if let end = buffer.firstRange(of: "\n\n") {
        defer { buffer = String(buffer[end.upperBound...]) }
        return buffer[..<end.lowerBound].split(separator: "\n").map(String.init)
      }
      guard let chunk = try await client.chunk() else { throw RawClient.Ended() }
      buffer += chunk
    }
  }

  /// Whether the stream ended as a whole response does, with nothing more in it.
  func ends() async throws -> Bool { try await client.chunk() == nil && buffer.isEmpty }
}

extension RawClient {
  /// The next chunk of a response; nil behind the last.
  fileprivate func chunk() async throws -> String? {
    let length = try #require(Int(try await line(), radix: 16))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(length)
    for _ in 0..<length { bytes.append(try await byte()) }
    _ = try await line()
    return length == 0 ? nil : String(decoding: bytes, as: UTF8.self)
  }
}
