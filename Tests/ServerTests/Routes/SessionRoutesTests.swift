import Coordinator
import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct SessionRoutesTests {
  private static func signIn(_ world: World, _ name: String, _ password: String = World.password) async throws -> Called
  {
    try await world.call(
      .post, "/api/v1/session", body: ["username": .string(name), "password": .string(password)])
  }

  @Test func signsInAndOut() async throws {
    let world = try await World()
    let called = try await Self.signIn(world, "specialist")
    #expect(called.status == 200)
    #expect(Schema.signedIn.check(called.json).isEmpty)
    let token = try #require(called.json["token"]?.string)
    let cookie = try #require(called[.setCookie])
    #expect(cookie == "hoichan_session=\(token); Path=/; HttpOnly; SameSite=Lax; Max-Age=43200")
    #expect(called.json["person"]?["practitionerId"] == .string(World.cardiologist))

    for headers in [[.authorization: "Bearer \(token)"], [.cookie: "hoichan_session=\(token)"]] as [HTTPFields] {
      let session = try await world.call(.get, "/api/v1/session", headers: headers)
      #expect(session.status == 200 && Schema.session.check(session.json).isEmpty)
      #expect(session.json["token"] == nil)
    }
    let out = try await world.call(.delete, "/api/v1/session", headers: [.authorization: "Bearer \(token)"])
    #expect(out.status == 204)
    #expect(out[.setCookie]?.contains("Max-Age=0") == true)
    let after = try await world.call(.get, "/api/v1/session", headers: [.authorization: "Bearer \(token)"])
    #expect(after.status == 401)
  }

  @Test func marksTheCookieUnderTLS() async throws {
    let world = try await World { $0.publicURL = "https://hoichan.test" }
    #expect(try await Self.signIn(world, "station")[.setCookie]?.hasSuffix("; Secure") == true)
  }

  @Test func refusesTheWrongPasswordAndTheUnknownAlike() async throws {
    let world = try await World()
    let wrong = try await Self.signIn(world, "station", "sai-mat-khau")
    let unknown = try await Self.signIn(world, "nobody", "sai-mat-khau")
    #expect(wrong.status == 401 && unknown.status == 401)
    #expect(wrong.text == unknown.text)
    #expect(wrong[.setCookie] == nil)
  }

  @Test func slowsGuessingDownButNotWorking() async throws {
    let world = try await World { $0.signInRate = .init(perSecond: 0.001, burst: 2) }
    for _ in 0..<3 { #expect(try await Self.signIn(world, "station").status == 200) }
    for _ in 0..<2 { #expect(try await Self.signIn(world, "station", "sai-mat-khau").status == 401) }
    let called = try await Self.signIn(world, "station")
    #expect(called.status == 429 && called.code == "too-many")
    #expect(called[.retryAfter] != nil)
    #expect(try await Self.signIn(world, "dispatcher").status == 200)
  }

  @Test(
    arguments: [
      "{}", #"{"username":"a"}"#, #"{"username":1,"password":"x"}"#, #"{"username":"","password":""}"#,
    ])
  func refusesBadBodies(body: String) async throws {
    let world = try await World()
    let called = try await world.harness.call(.post, "/api/v1/session", body: Array(body.utf8))
    #expect(called.status == 422)
  }
}
