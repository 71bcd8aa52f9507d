import Coordinator
import Domain
import Foundation
import NIOCore
import ServiceLifecycle
import Storage
import StorageSQLite
import Testing

@testable import Realtime

/// Deliveries on a real database, to a real receiver, with a clock that stands still until it is moved.
@Suite struct WebhookServiceTests {
  private static func service(_ site: Site) -> WebhookService {
    WebhookService(
      site.coordinator, sender: WebhookSender(allowsLocal: true, patience: .minutes(3), resolve: { _, _ in [] }),
      logger: Site.logger, chance: { 0 })
  }

  /// Runs the body beside the service, then stops it.
  private func run(_ site: Site, _ body: @escaping @Sendable (WebhookService) async throws -> Void) async throws {
    let service = Self.service(site)
    let group = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: Site.logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      do {
        try await within { try await body(service) }
      } catch {
        await group.triggerGracefulShutdown()
        throw error
      }
      await group.triggerGracefulShutdown()
      try await tasks.next()
    }
  }

  private func add(
    _ site: Site, _ receiver: Receiver, _ more: KeyValuePairs<String, JSON> = [:]
  ) async throws -> String {
    var members = JSON.Members([
      ("url", .string("http://127.0.0.1:\(receiver.port)/hook")), ("facilities", ["38000"]), ("after", "oldest"),
    ])
    for (name, value) in more { members[name] = value }
    let answer = try await site.coordinator.addWebhook(
      Call(try await site.caller("quantri", .admin)), .object(members))
    let json = try JSON(parsing: try #require(answer.body))
    return try #require(json["id"]?.string)
  }

  private func change(_ site: Site, _ id: String, _ body: JSON) async throws {
    _ = try await site.coordinator.changeWebhook(Call(try await site.caller("quantri", .admin)), id: id, body)
  }

  /// Waits until the row says so.
  private func webhook(_ site: Site, _ id: String, until holds: (Webhook) -> Bool) async throws -> Webhook {
    while true {
      let webhook = try #require(try await site.coordinator.webhook(id))
      if holds(webhook) { return webhook }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// The numbers of the next so many events that the receiver is sent.
  private func numbers(_ receiver: Receiver, _ count: Int) async throws -> [Int] {
    var numbers: [Int] = []
    for _ in 0..<count {
      let event = try JSON(parsing: try await receiver.next().body)
      numbers.append(try #require(event["sequence"]?.string.flatMap { Int($0) }))
    }
    return numbers
  }

  // MARK: In order

  @Test func sendsEachEventOnceInOrder() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    try await site.append(Limits.webhookPage + 30)
    let id = try await add(site, receiver)
    try await run(site) { _ async throws in
      #expect(try await numbers(receiver, Limits.webhookPage + 30) == Array(1...Limits.webhookPage + 30))
      // What comes later comes behind it, without a wait for a beat.
      for number in 1...3 {
        try await site.append(1)
        #expect(try await numbers(receiver, 1) == [Limits.webhookPage + 30 + number])
      }
      let head = try await site.head()
      let row = try await webhook(site, id) { $0.machine.cursor == head }
      #expect(row.machine.lastStatus == 204 && row.machine.lastDeliveredAt == site.clock.now)
    }
    #expect(receiver.count == Limits.webhookPage + 33)
  }

  @Test func sendsTheEventAsTheFeedHasIt() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    try await site.append(1)
    let id = try await add(site, receiver)
    try await run(site) { _ async throws in
      let got = try await receiver.next()
      let event = try #require(try await site.coordinator.events(after: 0, limit: 1).first)
      #expect(got.body == event.cloudEvent && got.headers["webhook-id"] == event.id && got.target == "/hook")
      let timestamp = String(site.clock.now.milliseconds / 1000)
      #expect(got.headers["webhook-timestamp"] == timestamp)
      let webhook = try #require(try await site.coordinator.webhook(id))
      let signature = WebhookRequest.signature(
        of: Array(got.body.utf8), id: event.id, timestamp: timestamp,
        secret: try site.coordinator.secret(of: webhook))
      #expect(got.headers["webhook-signature"] == signature)
    }
  }

  @Test func sendsWhatItMaySeeAndWants() async throws {
    let (site, receiver, other) = (try await Site(), try await Receiver(), try await Receiver())
    try await site.append(2)
    try await site.append(1, type: .consultStarted)
    try await site.append(1, at: Site.other)
    try await site.append(1, at: Site.other, type: .consultStarted)
    _ = try await add(site, receiver, ["filter": ["types": ["*.started"]]])
    _ = try await add(site, other, ["facilities": [.string(Site.other)]])
    try await run(site) { _ async throws in
      #expect(try await numbers(receiver, 2) == [3, 5])
      #expect(try await numbers(other, 2) == [4, 5])
    }
    #expect(receiver.count == 2 && other.count == 2)
  }

  /// Also while the receiver keeps it waiting.
  @Test func whatItMayNotSeeAnyMoreIsNotSent() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    @Sendable func put(_ parent: String) async throws {
      let station = Facility(code: Site.station, name: "Trạm Một", kind: .station, province: "38", parent: parent)
      try await site.coordinator.load(DirectoryBatch(facilities: [station], practitioners: []))
    }
    try await put(Site.hospital)
    try await site.append(2)
    try await site.append(1, at: Site.hospital)
    _ = try await add(site, receiver, ["facilities": [.string(Site.hospital)]])
    receiver.answer { $0 == 0 ? .silence : .status(204) }
    try await run(site) { _ async throws in
      #expect(try await numbers(receiver, 1) == [1])
      try await put("38000")
      try await receiver.answerLate()
      #expect(try await numbers(receiver, 1) == [3])
    }
    #expect(receiver.count == 2)
  }

  /// A stopped service goes on where it was.
  @Test func goesOnWhereItStood() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    let id = try await add(site, receiver)
    for round in 0..<3 {
      try await site.append(5)
      try await run(site) { _ async throws in
        #expect(try await numbers(receiver, 5) == Array(round * 5 + 1...round * 5 + 5))
        let head = try await site.head()
        _ = try await webhook(site, id) { $0.machine.cursor == head }
      }
    }
    #expect(receiver.count == 15)
  }

  @Test func aReceiverThatHangsHoldsUpNobodyElse() async throws {
    let (site, slow, quick) = (try await Site(), try await Receiver(), try await Receiver())
    slow.answer { _ in .silence }
    try await site.append(3)
    _ = try await add(site, slow)
    _ = try await add(site, quick)
    try await run(site) { _ async throws in
      #expect(try await numbers(quick, 3) == [1, 2, 3])
      #expect(try await numbers(slow, 1) == [1])
    }
    #expect(slow.count == 1)
  }

  // MARK: When it is not taken

  @Test func theSameEventComesAgainUntilItIsTaken() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    receiver.answer { $0 < 3 ? .status(503) : .status(200) }
    try await site.append(2)
    let id = try await add(site, receiver)
    let begun = site.clock.now
    try await run(site) { _ async throws in
      for (attempt, seconds) in [5, 10, 20].enumerated() {
        #expect(try await numbers(receiver, 1) == [1])
        let row = try await webhook(site, id) { $0.machine.attempts == attempt + 1 }
        #expect(row.machine.failingSince == begun && row.machine.lastStatus == 503)
        #expect(row.machine.nextAttemptAt == site.clock.now + .seconds(Int64(seconds)))
        site.clock.advance(.seconds(Int64(seconds)))
      }
      #expect(try await numbers(receiver, 2) == [1, 2])
      let row = try await webhook(site, id) { $0.machine.lastStatus == 200 }
      #expect(row.machine.failingSince == nil && row.machine.attempts == 0)
    }
    #expect(receiver.count == 5)
  }

  @Test func isPausedAfterADayAndGoesOnWhenItIsResumed() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    receiver.answer { _ in .end() }
    try await site.append(2)
    let id = try await add(site, receiver)
    try await run(site) { _ async throws in
      _ = try await receiver.next()
      let failing = try await webhook(site, id) { $0.machine.failingSince != nil }
      #expect(failing.machine.lastError == .closed && failing.version == 1)
      site.clock.advance(.hours(24))
      _ = try await receiver.next()
      let paused = try await webhook(site, id) { $0.machine.state == .paused }
      #expect(paused.machine.pause == .failing && paused.version == 2)
      receiver.answer { _ in .status(204) }
      try await site.append(1)
      try await change(site, id, ["state": "active"])
      #expect(try await numbers(receiver, 3) == [1, 2, 3])
    }
  }

  @Test func goneEndsItAtOnce() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    receiver.answer { _ in .status(410) }
    try await site.append(2)
    let id = try await add(site, receiver)
    try await run(site) { _ async throws in
      let row = try await webhook(site, id) { $0.machine.state == .paused }
      #expect(row.machine.pause == .gone && row.machine.lastStatus == 410)
    }
    #expect(receiver.count == 1)
  }

  @Test func aPlaceThatIsGonePausesIt() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    try await site.append(1)
    let id = try await add(site, receiver)
    try await site.store.write { try ($0 as? SQLTransaction)?.renewEpoch() }
    try await run(site) { _ async throws in
      let row = try await webhook(site, id) { $0.machine.state == .paused }
      #expect(row.machine.pause == .epochChanged && row.machine.lastAttemptAt == nil)
    }
    #expect(receiver.count == 0)
  }

  @Test func aSecretOfAnotherDeploymentPausesIt() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    try await site.append(1)
    let id = try await add(site, receiver)
    try await site.store.write { tx in
      guard var webhook = try tx.webhook(id), try tx.removeWebhook(id) else { return }
      webhook.sealedSecret[20] ^= 1
      try tx.insert(webhook)
    }
    try await run(site) { service async throws in
      let row = try await webhook(site, id) { $0.machine.state == .paused }
      #expect(row.machine.pause == .secretUnreadable)
      let answer = try await service.test(Call(try await site.caller("quantri", .admin)), id: id)
      #expect(try JSON(parsing: answer.body ?? [])["error"] == "secret-unreadable")
    }
    #expect(receiver.count == 0)
  }

  // MARK: What an administrator does

  @Test func aPauseHoldsAtOnce() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    let id = try await add(site, receiver)
    try await run(site) { _ async throws in
      try await site.append(1)
      #expect(try await numbers(receiver, 1) == [1])
      let head = try await site.head()
      _ = try await webhook(site, id) { $0.machine.cursor == head }
      try await change(site, id, ["state": "paused"])
      try await site.append(2)
      try await change(site, id, ["state": "active", "after": "head"])
      try await site.append(1)
      #expect(try await numbers(receiver, 1) == [4])
    }
    #expect(receiver.count == 2)
  }

  @Test func tests() async throws {
    let (site, receiver) = (try await Site(), try await Receiver())
    let id = try await add(site, receiver)
    let service = Self.service(site)
    let call = Call(try await site.caller("quantri", .admin))
    let good = try JSON(parsing: try await service.test(call, id: id).body ?? [])
    #expect(good["delivered"] == true && good["status"] == 204 && good["error"] == nil)
    let event = try JSON(parsing: try await receiver.next().body)
    #expect(event["type"] == "webhook.test" && event["subject"]?.string == "webhooks/\(id)")
    receiver.answer { _ in .status(500) }
    let bad = try JSON(parsing: try await service.test(call, id: id).body ?? [])
    #expect(bad["delivered"] == false && bad["status"] == 500 && bad["error"] == "status")
    // It changes nothing.
    #expect(try await site.coordinator.webhook(id)?.machine.lastAttemptAt == nil)
    try await change(site, id, ["url": "https://nowhere.test/"])
    let nowhere = try JSON(parsing: try await service.test(call, id: id).body ?? [])
    #expect(nowhere["delivered"] == false && nowhere["status"] == nil && nowhere["error"] == "unresolved")
    let monitor = Call(try await site.caller("giamsat"))
    let refusal = await #expect(throws: Rejection.self) { try await service.test(monitor, id: id) }
    #expect(refusal?.code == .forbidden)
    let none = await #expect(throws: Rejection.self) { try await service.test(call, id: UUIDv7.make(at: .system)) }
    #expect(none?.code == .notFound)
  }
}
