import Coordinator
import Domain
import NIOCore
import Testing

@testable import Realtime

/// Pages that wait, over real connections.
@Suite struct FeedWaitTests {
  /// A minute: nobody waits so long here, and whoever does has failed.
  private static let long = 60_000

  private func page(_ client: RawClient) async throws -> (seqs: [Int], json: JSON) {
    let response = try await client.response()
    #expect(response.status == 200, "\(response)")
    let json = try JSON(parsing: response.body)
    let items = json["items"]?.array ?? []
    return (items.compactMap { $0["event"]?["sequence"]?.string.flatMap { Int($0) } }, json)
  }

  private func ask(_ client: RawClient, _ query: String) async throws {
    try await client.send(SharedPortTests.get("/page?\(query)"))
  }

  /// Comes back when somebody waits.
  private func waited(_ site: Site, _ count: Int = 1) async throws {
    while site.hub.waits.waiting < count { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test func anEventAnswersAnEmptyPage() async throws {
    let site = try await Site()
    try await site.append(2)
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port) { client in
        let head = try await site.head()
        try await ask(client, "after=\(head.text)&wait=\(Self.long)")
        try await waited(site)
        try await site.append(1)
        let (seqs, json) = try await page(client)
        #expect(seqs == [3] && json["next"] == nil && json["cursor"] == json["head"])
        // The connection goes on, and so does whoever asks again.
        for seq in 4...6 {
          try await ask(client, "after=\(json["cursor"]?.string ?? "")&wait=\(Self.long)&types=consult.requested")
          try await site.append(1)
          let seqs = try await page(client).seqs
          #expect(seqs.first == 4 && seqs.last.map { $0 <= seq } == true)
        }
        #expect(site.hub.waits.waiting == 0)
      }
    }
  }

  @Test func aFullPageWaitsForNothing() async throws {
    let site = try await Site()
    try await site.append(3)
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port) { client in
        try await ask(client, "after=oldest&wait=\(Self.long)")
        #expect(try await page(client).seqs == [1, 2, 3])
        try await ask(client, "wait=\(Self.long)")
        #expect(try await page(client).seqs == [1, 2, 3])
      }
    }
  }

  /// What is not asked for, or not seen, wakes nobody; the position is behind it in the end.
  @Test func onlyWhatBelongsOnThePageAnswers() async throws {
    let site = try await Site()
    _ = try await site.caller("station", .station, at: Site.station)
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port) { client in
        let start = try await site.head()
        try await ask(client, "as=station&after=\(start.text)&types=*.cancelled&wait=\(Self.long)")
        try await waited(site)
        try await site.append(1)
        try await site.append(1, at: Site.other, type: .consultCancelled)
        try await site.append(1, type: .consultCancelled)
        #expect(try await page(client).seqs == [3])
        let head = try await site.head()
        try await ask(client, "as=station&after=\(head.text)&types=*.cancelled&wait=3000")
        try await site.append(2)
        let (seqs, json) = try await page(client)
        let moved = try await site.head()
        #expect(seqs.isEmpty && json["next"] == nil && json["cursor"]?.string == moved.text)
      }
    }
  }

  @Test func endsWithItsTime() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port) { client in
        let (head, begun) = (try await site.head(), ContinuousClock.now)
        try await ask(client, "after=\(head.text)&wait=200")
        let (seqs, json) = try await page(client)
        #expect(ContinuousClock.now - begun >= .milliseconds(200))
        #expect(seqs.isEmpty && json["next"] == nil && json["cursor"]?.string == head.text)
      }
    }
  }

  @Test func endsWithItsSignIn() async throws {
    let site = try await Site()
    let leaver = try await site.caller("leaver")
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port) { client in
        try await ask(client, "as=leaver&after=oldest&wait=\(Self.long)")
        try await waited(site)
        site.hub.sessionEnded(leaver.sessionId)
        #expect(try await client.response().status == 401)
      }
    }
  }

  @Test func endsWithTheServer() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port) { client in
        try await ask(client, "after=oldest&wait=\(Self.long)")
        try await waited(site)
        await server.stop()
        #expect(try await page(client).seqs.isEmpty)
      }
    }
  }

  /// Whoever has gone is not waited for, nor who says nothing more; that one gets its answer.
  @Test func endsWithItsClient() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      try await RawClient.connect(to: server.port) { client in
        try await ask(client, "after=oldest&wait=\(Self.long)")
        try await waited(site)
      }
      while site.hub.waits.waiting > 0 { try await Task.sleep(for: .milliseconds(5)) }
      try await RawClient.connect(to: server.port) { client in
        try await ask(client, "after=oldest&wait=\(Self.long)")
        try await waited(site)
        client.finish()
        #expect(try await page(client).seqs.isEmpty)
      }
    }
  }

  @Test func gapsAndMistakesAreToldAtOnce() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      var foreign = try await site.head()
      foreign.epoch ^= 1
      let cursor = foreign.text
      try await RawClient.connect(to: server.port) { client in
        try await ask(client, "after=\(cursor)&wait=\(Self.long)")
        #expect(try await client.response().status == 410)
        try await ask(client, "after=x&wait=\(Self.long)")
        #expect(try await client.response().status == 422)
      }
    }
  }

  @Test func notTooManyWait() throws {
    let waits = PageWaits(limit: 2)
    try waits.begin()
    try waits.begin()
    let refusal = #expect(throws: Rejection.self) { try waits.begin() }
    #expect(refusal?.code == .tooMany && refusal?.retryAfter != nil)
    waits.end()
    try waits.begin()
    #expect(waits.waiting == 2)
  }

  /// Many wait for the same event, written while they come: each gets it.
  @Test func nobodyMissesWhatIsWrittenWhileTheyAsk() async throws {
    let site = try await Site()
    try await SiteServer.run(site) { server in
      for round in 1...20 {
        let head = try await site.head()
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<8 {
            group.addTask {
              try await RawClient.connect(to: server.port) { client in
                try await ask(client, "after=\(head.text)&wait=\(Self.long)")
                #expect(try await page(client).seqs == [round])
              }
            }
          }
          group.addTask { try await site.append(1) }
          try await group.waitForAll()
        }
      }
    }
  }
}
