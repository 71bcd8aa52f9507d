package import Domain
import Foundation

/// Webhooks: an administrator's work. Their deliveries are in `Coordinator+Delivery`.
extension Coordinator {
  package func webhooks(_ call: Call, page: Page) async throws -> Answer {
    try call.caller.require(.administer)
    try page.requireUUID()
    let (found, head) = try await store.read { tx in
      (try tx.webhooks(page: Page(after: page.after, limit: page.limit + 1)), try tx.logBounds().head)
    }
    let items = found.prefix(page.limit)
    return .list(items.map { $0.json(head: head) }, next: found.count > page.limit ? items.last?.id : nil)
  }

  package func webhook(_ call: Call, id: String) async throws -> Answer {
    try call.caller.require(.administer)
    let (found, head) = try await store.read { tx in (try tx.webhook(id), try tx.logBounds().head) }
    guard let webhook = found else { throw Rejection.notFound }
    return .ok(webhook.json(head: head), version: webhook.version)
  }

  /// Makes a webhook; its secret is in this answer only.
  package func addWebhook(_ call: Call, _ body: JSON) async throws -> Answer {
    try call.caller.require(.administer)
    let directory = try await directory.get()
    guard let text = body["url"]?.string else {
      throw Rejection.invalid("/url", "required", "A webhook has an address.")
    }
    let url = try webhookURL(text)
    let facilities = try Self.facilities(body["facilities"], directory)
    let filter = try Self.filter(body["filter"], directory)
    let start = try await position(body["after"]?.string ?? "head")
    let caller = call.caller
    let secrets = secrets
    return try await write(call) { tx, now in
      guard try tx.webhooks(page: Page(limit: Limits.webhooks)).count < Limits.webhooks else {
        throw Rejection(.tooMany, "There are enough webhooks; remove one first.", retryAfter: 60)
      }
      let id = UUIDv7.make(at: now)
      let secret = Secrets.randomBytes()
      let webhook = Webhook(
        id: id, url: url, sealedSecret: try secrets.sealWebhookSecret(secret, of: id), facilities: facilities,
        filter: filter, createdAt: now, createdBy: caller.personId, machine: WebhookMachine(cursor: start))
      try tx.insert(webhook)
      try tx.log([AccessEntry(caller, "grant", "webhooks/\(id)", facility: nil, at: now)])
      let head = try tx.logBounds().head
      return .created(
        webhook.json(head: head, secret: "whsec_" + Data(secret).base64EncodedString()), version: webhook.version)
    }
  }

  /// Another address, other events, a pause or its end. `after` moves it to another place of the log.
  package func changeWebhook(_ call: Call, id: String, _ body: JSON) async throws -> Answer {
    try call.caller.require(.administer)
    let directory = try await directory.get()
    let url = try body["url"]?.string.map { try webhookURL($0) }
    let facilities = try body["facilities"].map { try Self.facilities($0, directory) }
    let filter = try body["filter"].map { try Self.filter($0, directory) }
    let state = body["state"]?.string.flatMap(WebhookMachine.State.init(rawValue:))
    var place: Cursor?
    if let after = body["after"]?.string {
      place = try await position(after)
    } else if state == .active {
      guard let known = try await store.read({ try $0.webhook(id) }) else { throw Rejection.notFound }
      // Whoever goes on from a place that is gone must hear it, and say from where.
      _ = try await position(known.machine.cursor.text)
    }
    let (caller, start) = (call.caller, place)
    return try await write(call) { tx, now in
      guard var webhook = try tx.webhook(id) else { throw Rejection.notFound }
      try call.check(version: webhook.version)
      if let facilities { webhook.facilities = facilities }
      if let filter { webhook.filter = filter }
      if let start { webhook.machine.passedOver(to: start) }
      let isMoved = url.map { $0 != webhook.url } ?? false
      if let url { webhook.url = url }
      if state == .paused {
        webhook.machine.stop(.stopped)
      } else if state == .active || (isMoved && webhook.machine.state == .active) {
        // What the old address did is not held against the new one.
        webhook.machine.resume()
      }
      try tx.update(&webhook)
      try tx.log([AccessEntry(caller, "grant", "webhooks/\(id)", facility: nil, at: now)])
      let (changed, head) = (webhook, try tx.logBounds().head)
      return .ok(changed.json(head: head), version: changed.version)
    }
  }

  package func removeWebhook(_ call: Call, id: String) async throws -> Answer {
    try call.caller.require(.administer)
    let caller = call.caller
    return try await write(call) { tx, now in
      guard try tx.removeWebhook(id) else { throw Rejection.notFound }
      try tx.log([AccessEntry(caller, "grant", "webhooks/\(id)", facility: nil, at: now)])
      return .noContent
    }
  }

  // MARK: What the input means

  private func webhookURL(_ text: String) throws -> WebhookURL {
    guard let url = WebhookURL(text) else {
      throw Rejection.invalid("/url", "format", "An address is https://HOST/PATH, without a user or a fragment.")
    }
    if let (code, detail) = url.refusal(allowsLocal: allowsLocalReceivers) {
      throw Rejection.invalid("/url", code, detail)
    }
    return url
  }

  private static func facilities(_ json: JSON?, _ directory: Directory) throws -> [String] {
    let codes = (json?.array ?? []).compactMap(\.string)
    guard !codes.isEmpty else {
      throw Rejection.invalid("/facilities", "length", "A webhook names at least one facility.")
    }
    try require(codes, "/facilities", "There is no such facility.") { directory.facilities[$0] != nil }
    return codes
  }

  private static func filter(_ json: JSON?, _ directory: Directory) throws -> EventFilter {
    let filter = EventFilter(json: json)
    // A word that no event has would be found out when one was missed.
    try require(filter.types, "/filter/types", "There is no such type of event.") { pattern in
      let one = EventFilter(types: [pattern])
      return EventType.allCases.contains { one.matches(type: $0.rawValue, facilities: [], specialty: nil, subject: "") }
    }
    let facilities = (json?["facility"]?.array ?? []).compactMap(\.string)
    try require(facilities, "/filter/facility", "There is no such facility.") { directory.facilities[$0] != nil }
    return filter
  }

  private static func require(
    _ values: [String], _ pointer: String, _ detail: String, _ isKnown: (String) -> Bool
  ) throws {
    if let unknown = values.firstIndex(where: { !isKnown($0) }) {
      throw Rejection.invalid("\(pointer)/\(unknown)", "unknown", detail)
    }
  }

  /// A place in the log: `head`, `oldest` or a cursor that can be served.
  private func position(_ text: String) async throws -> Cursor {
    guard text == "head" || text == "oldest" || Cursor(text) != nil else {
      throw Rejection.invalid("/after", "format", "This is no cursor, nor 'oldest' or 'head'.")
    }
    let (verdict, bounds) = try await resolve(text == "head" ? nil : text)
    if case .gap(let reason) = verdict {
      throw Rejection(
        .cursorGap, "Events cannot be sent from there: \(reason.rawValue).",
        extra: .init([
          ("reason", .string(reason.rawValue)), ("oldest", .string(bounds.oldest.text)),
          ("head", .string(bounds.head.text)),
        ]))
    }
    return text == "head" ? bounds.head : Cursor(text) ?? bounds.oldest
  }
}
