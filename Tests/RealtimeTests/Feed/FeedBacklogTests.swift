import Domain
import NIOCore
import Testing

@testable import Realtime

/// What may wait for those who do not read, over real sockets: their buffers are what it is about.
@Suite struct FeedBacklogTests {
  /// More events than the buffers of both ends take, of which the client's is small.
  private static let count = 20_000
  private static let window = 4_096

  private static func full(_ memory: FeedMemory) async throws -> Site {
    var timing = FeedTiming()
    timing.safetyPass = .milliseconds(50)
    timing.tick = .milliseconds(50)
    // Nobody goes for having taken nothing, unless there is no room.
    timing.patience = .hours(1)
    let site = try await Site(timing: timing, memory: memory)
    for _ in 0..<(count / 500) { try await site.append(500) }
    return site
  }

  private static func slow(_ site: Site) -> Int {
    site.hub.metrics.endCounts.first { $0.reason == .tooSlow }?.count ?? 0
  }

  /// A client that asks for all there is and reads none of it.
  private static func stall(
    _ server: SiteServer, _ request: String, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await RawClient.connect(to: server.port, window: window) { client in
      try await client.send(request)
      #expect([101, 200].contains(try await client.response().status))
      try await body()
    }
  }

  @Test(arguments: [
    SharedPortTests.upgrade("/feed?after=oldest"),
    SharedPortTests.get("/stream?after=oldest", "Accept: text/event-stream\r\n"),
  ])
  func whoReadsNothingGoesWhenThereIsNoRoom(request: String) async throws {
    // One or two fit, four do not.
    let site = try await Self.full(FeedMemory(backlog: 150_000))
    try await SiteServer.run(site) { server in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            try await Self.stall(server, request) {
              try await within {
                while Self.slow(site) == 0 || site.hub.backlog.isOver { try await Task.sleep(for: .milliseconds(5)) }
              }
            }
          }
        }
        try await group.waitForAll()
      }
      // Who reads is none of them.
      let client = try await server.socket("/feed?after=oldest")
      _ = try await client.json()
      for _ in 0..<Self.count { #expect(try await client.json()["kind"]?.string == "event") }
    }
    #expect(site.hub.backlog.bytes == 0)
  }

  @Test func whoIsWaitedForIsCountedUntilTheyRead() async throws {
    let site = try await Self.full(FeedMemory())
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port, window: Self.window) { client in
        try await client.send(SharedPortTests.upgrade("/feed?after=oldest"))
        #expect(try await client.response().status == 101)
        try await within {
          while site.hub.backlog.bytes == 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        // What the kernel did not take waited in the channel: it comes behind what was sent past it, whole.
        _ = try await client.frame()
        var position: Int64 = 0
        while position < Self.count {
          guard case .message(.text(let bytes)) = try await client.frame() else { continue }
          let cursor = bytes.getString(at: bytes.readerIndex + 26, length: 32).flatMap(Cursor.init)
          #expect(cursor?.seq == position + 1)
          position += 1
        }
        try await within {
          while site.hub.backlog.bytes != 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(Self.slow(site) == 0)
      }
    }
  }
}
