import Coordinator
import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct WebhookRoutesTests {
  private static let path = "/api/v1/webhooks"

  @Test func managesWebhooks() async throws {
    let world = try await World()
    let made = try await world.call(.post, Self.path, as: "admin", body: World.webhookBody)
    #expect(made.status == 201 && Schema.newWebhook.check(made.json).isEmpty, "\(made.text)")
    let id = try #require(made.json["id"]?.string)
    let secret = try #require(made.json["secret"]?.string)
    #expect(made[.location] == "\(Self.path)/\(id)" && made[.eTag]?.hasPrefix("\"1-") == true)
    let list = try await world.call(.get, Self.path, as: "admin")
    #expect(list.status == 200 && Schema.page(of: .webhook).check(list.json).isEmpty && !list.text.contains(secret))

    let read = try await world.call(.get, "\(Self.path)/\(id)", as: "admin")
    #expect(read.status == 200 && Schema.webhook.check(read.json).isEmpty && !read.text.contains(secret))
    let tag = try #require(read[.eTag])
    let paused = try await world.call(
      .patch, "\(Self.path)/\(id)", as: "admin", headers: [.ifMatch: tag], body: ["state": "paused"])
    #expect(paused.status == 200 && paused.json["state"] == "paused" && paused.json["pauseReason"] == "stopped")
    #expect(Schema.webhook.check(paused.json).isEmpty)
    let late = try await world.call(
      .patch, "\(Self.path)/\(id)", as: "admin", headers: [.ifMatch: tag], body: ["state": "active"])
    #expect(late.status == 412 && late.code == "precondition-failed")

    let tried = try await world.call(.post, "\(Self.path)/\(id)/test", as: "admin")
    #expect(tried.status == 200 && Schema.webhookTest.check(tried.json).isEmpty)

    #expect(try await world.call(.delete, "\(Self.path)/\(id)", as: "admin").status == 204)
    for method in [HTTPRequest.Method.get, .delete] {
      let gone = try await world.call(method, "\(Self.path)/\(id)", as: "admin")
      #expect(gone.status == 404 && gone.code == "not-found")
    }
  }

  @Test(
    arguments: [
      ("url", nil, "/url"), ("url", "ioc.example.vn", "/url"), ("url", "ftp://ioc.example.vn/", "/url"),
      ("url", "https://127.0.0.1/", "/url"), ("url", "http://ioc.example.vn/", "/url"), ("url", 7, "/url"),
      ("facilities", nil, "/facilities"), ("facilities", [], "/facilities"), ("facilities", ["x"], "/facilities/0"),
      ("facilities", ["99999"], "/facilities/0"), ("filter", "consult.*", "/filter"),
      ("filter", ["types": "consult.*"], "/filter/types"), ("filter", ["types": ["x"]], "/filter/types/0"),
      ("filter", ["specialty": ["astrology"]], "/filter/specialty/0"), ("after", "x", "/after"),
    ] as [(String, JSON?, String)])
  func refusesBadInput(name: String, value: JSON?, pointer: String) async throws {
    let world = try await World()
    guard case .object(var members) = World.webhookBody else { return }
    members[name] = value
    let called = try await world.call(.post, Self.path, as: "admin", body: .object(members))
    #expect(called.status == 422 && called.code == "invalid" && called.pointers == [pointer], "\(called.text)")
  }

  @Test func saysWhyAnAddressIsRefused() async throws {
    let world = try await World()
    let cases = [("https://10.0.0.1/", "address"), ("http://ioc.example.vn/", "scheme"), ("https://a@b/", "format")]
    for (url, code) in cases {
      let called = try await world.call(
        .post, Self.path, as: "admin", body: ["url": .string(url), "facilities": ["38000"]])
      #expect(called.json["errors"]?.array?.first?["code"]?.string == code)
    }
  }

  @Test func tellsOfAPlaceThatIsGone() async throws {
    let (world, other) = (try await World(), try await World())
    let head = try #require(try await other.call(.get, "/api/v1/events", as: "monitor").json["head"])
    guard case .object(var members) = World.webhookBody else { return }
    members["after"] = head
    let called = try await world.call(.post, Self.path, as: "admin", body: .object(members))
    #expect(called.status == 410 && called.code == "cursor-gap" && called.json["reason"] == "epoch-changed")
  }
}
