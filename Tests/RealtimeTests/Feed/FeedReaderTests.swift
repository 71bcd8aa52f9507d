import Coordinator
import Domain
import StorageSQLite
import NIOCore
import NIOEmbedded
import Testing

@testable import Realtime

/// Readers on a channel whose time and whose readiness the test holds, beside a real log.
@Suite struct FeedReaderTests {
  @Test func isReadyThenLive() async throws {
    let site = try await Site()
    try await site.run {
      let start = try await site.head()
      let reader = try await Reader(site)
      #expect(try await reader.kinds(1) == ["ready \(start.seq)"])
      try await site.append(3)
      #expect(try await reader.kinds(3) == (Int64(1)...3).map { "event \(start.seq + $0)" })
    }
  }

  @Test func replaysThenJoins() async throws {
    let site = try await Site(ringEvents: 16)
    try await site.append(300)
    try await site.run {
      let reader = try await Reader(site, after: "oldest")
      #expect(try await reader.kinds(301) == ["ready 0"] + (1...300).map { "event \($0)" })
      try await site.append(40)
      #expect(try await reader.kinds(40) == (301...340).map { "event \($0)" })
      let third = try await Reader(site, after: reader.cursors[10].text)
      #expect(try await third.kinds(330).last == "event 340")
    }
  }

