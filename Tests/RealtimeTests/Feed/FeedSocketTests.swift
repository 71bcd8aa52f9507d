import Coordinator
import Domain
import NIOCore
import Storage
import StorageSQLite
import Testing

@testable import Realtime

/// The feed over real sockets.
@Suite struct FeedSocketTests {
  /// Thousands who come at any moment of a writer's work, from any position, each see every event behind theirs once.
  @Test func comingDuringPublishingMissesNothing() async throws {
    let site = try await Site(ringEvents: 64)
    try await site.append(400)
    let (subscribers, events, atOnce) = (2_000, 12, 16)
    let seen = LockedBox(0)
    try await SiteServer.run(site) { server in
      let done = LockedBox(false)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          var size = 1
          while !done.withLock({ $0 }) {
            try await site.append(size)
            size = size % 7 + 1
          }
        }
        for worker in 0..<atOnce {
          group.addTask {
            for number in 0..<subscribers / atOnce {
              try await Self.follow(server, events: events, number: number * atOnce + worker)
              seen.withLock { $0 += 1 }
            }
          }
        }
        for _ in 0..<atOnce { try await group.next() }
        done.withLock { $0 = true }
        try await group.waitForAll()
      }
    }
    #expect(seen.withLock { $0 } == subscribers)
  }

  /// Follows from now, from the oldest, or from behind or inside the ring, and checks a stretch for its numbers.
  private static func follow(_ server: SiteServer, events: Int, number: Int) async throws {
    var path = "/feed"
    if number % 4 == 1 { path += "?after=oldest" }
    if number % 4 > 1 {
      let head = try await server.site.head().seq
      let back = Int64(number % 4 == 2 ? Int.random(in: 0...70) : Int.random(in: 0...300))
      let seq = max(1, head - back)
      let event = try await server.site.coordinator.events(after: seq - 1, limit: 1)[0]
      let epoch = try await server.site.head().epoch
      path += "?after=\(Cursor(epoch: epoch, seq: seq, chain: event.chain).text)"
    }
    let client = try await server.socket(path)
    let ready = try await client.json()
    var position = try #require(ready["cursor"]?.string.flatMap(Cursor.init)?.seq)
    var left = events
    while left > 0 {
      guard case .message(.text(let bytes)) = try await client.frame(),
        let text = bytes.getString(at: bytes.readerIndex + 26, length: 32), let cursor = Cursor(text)
      else { continue }
      guard cursor.seq == position + 1 else {
        Issue.record("after \(position) came \(cursor.seq)")
        return
      }
      position = cursor.seq
      left -= 1
    }
  }

  @Test func aStoppingServerGivesABookmark() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      let filtered = try await server.socket("/feed?types=trip.*")
      _ = try await filtered.json()
      let witness = try await server.socket("/feed")
      _ = try await witness.json()
      try await site.append(1)
      let event = try await witness.json()
      #expect(event["kind"] == "event")
      let head = try await site.head()
      await server.stop()
      let bookmark = try await filtered.json()
      #expect(bookmark == ["kind": "bookmark", "cursor": .string(head.text)])
      #expect(try await filtered.closing() == .close(.goingAway, reason: "server is stopping"))
    }
  }

  /// A standby that had not all of the log took over, or a snapshot was put back: the same numbers mean something else.
  @Test func aRewoundLogSendsEverybodyAway() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      let client = try await server.socket("/feed")
      _ = try await client.json()
      try await site.append(3)
      var cursor = ""
      for _ in 0..<3 { cursor = try #require(try await client.json()["cursor"]?.string) }
      let lost = SQL("DELETE FROM event WHERE seq > 1")
      _ = try await site.store.write { try ($0 as? SQLTransaction)?.connection.run(lost, []) }
      try await site.append(4, at: Site.other)
      #expect(try await client.closing() == .close(.goingAway, reason: "the log was rewound"))
      // Whoever comes again learns that the cursor is of another log, and can begin anew.
      let again = try await server.socket("/feed?after=\(cursor)")
      let verdict = try await again.json()
      #expect(verdict["kind"] == "gap" && verdict["reason"] == "epoch-changed")
      let fresh = try await server.socket("/feed?after=oldest")
      _ = try await fresh.json()
      for _ in 0..<5 { #expect(try await fresh.json()["kind"] == "event") }
      try await site.append(1)
      #expect(try await fresh.json()["event"]?["sequence"] == "000000000006")
    }
  }

  /// An import may put a facility under another one: what a grant covers is another thing then.
  @Test func whoMaySeeSomethingElseNowComesAgain() async throws {
    var timing = FeedTiming()
    timing.safetyPass = .milliseconds(50)
    let site = try await Site(timing: timing)
    try await SiteServer.run(site) { server in
      let client = try await server.socket("/feed")
      _ = try await client.json()
      try await site.append(1)
      let cursor = try #require(try await client.json()["cursor"]?.string)
      // The same again changes nothing.
      let known = try await site.store.read { try $0.allFacilities() }
      try await site.coordinator.load(DirectoryBatch(facilities: known))
      try await site.append(1)
      #expect(try await client.json()["kind"] == "event")
      let moved = Facility(code: Site.other, name: "Trạm Hai", kind: .station, province: "38", parent: Site.station)
      try await site.coordinator.load(DirectoryBatch(facilities: [moved]))
      #expect(try await client.closing() == .close(.goingAway, reason: "what you may see has changed"))
      let again = try await server.socket("/feed?after=\(cursor)")
      _ = try await again.json()
      #expect(try await again.json()["event"]?["sequence"] == "000000000002")
    }
  }

  @Test func signingOutClosesAtOnce() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      let caller = try await site.caller("leaver")
      let client = try await server.socket("/feed?as=leaver")
      _ = try await client.json()
      site.hub.sessionEnded(caller.sessionId)
      #expect(try await client.closing() == .close(.signInEnded, reason: "signed out"))
      // The client may hear of it before the server has counted it.
      try await eventually { site.hub.metrics.openCount == 0 }
    }
  }

  @Test func aSessionThatEndedElsewhereClosesWithinASecond() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      let caller = try await site.caller("revoked")
      let client = try await server.socket("/feed?as=revoked")
      _ = try await client.json()
      let now = site.clock.now
      _ = try await site.store.write { try $0.revokeSession(caller.sessionId, at: now) }
      let revoked = ContinuousClock.now
      #expect(try await client.closing() == .close(.signInEnded, reason: "sign-in ended"))
      #expect(ContinuousClock.now - revoked < .seconds(15))
    }
  }

  @Test func anExpiredSignInCloses() async throws {
    let site = try await Site()
    _ = try await site.caller("guest", expiresAt: site.clock.now + .hours(1))
    try await SiteServer.run(site) { server in
      let client = try await server.socket("/feed?as=guest")
      _ = try await client.json()
      site.clock.advance(.hours(2))
      #expect(try await client.closing() == .close(.signInEnded, reason: "sign-in expired"))
    }
  }

  @Test func aMalformedCursorIsRefusedBeforeTheSocket() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      await #expect {
        try await server.socket("/feed?after=nonsense")
      } throws: {
        ($0 as? SocketClient.Refused)?.head.hasPrefix("HTTP/1.1 422") == true
      }
    }
  }
}
