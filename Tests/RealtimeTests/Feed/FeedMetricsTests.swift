import Coordinator
import Domain
import NIOCore
import NIOEmbedded
import Testing

@testable import Realtime

/// What an operator is told of the feed.
@Suite struct FeedMetricsTests {
  private func ends(_ site: Site) -> [FeedEnd: Int] {
    Dictionary(uniqueKeysWithValues: site.hub.metrics.endCounts.map { ($0.reason, $0.count) }).filter { $0.value > 0 }
  }

  /// Who comes first would wait for it otherwise.
  @Test func theRingBeginsBeforeAnybodyFollows() async throws {
    let site = try await Site()
    try await site.append(3)
    let head = try await site.head()
    try await site.run {
      try await eventually { site.hub.ring.head == head }
      #expect(site.hub.ring.size.events == 3 && site.hub.metrics.openCount == 0)
    }
  }

  @Test func anEventIsEncodedOnceForAll() async throws {
    let site = try await Site()
    try await site.run {
      let readers = [try await Reader(site), try await Reader(site), try await Reader(site)]
      for reader in readers { _ = try await reader.kinds(1) }
      try await site.append(5)
      for reader in readers { _ = try await reader.kinds(5) }
      try await eventually { site.hub.metrics.deliveries.value == 15 }
      #expect(site.hub.metrics.encodes.value == 5)
      #expect(site.hub.metrics.deflates.value == 0)
      #expect(site.hub.metrics.replays.value == 0)
      #expect(site.hub.metrics.open.sockets == 3 && site.hub.metrics.open.streams == 0)
      let size = site.hub.ring.size
      #expect(size.events == 5 && size.bytes > 0 && size.since == site.clock.now)
    }
  }

  @Test func anItemIsEncodedAndCompressedOnce() {
    let metrics = FeedMetrics()
    let item = FeedItem(FeedRingTests.item(42).event, epoch: 7, isWanted: true, metrics: metrics)
    for _ in 0..<3 { #expect(item.frame.readableBytes > item.deflatedFrame.readableBytes) }
    #expect(metrics.encodes.value == 1 && metrics.deflates.value == 1)
  }

  @Test func saysHowManyAreBehindAndHowFar() async throws {
    let site = try await Site()
    try await site.run {
      let loop = NIOAsyncTestingEventLoop()
      let (slow, quick) = (try await Reader(site, on: loop), try await Reader(site, on: loop))
      for reader in [slow, quick] { _ = try await reader.kinds(1) }
      try await slow.set(writable: false)
      try await site.append(30)
      _ = try await quick.kinds(30)
      await loop.advanceTime(by: .seconds(5))
      #expect(site.hub.metrics.behind.subscribers == 1 && site.hub.metrics.behind.events == 30)
      try await slow.set(writable: true)
      _ = try await slow.kinds(30)
      await loop.advanceTime(by: .seconds(5))
      #expect(site.hub.metrics.behind == FeedMetrics.Behind())
    }
  }

  @Test func placesAreSummed() {
    let metrics = FeedMetrics()
    let (here, there) = (FeedRing(), FeedRing())
    var behind = FeedMetrics.Behind()
    for distance in [Int64(0), 3, 9] { behind.add(distance) }
    metrics.note(behind, in: ObjectIdentifier(here))
    metrics.note(behind, in: ObjectIdentifier(there))
    #expect(metrics.behind.subscribers == 4 && metrics.behind.events == 9)
    metrics.note(FeedMetrics.Behind(), in: ObjectIdentifier(here))
    #expect(metrics.behind == behind)
  }

  // MARK: Ends

  @Test func endsAreCountedByReason() async throws {
    let site = try await Site()
    let caller = try await site.caller("leaver")
    try await site.run {
      let slow = try await Reader(site)
      _ = try await slow.kinds(1)
      try await slow.set(writable: false)
      for _ in 0..<14 { await slow.loop.advanceTime(by: .seconds(5)) }
      let leaver = try await Reader(site, as: caller)
      _ = try await leaver.kinds(1)
      site.hub.sessionEnded(caller.sessionId)
      #expect(try await leaver.next(pings: false) == .close(.signInEnded, reason: "signed out"))
      let stopped = try await Reader(site)
      _ = try await stopped.kinds(1)
      try await stopped.fire(ChannelShouldQuiesceEvent())
      for reader in [slow, leaver, stopped] { await reader.loop.run() }
      try await eventually { site.hub.metrics.openCount == 0 }
      #expect(ends(site) == [.tooSlow: 1, .signedOut: 1, .goingAway: 1])
    }
  }

  @Test func refusalsAreCounted() async throws {
    let site = try await Site()
    try await site.append(1)
    var cursor = try await site.head()
    cursor.epoch ^= 1
    let reader = try await Reader(site, after: cursor.text)
    _ = try await reader.next()
    #expect(try await reader.next() == .close(.gap, reason: CursorGap.epochChanged.rawValue))
    #expect(ends(site) == [.gap: 1])
    #expect(site.hub.metrics.openCount == 0)
  }

  @Test(arguments: [
    (SocketClosure(origin: .peer, code: .goingAway, reason: ""), FeedEnd.left),
    (SocketClosure(origin: .network, code: .abnormal, reason: ""), .lost),
    (SocketClosure(origin: .server, code: .goingAway, reason: ""), .goingAway),
    (SocketClosure(origin: .server, code: .tooMany, reason: ""), .tooMany),
    (SocketClosure(origin: .server, code: .notAllowed, reason: ""), .notAllowed),
    (SocketClosure(origin: .server, code: .internalError, reason: ""), .failed),
    (SocketClosure(origin: .server, code: .invalidPayload, reason: ""), .badProtocol),
  ])
  func aClosureHasAReason(closure: SocketClosure, reason: FeedEnd) {
    #expect(FeedEnd(closure) == reason)
  }

  // MARK: The administrator's numbers

  @Test func theStatusSaysAll() async throws {
    let site = try await Site(memory: FeedMemory(ring: 1024 * 1024, backlog: 2048))
    func status() throws -> JSON { try JSON(parsing: site.hub.status().body ?? []) }
    let before = try status()
    #expect(before["lagMilliseconds"] == nil && before["ring"]?["since"] == nil)
    #expect(before["startedAt"]?.string == site.clock.now.text)
    try await site.run {
      let reader = try await Reader(site)
      _ = try await reader.kinds(1)
      try await site.append(3)
      _ = try await reader.kinds(3)
      try await eventually { site.hub.metrics.deliveries.value == 3 }
      let now = try JSON(parsing: site.hub.status().body ?? [])
      #expect(now["subscribers"] == ["sockets": 1, "streams": 0, "waiting": 0])
      #expect(now["ring"]?["events"] == 3 && now["ring"]?["maxBytes"] == 1_048_576)
      #expect(now["backlog"]?["bytes"] == 0 && now["backlog"]?["maxBytes"] == 2048)
      #expect(now["lagMilliseconds"] == 0 && now["deliveries"] == 3 && now["encodes"] == 3)
      for reason in FeedEnd.allCases { #expect(now["ends"]?[reason.rawValue] == 0) }
    }
  }
}