  /// After a restart all come back at once. The hub does not run here, so that nobody would read the log for them: what
  /// they missed is in the ring.
  @Test func whoComesBackAfterARestartReadsNoLog() async throws {
    let site = try await Site(ringEvents: 64)
    try await site.append(100)
    let epoch = try await site.head().epoch
    let missed = try await site.coordinator.events(after: 35, limit: 65)
    let loop = NIOAsyncTestingEventLoop()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for event in missed {
        group.addTask {
          let cursor = Cursor(epoch: epoch, seq: event.seq, chain: event.chain)
          let reader = try await Reader(site, after: cursor.text, on: loop)
          let seen = try await reader.kinds(Int(101 - event.seq))
          #expect(seen == ["ready \(event.seq)"] + ((event.seq + 1)..<101).map { "event \($0)" })
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func filtersAndPermissionsHoldOnReplayAndLive() async throws {
    let site = try await Site()
    try await site.append(2)
    try await site.append(2, at: Site.other)
    try await site.append(1, type: .consultCancelled)
    try await site.run {
      let station = try await site.caller("station", .station, at: Site.station)
      let reader = try await Reader(site, as: station, after: "oldest")
      #expect(try await reader.kinds(4) == ["ready 0", "event 1", "event 2", "event 5"])
      let filtered = try await Reader(
        site, as: station, after: "oldest", EventFilter(types: ["consult.cancel*"]))
      #expect(try await filtered.kinds(2) == ["ready 0", "event 5"])
      try await site.append(1, at: Site.other)
      try await site.append(1)
      try await site.append(1, type: .consultCancelled)
      #expect(try await reader.kinds(2) == ["event 7", "event 8"])
      #expect(try await filtered.kinds(1) == ["event 8"])
    }
  }

  @Test(arguments: [CursorGap.epochChanged, .tooOld, .ahead]) func aGapIsTold(gap: CursorGap) async throws {
    let site = try await Site()
    try await site.append(3)
    var cursor = try await site.head()
    switch gap {
    case .epochChanged: cursor.chain ^= 1
    case .ahead: cursor.seq += 1
    case .tooOld:
      cursor = try await site.coordinator.logBounds().oldest
      _ = try await site.store.write { try $0.archiveEvents(through: 2) }
    }
    let subscription = try await site.subscribe(site.caller("monitor"), after: cursor.text)
    let reader = try await Reader(subscription)
    let told = try await reader.next()
    let bounds = try await site.coordinator.logBounds()
    #expect(
      told
        == .message(
          .text(
            ByteBuffer(
              string: "{\"kind\":\"gap\",\"reason\":\"\(gap.rawValue)\",\"oldest\":\"\(bounds.oldest.text)\","
                + "\"head\":\"\(bounds.head.text)\"}"))))
    #expect(try await reader.next() == .close(.gap, reason: gap.rawValue))
  }

  @Test func whatIsNoCursorIsRefused() async throws {
    let site = try await Site()
    let monitor = try await site.caller("monitor")
    await #expect(throws: Rejection.self) { try await site.subscribe(monitor, after: "x") }
    var nobody = monitor
    nobody.scopes = [:]
    await #expect(throws: Rejection.forbidden) { try await site.subscribe(nobody) }
  }

  /// What it stands behind is not of the log that there is now, and it was not there to be told.
  @Test func whoCameWhileTheLogWasRewoundComesAgain() async throws {
    let site = try await Site()
    try await site.append(3)
    let subscription = try await site.subscribe(site.caller("monitor"))
    site.hub.ring.restart(at: Cursor(epoch: 1, seq: 2, chain: UInt64(7)))
    let reader = try await Reader(subscription)
    #expect(try await reader.kinds(1) == ["ready 3"])
    #expect(try await reader.next() == .close(.goingAway, reason: "the log was rewound"))
  }

  @Test func aPeerThatIsGoneAtTheFirstWriteLeavesNothingBehind() async throws {
    let site = try await Site()
    let subscription = try await site.subscribe(site.caller("monitor"))
    let loop = NIOAsyncTestingEventLoop()
    let channel = NIOAsyncTestingChannel(loop: loop)
    try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
    let left = try await loop.executeInContext {
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(ClosingAtTheFirstWrite())
      try pipeline.addHandler(
        WebSocketHandler(
          PendingSocket(limits: FeedHub.socketLimits, makeDelegate: subscription.delegate),
          wheel: TimerWheel(loop), now: loop.now))
      return Array(site.hub.loop(on: loop).readers).count
    }
    #expect(left == 0 && site.hub.metrics.openCount == 0)
  }

  // MARK: Bookmarks

  @Test func bookmarksStandBehindWhatWasFilteredOut() async throws {
    let site = try await Site()
    try await site.run {
      let start = try await site.head()
      let reader = try await Reader(site, EventFilter(types: ["trip.*"]))
      #expect(try await reader.kinds(1) == ["ready \(start.seq)"])
      // On the same loop, which brings both to the log's head at once.
      let witness = try await Reader(site, on: reader.loop)
      try await site.append(5)
      _ = try await witness.kinds(6)
      try await reader.settle()
      await reader.loop.advanceTime(by: .seconds(30))
      #expect(try await reader.kinds(1) == ["bookmark \(start.seq + 5)"])
      await reader.loop.advanceTime(by: .seconds(30))
      #expect(try await reader.kinds(1) == ["bookmark \(start.seq + 5)"])
    }
  }

  @Test func whoHearsEventsNeedsNoBookmarks() async throws {
    let site = try await Site()
    try await site.run {
      let reader = try await Reader(site)
      _ = try await reader.kinds(1)
      for _ in 0..<5 {
        await reader.loop.advanceTime(by: .seconds(10))
        try await site.append(1)
        #expect(try await reader.kinds(1)[0].hasPrefix("event"))
      }
    }
  }

  @Test func aBookmarkBeforeGoingAway() async throws {
    let site = try await Site()
    try await site.run {
      let reader = try await Reader(site)
      try await site.append(2)
      _ = try await reader.kinds(3)
      let head = try await site.head()
      try await reader.fire(ChannelShouldQuiesceEvent())
      #expect(try await reader.kinds(1) == ["bookmark \(head.seq)"])
      #expect(try await reader.next() == .close(.goingAway, reason: "server is stopping"))
    }
  }

  // MARK: Slow readers

  /// Two readers of one loop, both live; nothing can be written to the first one any more.
  private func stalledAndQuick(_ site: Site) async throws -> (Reader, Reader) {
    let loop = NIOAsyncTestingEventLoop()
    let (slow, quick) = (try await Reader(site, on: loop), try await Reader(site, on: loop))
    _ = try await slow.kinds(1)
    _ = try await quick.kinds(1)
    try await slow.set(writable: false)
    return (slow, quick)
  }

  @Test func aStalledReaderHoldsUpNobodyAndMissesNothing() async throws {
    let site = try await Site(ringEvents: 32)
    try await site.run {
      let start = try await site.head().seq
      let (slow, quick) = try await stalledAndQuick(site)
      for _ in 0..<10 {
        try await site.append(20)
        #expect(try await quick.kinds(20).count == 20)
      }
      #expect(try await slow.isQuiet())
      // It is far behind the ring now: the log has what it missed.
      try await slow.set(writable: true)
      #expect(try await slow.kinds(200) == (Int64(1)...200).map { "event \(start + $0)" })
      try await site.append(1)
      #expect(try await slow.kinds(1) == ["event \(start + 201)"])
    }
  }

  /// Not by their number: by what they take.
  @Test func whoIsLappedByBytesPagesTheLogAndComesBack() async throws {
    let memory = 24 * FeedItem.leastMemory
    let site = try await Site(memory: FeedMemory(ring: memory))
    try await site.run {
      let start = try await site.head().seq
      let (slow, quick) = try await stalledAndQuick(site)
      // More than fits comes at once, too: then the quick one finds it in the log.
      for _ in 0..<8 {
        try await site.append(40)
        #expect(try await quick.kinds(40).count == 40)
        #expect(site.hub.ring.size.bytes <= memory)
      }
      #expect((1..<40).contains(site.hub.ring.size.events))
      #expect(try await slow.isQuiet())
      let pages = site.hub.metrics.replays.value
      try await slow.set(writable: true)
      #expect(try await slow.kinds(320) == (Int64(1)...320).map { "event \(start + $0)" })
      #expect(site.hub.metrics.replays.value > pages)
      try await site.append(1)
      #expect(try await slow.kinds(1) == ["event \(start + 321)"])
      #expect(try await quick.kinds(1) == ["event \(start + 321)"])
    }
  }

  /// What it had not got yet has gone to the archive: it is told so, and nothing is passed over.
  @Test func aStalledReaderIsToldWhatTheLogDoesNotOfferAnyMore() async throws {
    let site = try await Site(ringEvents: 32)
    try await site.run {
      let start = try await site.head().seq
      let (slow, quick) = try await stalledAndQuick(site)
      for _ in 0..<5 {
        try await site.append(20)
        #expect(try await quick.kinds(20).count == 20)
      }
      #expect(try await slow.isQuiet())
      _ = try await site.store.write { try $0.archiveEvents(through: start + 50) }
      try await slow.set(writable: true)
      let bounds = try await site.coordinator.logBounds()
      #expect(bounds.oldest.seq == start + 50)
      let frame =
        "{\"kind\":\"gap\",\"reason\":\"too-old\",\"oldest\":\"\(bounds.oldest.text)\","
        + "\"head\":\"\(bounds.head.text)\"}"
      #expect(try await slow.next(pings: false) == .message(.text(ByteBuffer(string: frame))))
      #expect(try await slow.next(pings: false) == .close(.gap, reason: "too-old"))
      // The other one stood where the log still is.
      try await site.append(1)
      #expect(try await quick.kinds(1) == ["event \(start + 101)"])
    }
  }

  /// Also when the last it was told came with an event for all: a bookmark counts as much as that.
  @Test func aQuietReaderIsToldItsPositionNoMoreOftenThanNeeded() async throws {
    let site = try await Site()
    try await site.run {
      let reader = try await Reader(site)
      _ = try await reader.kinds(1)
      await reader.loop.advanceTime(by: .seconds(1))
      try await site.append(1)
      _ = try await reader.kinds(1)
      for _ in 0..<11 { await reader.loop.advanceTime(by: .seconds(5)) }
      // After 25 and 50 seconds: 22, rounded up to the tick.
      #expect(try await reader.kinds(2).count == 2)
      #expect(try await reader.isQuiet())
    }
  }

  @Test func whoTakesNothingForAMinuteIsClosedWithItsCursor() async throws {
    let site = try await Site()
    try await site.run {
      let reader = try await Reader(site)
      try await site.append(2)
      _ = try await reader.kinds(3)
      let last = try await site.head()
      try await reader.set(writable: false)
      try await site.append(2)
      await reader.loop.advanceTime(by: .seconds(55))
      #expect(try await reader.isQuiet())
      await reader.loop.advanceTime(by: .seconds(10))
      #expect(try await reader.next(pings: false) == .close(.tooSlow, reason: last.text))
    }
  }

  // MARK: Positions and presence

  @Test func volatileEventsComeWithoutACursor() async throws {
    let site = try await Site()
    try await site.run {
      let seesIt = try await Reader(site)
      let station = try await Reader(site, as: site.caller("other", .station, at: Site.other))
      let filtered = try await Reader(site, EventFilter(types: ["consult.*"]))
      for reader in [seesIt, station, filtered] { _ = try await reader.kinds(1) }
      site.hub.publish(site.position("1", subject: "trips/a"))
      #expect(try await seesIt.kinds(1) == ["volatile trips/a 1"])
      #expect(try await station.isQuiet())
      #expect(try await filtered.isQuiet())
    }
  }

  @Test func aSlowReaderGetsTheLatestOfEachSubject() async throws {
    let site = try await Site()
    try await site.run {
      let reader = try await Reader(site)
      _ = try await reader.kinds(1)
      try await reader.set(writable: false)
      for number in 1...50 { site.hub.publish(site.position("a\(number)", subject: "trips/a")) }
      site.hub.publish(site.position("b1", subject: "trips/b"))
      try await reader.settle()
      try await reader.set(writable: true)
      #expect(try await reader.kinds(2) == ["volatile trips/a a50", "volatile trips/b b1"])
      #expect(try await reader.isQuiet())
    }
  }

  /// Also when there are more subjects than are kept for a loop that is held up.
  @Test func theNewestPositionIsNotTheOneThatIsLeftOut() async throws {
    let site = try await Site()
    try await site.run {
      let reader = try await Reader(site)
      _ = try await reader.kinds(1)
      // The loop's one turn comes behind all of this.
      try await reader.loop.executeInContext {
        for number in 0..<Limits.volatileSubjects {
          site.hub.publish(site.position("old", subject: "trips/\(number)"))
        }
        for number in 0..<10 { site.hub.publish(site.position("new\(number)", subject: "trips/7")) }
        site.hub.publish(site.position("more", subject: "trips/more"))
      }
      let shown = try await reader.kinds(Limits.volatileSubjects)
      #expect(shown[6] == "volatile trips/6 old" && shown[7] == "volatile trips/7 new9")
      #expect(try await reader.isQuiet())
    }
  }

  // MARK: The client's words

  @Test func messagesAreIgnoredUpToALimit() async throws {
    let site = try await Site()
    let reader = try await Reader(site)
    _ = try await reader.kinds(1)
    for _ in 0..<Limits.feedMessages { try await reader.send("{\"op\":\"ping\"}") }
    await reader.loop.advanceTime(by: .seconds(61))
    for _ in 0..<Limits.feedMessages { try await reader.send("hello") }
    // The two bookmarks of that minute.
    _ = try await reader.kinds(2)
    #expect(try await reader.isQuiet())
    try await reader.send("once more")
    #expect(try await reader.next(pings: false) == .close(.tooMany, reason: "the feed takes no messages"))
  }
}

/// The peer has reset the connection by the time that something is written.
private final class ClosingAtTheFirstWrite: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    promise?.fail(ChannelError.ioOnClosedChannel)
    // In the middle of the write, as NIO does it.
    context.fireChannelInactive()
  }
}

