import Coordinator
import Domain
import Foundation
import Storage
import Testing

@Suite struct WebhookTests {
  private static let url = "https://ioc.example.vn/hook"

  private func body(_ changes: KeyValuePairs<String, JSON?> = [:]) -> JSON {
    var members = JSON.Members([("url", .string(Self.url)), ("facilities", ["38000"])])
    for (name, value) in changes { members[name] = value }
    return .object(members)
  }

  private func add(_ world: World, _ changes: KeyValuePairs<String, JSON?> = [:]) async throws -> JSON {
    try await world.coordinator.addWebhook(Call(world.admin), body(changes)).json
  }

  private func change(_ world: World, _ id: String, _ body: JSON, ifMatch: Int64? = nil) async throws -> JSON {
    try await world.coordinator.changeWebhook(Call(world.admin, ifMatch: ifMatch), id: id, body).json
  }

  private func row(_ world: World, _ json: JSON) async throws -> Webhook {
    try #require(try await world.coordinator.webhook(json["id"]?.string ?? ""))
  }

  /// What a service would record.
  private func record(_ world: World, _ json: JSON, _ step: (inout Webhook) -> Void) async throws {
    var webhook = try await row(world, json)
    step(&webhook)
    _ = try #require(try await world.coordinator.keepProgress(of: webhook))
  }

  // MARK: Making one

  @Test func begins() async throws {
    try await withWorld { world async throws in
      _ = try await world.requested()
      let made = try await add(world)
      let head = try await world.coordinator.logBounds().head
      #expect(made["url"]?.string == Self.url && made["facilities"] == ["38000"])
      #expect(made["state"] == "active" && made["pauseReason"] == nil && made["behind"] == 0)
      #expect(made["cursor"]?.string == head.text, "from now on")
      #expect(made["createdAt"]?.string == World.now.text && made["createdBy"]?.string == world.admin.personId)
      #expect(made["filter"] == ["types": [], "facility": [], "specialty": [], "subject": []])
      let secret = try #require(made["secret"]?.string)
      #expect(secret.hasPrefix("whsec_"))
      let bytes = try #require(Data(base64Encoded: String(secret.dropFirst(6))))
      #expect(bytes.count == 32)
      #expect(try world.coordinator.secret(of: try await row(world, made)) == Array(bytes))
      // It is told once, and stands nowhere.
      let webhook = try await row(world, made)
      #expect(!webhook.sealedSecret.starts(with: bytes) && webhook.sealedSecret.count > 32)
      let shown = try await world.coordinator.webhook(Call(world.admin), id: webhook.id)
      #expect(shown.json["secret"] == nil && shown.version == 1)
      #expect(try await world.accessLog().map(\.subject).contains("webhooks/\(webhook.id)"))
    }
  }

  @Test func beginsWhereItIsTold() async throws {
    try await withWorld { world async throws in
      _ = try await world.requested()
      let bounds = try await world.coordinator.logBounds()
      _ = try await world.requested()
      #expect(try await add(world, ["after": "oldest"])["cursor"]?.string == bounds.oldest.text)
      let made = try await add(world, ["after": .string(bounds.head.text)])
      #expect(made["cursor"]?.string == bounds.head.text && made["behind"] == 1)
      let head = try await world.coordinator.logBounds().head
      #expect(try await add(world, ["after": "head"])["cursor"]?.string == head.text)
    }
  }

  @Test(
    arguments: [
      ("url", nil, "/url", "required"), ("url", "ioc.example.vn", "/url", "format"),
      ("url", "https://user@ioc.example.vn/", "/url", "format"), ("url", "http://ioc.example.vn/", "/url", "scheme"),
      ("url", "https://127.0.0.1/", "/url", "address"), ("url", "https://localhost/", "/url", "address"),
      ("url", "https://169.254.169.254/", "/url", "address"), ("url", "https://[::1]/", "/url", "address"),
      ("facilities", nil, "/facilities", "length"), ("facilities", [], "/facilities", "length"),
      ("facilities", ["38000", "99999"], "/facilities/1", "unknown"),
      ("filter", ["types": ["consult.*", "consult.requestd"]], "/filter/types/1", "unknown"),
      ("filter", ["types": ["trip.position"]], "/filter/types/0", "unknown"),
      ("filter", ["facility": ["99999"]], "/filter/facility/0", "unknown"),
      ("after", "now", "/after", "format"),
    ] as [(String, JSON?, String, String)])
  func refuses(name: String, value: JSON?, pointer: String, code: String) async throws {
    try await withWorld { world async throws in
      let refusal = await #expect(throws: Rejection.self) { try await add(world, [name: value]) }
      #expect(refusal?.code == .invalid)
      #expect(refusal?.fields.map(\.pointer) == [pointer] && refusal?.fields.map(\.code) == [code])
      #expect(try await world.coordinator.webhooksAndHead().webhooks.isEmpty)
    }
  }

