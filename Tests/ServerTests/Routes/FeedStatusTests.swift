import Coordinator
import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct FeedStatusTests {
  private static let path = "/api/v1/feed/status"

  @Test func tellsAnAdministrator() async throws {
    let world = try await World()
    let called = try await world.call(.get, Self.path, as: "admin")
    #expect(called.status == 200 && called.json == World.feedStatus, "\(called.text)")
    #expect(Schema.feedStatus.check(called.json).isEmpty)
  }

  @Test(arguments: World.accounts.map { $0.name }.filter { $0 != "admin" })
  func refusesOthers(name: String) async throws {
    let world = try await World()
    let called = try await world.call(.get, Self.path, as: name)
    #expect(called.status == 403 && called.code == "forbidden")
  }

  @Test func refusesStrangers() async throws {
    let world = try await World()
    let called = try await world.harness.call(.get, Self.path)
    #expect(called.status == 401 && called.code == "unauthenticated")
  }
}