/// The far end of a feed's socket.
final class Reader: Sendable {
  let loop: NIOAsyncTestingEventLoop
  private let channel: NIOAsyncTestingChannel
  private let state = LockedBox((FrameDecoder(role: .client), ByteBuffer(), [Cursor]()))

  var cursors: [Cursor] { state.withLock { $0.2 } }

  convenience init(
    _ site: Site, as caller: Caller? = nil, after: String? = nil, _ filter: EventFilter = EventFilter(),
    on loop: NIOAsyncTestingEventLoop = NIOAsyncTestingEventLoop()
  ) async throws {
    let caller = if let caller { caller } else { try await site.caller("monitor") }
    try await self.init(site.subscribe(caller, after: after, filter), on: loop)
  }

  init(_ subscription: FeedSubscription, on loop: NIOAsyncTestingEventLoop = NIOAsyncTestingEventLoop()) async throws {
    self.loop = loop
    channel = NIOAsyncTestingChannel(loop: loop)
    try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
    try await loop.executeInContext { [channel] in
      let handler = WebSocketHandler(
        PendingSocket(limits: FeedHub.socketLimits, makeDelegate: subscription.delegate),
        wheel: TimerWheel(loop), now: loop.now)
      try channel.pipeline.syncOperations.addHandler(handler)
    }
  }