  @Test func isAnAdministratorsWork() async throws {
    try await withWorld { world async throws in
      let id = try await add(world)["id"]?.string ?? ""
      for caller in [world.monitor, world.auditor, world.station, world.nobody] {
        let call = Call(caller)
        for attempt in [
          { try await world.coordinator.webhooks(call, page: Page()) },
          { try await world.coordinator.webhook(call, id: id) },
          { try await world.coordinator.addWebhook(call, body()) },
          { try await world.coordinator.changeWebhook(call, id: id, ["state": "paused"]) },
          { try await world.coordinator.removeWebhook(call, id: id) },
        ] as [() async throws -> Answer] {
          let refusal = await #expect(throws: Rejection.self) { try await attempt() }
          #expect(refusal?.code == .forbidden)
        }
      }
    }
  }

  @Test func areBounded() async throws {
    try await withWorld { world async throws in
      for _ in 0..<Limits.webhooks { _ = try await add(world) }
      let refusal = await #expect(throws: Rejection.self) { try await add(world) }
      #expect(refusal?.code == .tooMany && refusal?.retryAfter != nil)
      // Page after page, newest first.
      var (ids, after): ([String], String?) = ([], nil)
      repeat {
        let page = try await world.coordinator.webhooks(Call(world.admin), page: Page(after: after, limit: 33))
        ids += page.items.compactMap { $0["id"]?.string }
        after = page.json["next"]?.string
      } while after != nil
      #expect(ids.count == Limits.webhooks && ids == ids.sorted(by: >))
    }
  }

  // MARK: Changing one

