import Domain
import HTTPTypes
import Testing

@testable import Server

private let endpoints = [
  Endpoint(
    .get, "/things/{id}", "readThing", .consults, "Reads.", access: .signedIn(), query: [.limit, .after],
    answers: [.json(.ok, .boolean.named("Thing"), "It.")], options: .etag
  ) { _ in .noContent },
  Endpoint(
    .post, "/things/{id}", "makeThing", .consults, "Makes.", body: .boolean.named("Thing"),
    answers: [.empty(.noContent, "Done.")], rejections: [.slotTaken, .outsideSchedule],
    options: [.idempotent, .ifMatch]
  ) { _ in .noContent },
  Endpoint(.get, "/page", "page", .pages, "Page.", answers: [], options: .undocumented) { _ in .noContent },
]

@Suite struct OpenAPIDocumentTests {
  private let document = OpenAPIDocument(endpoints, version: "1").json

  @Test func names() {
    #expect(document["openapi"] == "3.1.0")
    #expect(document["info"]?["version"] == "1")
    #expect(document["components"]?["securitySchemes"]?["cookie"]?["name"] == "hoichan_session")
  }

  @Test func showsDocumentedRoutesOnly() {
    guard case .object(let paths)? = document["paths"] else { return #expect(Bool(false)) }
    #expect(paths.items.map(\.name) == ["/things/{id}"])
    #expect(document["tags"]?.array?.count == 1)
  }

  @Test func derivesRefusals() throws {
    let path = try #require(document["paths"]?["/things/{id}"])
    func statuses(_ method: String) -> [String] {
      guard case .object(let responses)? = path[method]?["responses"] else { return [] }
      return responses.items.map(\.name)
    }
    #expect(statuses("get") == ["200", "304", "400", "401", "404", "422", "429", "500", "503"])
    #expect(
      statuses("post") == [
        "204", "400", "401", "403", "404", "409", "412", "413", "415", "422", "429", "500", "503",
      ])
    let conflict = path["post"]?["responses"]?["409"]
    #expect(conflict?["description"]?.string?.contains("slot-taken") == true)
    #expect(conflict?["content"]?["application/problem+json"]?["schema"]?["$ref"] == "#/components/schemas/Problem")
  }

  @Test func showsParameters() throws {
    let operation = try #require(document["paths"]?["/things/{id}"]?["get"])
    #expect(
      operation["parameters"]?.array?.compactMap { $0["name"]?.string } == ["id", "limit", "after", "If-None-Match"])
    #expect(operation["security"]?.array?.count == 2)
  }

  @Test func collectsComponents() {
    #expect(document["components"]?["schemas"]?["Thing"] == ["type": "boolean"])
    #expect(document["components"]?["schemas"]?["Problem"] != nil)
  }
}
