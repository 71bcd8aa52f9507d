package import Coordinator
import Domain

/// For an administrator who wants to know whether a receiver is right.
extension WebhookService {
  /// Sends an event that says only that it is a test, now and once, also to a webhook that is paused.
  package func test(_ call: Call, id: String) async throws -> Answer {
    try call.caller.require(.administer)
    guard let webhook = try await coordinator.webhook(id) else { throw Rejection.notFound }
    let now = coordinator.now()
    let event = UUIDv7.make(at: now)
    let body: JSON = [
      "specversion": "1.0", "id": .string(event), "type": "webhook.test", "source": .string("/webhooks/\(id)"),
      "subject": .string("webhooks/\(id)"), "time": .instant(now), "datacontenttype": "application/json", "data": [:],
    ]
    let begun = ContinuousClock.now
    var status: Int64?
    var error: String?
    if let secret = try? coordinator.secret(of: webhook) {
      var line = WebhookLine(sender, to: webhook.url)
      defer { line.close() }
      do {
        let answered = try await line.post(WebhookRequest(id: event, body: body.text, secret: secret, at: now))
        status = answered
        if !(200..<300).contains(answered) { error = WebhookFailure.status.rawValue }
      } catch let failure as WebhookFailure {
        error = failure.rawValue
      }
    } else {
      error = WebhookMachine.Pause.secretUnreadable.rawValue
    }
    let took = (ContinuousClock.now - begun) / .milliseconds(1)
    return .ok([
      "delivered": .bool(error == nil), "status": status.map { JSON.int($0) } ?? JSON.null,
      "error": JSON.orNull(error), "milliseconds": .int(Int64(took)),
    ])
  }
}