  @Test func changes() async throws {
    try await withWorld { world async throws in
      let made = try await add(world)
      let id = try #require(made["id"]?.string)
      let filter: JSON = [
        "types": ["consult.*"], "facility": ["38901"], "specialty": ["cardiology"], "subject": ["trips/x"],
      ]
      let changed = try await change(
        world, id, ["url": "https://other.example.vn/", "facilities": ["38001", "38901"], "filter": filter])
      #expect(changed["url"] == "https://other.example.vn/" && changed["version"] == 2)
      let webhook = try await row(world, made)
      #expect(webhook.facilities == ["38001", "38901"])
      #expect(
        webhook.filter
          == EventFilter(
            types: ["consult.*"], facilities: ["38901"], specialties: ["cardiology"], subjects: ["trips/x"]))
      // The secret stays.
      let secret = try #require(Data(base64Encoded: String(made["secret"]?.string?.dropFirst(6) ?? "")))
      #expect(try world.coordinator.secret(of: webhook) == Array(secret))
      let stale = await #expect(throws: Rejection.self) { try await change(world, id, ["state": "paused"], ifMatch: 1) }
      #expect(stale?.code == .preconditionFailed)
      let wrong = await #expect(throws: Rejection.self) { try await change(world, id, ["url": "https://10.0.0.1/"]) }
      #expect(wrong?.fields.map(\.code) == ["address"])
      let none = await #expect(throws: Rejection.self) {
        try await change(world, UUIDv7.make(at: World.now), ["state": "active"])
      }
      #expect(none?.code == .notFound)
    }
  }

  @Test func pausesAndResumes() async throws {
    try await withWorld { world async throws in
      let made = try await add(world)
      let id = try #require(made["id"]?.string)
      let paused = try await change(world, id, ["state": "paused"])
      #expect(paused["state"] == "paused" && paused["pauseReason"] == "stopped")
      _ = try await world.requested()
      let resumed = try await change(world, id, ["state": "active"])
      #expect(resumed["state"] == "active" && resumed["pauseReason"] == nil)
      #expect(resumed["cursor"] == made["cursor"] && resumed["behind"] == 1, "nothing is lost by a pause")
      let moved = try await change(world, id, ["state": "active", "after": "head"])
      #expect(moved["behind"] == 0)
    }
  }

  @Test func resumingForgetsWhatFailed() async throws {
    try await withWorld { world async throws in
      let made = try await add(world)
      let id = try #require(made["id"]?.string)
      func fail() async throws {
        try await record(world, made) { $0.machine.failed(.timeout, at: World.now, chance: 0) }
      }
      try await fail()
      let failing = try await world.coordinator.webhook(Call(world.admin), id: id).json
      #expect(failing["failingSince"]?.string == World.now.text && failing["attempts"] == 1)
      #expect(failing["lastError"] == "timeout" && failing["nextAttemptAt"] != nil && failing["lastStatus"] == nil)
      #expect(failing["version"] == 1, "what a receiver does is no change of the webhook")
      for body in [["state": "active"], ["url": "https://other.example.vn/"]] as [JSON] {
        let changed = try await change(world, id, body)
        #expect(changed["failingSince"] == nil && changed["nextAttemptAt"] == nil && changed["attempts"] == 0)
        try await fail()
      }
      // Another filter heals nothing.
      #expect(try await change(world, id, ["filter": ["types": ["trip.*"]]])["failingSince"] != nil)
    }
  }

  @Test func goesOnOnlyFromWhereTheLogIs() async throws {
    try await withWorld { world async throws in
      _ = try await world.requested()
      let made = try await add(world)
      let id = try #require(made["id"]?.string)
      try await world.store.write { try ($0 as? SQLTransaction)?.renewEpoch() }
      try await record(world, made) { $0.machine.lost(.epochChanged) }
      let bounds = try await world.coordinator.logBounds()
      for body in [["state": "active"], ["after": made["cursor"] ?? .null]] as [JSON] {
        let refusal = await #expect(throws: Rejection.self) { try await change(world, id, body) }
        #expect(refusal?.code == .cursorGap && refusal?.extra["reason"] == "epoch-changed")
        #expect(refusal?.extra["head"]?.string == bounds.head.text)
      }
      let resumed = try await change(world, id, ["state": "active", "after": "oldest"])
      #expect(resumed["state"] == "active" && resumed["cursor"]?.string == bounds.oldest.text)
      #expect(resumed["behind"] == 1)
    }
  }

  @Test func removes() async throws {
    try await withWorld { world async throws in
      let id = try await add(world)["id"]?.string ?? ""
      _ = try await world.coordinator.removeWebhook(Call(world.admin), id: id)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.removeWebhook(Call(world.admin), id: id)
      }
      #expect(refusal?.code == .notFound)
      #expect(try await !world.coordinator.hasWebhooks())
    }
  }

  // MARK: What the service is given

  @Test func aResultCountsForTheRowThatItWasBegunWith() async throws {
    try await withWorld { world async throws in
      let made = try await add(world)
      let read = try await row(world, made)
      var delivered = read
      delivered.machine.delivered(to: Cursor(epoch: 1, seq: 9, chain: UInt64(0)), status: 200, at: World.now)
      // Paused meanwhile: what comes of the delivery is not recorded over it.
      _ = try await change(world, read.id, ["state": "paused"])
      #expect(try await world.coordinator.keepProgress(of: delivered) == nil)
      #expect(try await row(world, made).machine.pause == .stopped)
      // Recorded once, and not a second time by somebody who had read the same row.
      let fresh = try await row(world, made)
      #expect(try await world.coordinator.keepProgress(of: fresh)?.progress == fresh.progress + 1)
      #expect(try await world.coordinator.keepProgress(of: fresh) == nil)
      _ = try await world.coordinator.removeWebhook(Call(world.admin), id: read.id)
      #expect(try await world.coordinator.keepProgress(of: fresh) == nil)
    }
  }

  @Test func seesWhatAMonitorSees() async throws {
    try await withWorld { world async throws in
      let made = try await add(world, ["facilities": ["38001"]])
      let visibility = try await world.coordinator.visibility(of: try await row(world, made))
      let monitor = World.caller("m", .monitor, at: ["38001"])
      #expect(visibility == Visibility(monitor))
      let all = try await add(world)
      let whole = try await world.coordinator.visibility(of: try await row(world, all))
      #expect(whole.facilities.contains("38901") && !whole.facilities.contains("40001") && !whole.everything)
    }
  }

  /// One process alone serves this database: nobody has to be asked, and nothing is written.
  @Test func needsNoLeaseAlone() async throws {
    try await withWorld { world async throws in
      #expect(try await world.coordinator.takeDeliveryLease() == .alone)
      #expect(try await world.coordinator.renew(.alone))
      try await world.coordinator.giveBack(.alone)
    }
  }
}
