package import Coordinator
import Domain
import HTTPTypes

/// Events sent to others' addresses: an administrator makes, watches and stops it.
package struct WebhookRoutes: Sendable {
  /// Sends a test event; Realtime does it.
  package typealias Test = @Sendable (_ call: Call, _ id: String) async throws -> Answer

  let coordinator: Coordinator
  let test: Test

  package init(_ coordinator: Coordinator, test: @escaping Test) {
    self.coordinator = coordinator
    self.test = test
  }

  package var endpoints: [Endpoint] { [list, add, read, change, remove, trial] }

  private static let path = "/api/v1/webhooks"

  private var list: Endpoint {
    Endpoint(
      .get, Self.path, "listWebhooks", .events, "Webhooks, newest first, without their secrets.",
      access: .signedIn(.administer), query: [.limit, .after],
      answers: [.json(.page(of: .webhook), "A page of webhooks.")]
    ) { [coordinator] request in
      .init(
        try await coordinator.webhooks(
          try request.call, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var add: Endpoint {
    Endpoint(
      .post, Self.path, "addWebhook", .events, "Makes a webhook.",
      note: "Each event is sent by a POST of its own, in order, signed after the Standard Webhooks specification.",
      access: .signedIn(.administer), body: .webhookBody,
      answers: [
        .json(.created, .newWebhook, "The webhook, with its secret, shown once.").header("Location", "Where it is.")
      ], rejections: [.cursorGap], options: [.idempotent, .etag]
    ) { [coordinator] request in
      let answer = try await coordinator.addWebhook(try request.call, request.body)
      return .init(answer, location: answer.location(under: Self.path))
    }
  }

  private var read: Endpoint {
    Endpoint(
      .get, Self.path + "/{id}", "readWebhook", .events, "One webhook.", access: .signedIn(.administer),
      answers: [.json(.webhook, "The webhook.")], options: .etag
    ) { [coordinator] request in .init(try await coordinator.webhook(try request.call, id: request["id"])) }
  }

  private var change: Endpoint {
    Endpoint(
      .patch, Self.path + "/{id}", "changeWebhook", .events, "Changes, pauses or resumes a webhook.",
      note: "Only the members that are sent are changed.", access: .signedIn(.administer), body: .webhookChangeBody,
      answers: [.json(.webhook, "The webhook.")], rejections: [.cursorGap], options: [.idempotent, .etag, .ifMatch]
    ) { [coordinator] request in
      .init(try await coordinator.changeWebhook(try request.call, id: request["id"], request.body))
    }
  }

  private var remove: Endpoint {
    Endpoint(
      .delete, Self.path + "/{id}", "removeWebhook", .events, "Removes a webhook.", access: .signedIn(.administer),
      answers: [.empty("It is removed.")], options: .idempotent
    ) { [coordinator] request in .init(try await coordinator.removeWebhook(try request.call, id: request["id"])) }
  }

  private var trial: Endpoint {
    Endpoint(
      .post, Self.path + "/{id}/test", "testWebhook", .events, "Sends a test event, now and once.",
      note: "Its type is `webhook.test`; it is not in the log, and what becomes of it changes nothing.",
      access: .signedIn(.administer), answers: [.json(.webhookTest, "What the receiver did.")]
    ) { [test] request in .init(try await test(try request.call, request["id"])) }
  }
}