  /// The next frame of the server.
  func next(pings: Bool = true) async throws -> FrameEvent {
    while true {
      let known = try state.withLock { state in try state.0.next(&state.1) }
      switch known {
      case nil:
        var bytes = try await within { [channel] in
          try await withTaskCancellationHandler {
            try await channel.waitForOutboundWrite(as: ByteBuffer.self)
          } onCancel: {
            channel.close(promise: nil)
          }
        }
        state.withLock { _ = $0.1.writeBuffer(&bytes) }
      case .ping where !pings: continue
      case .some(let event): return event
      }
    }
  }

  /// The next frames in short: the kind, and the number or subject.
  func kinds(_ count: Int) async throws -> [String] {
    var kinds: [String] = []
    while kinds.count < count {
      guard case .message(.text(let bytes)) = try await next(pings: false) else {
        Issue.record("no text")
        return kinds
      }
      let json = try JSON(parsing: bytes.readableBytesView)
      let kind = try #require(json["kind"]?.string)
      if kind == "volatile" {
        let event = try #require(json["event"])
        kinds.append("volatile \(event["subject"]?.string ?? "") \(event["id"]?.string ?? "")")
      } else {
        let cursor = try #require(json["cursor"]?.string.flatMap(Cursor.init))
        if kind == "event" {
          state.withLock { $0.2.append(cursor) }
          #expect(json["event"]?["sequence"]?.string.flatMap { Int64($0) } == cursor.seq)
        }
        kinds.append("\(kind) \(cursor.seq)")
      }
    }
    return kinds
  }

  /// Whatever was handed to the loop so far has been done.
  func settle() async throws { try await loop.executeInContext {} }

  /// Whether nothing but pings came.
  func isQuiet() async throws -> Bool {
    try await settle()
    while var bytes = try await channel.readOutbound(as: ByteBuffer.self) {
      state.withLock { _ = $0.1.writeBuffer(&bytes) }
    }
    return try state.withLock { state in
      while state.1.readableBytes > 0 {
        let before = (state.0, state.1)
        guard case .ping? = try state.0.next(&state.1) else {
          (state.0, state.1) = before
          return false
        }
      }
      return true
    }
  }

  func set(writable: Bool) async throws {
    channel.isWritable = writable
    try await loop.executeInContext { [channel] in channel.pipeline.fireChannelWritabilityChanged() }
    await loop.run()
  }

  func fire(_ event: any Sendable) async throws {
    try await loop.executeInContext { [channel] in channel.pipeline.fireUserInboundEventTriggered(event) }
  }

  func send(_ text: String) async throws {
    _ = try await channel.writeInbound(ByteBuffer(bytes: frame(.text, text)))
  }
}
