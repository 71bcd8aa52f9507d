import Coordinator
import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct TripRoutesTests {
  @Test func goesItsWholeWayAndEndsTheFamilysLink() async throws {
    let world = try await World()
    let id = try await world.trip()
    let path = "/api/v1/trips/\(id)"
    let shared = try await world.call(.post, path + "/links", as: "dispatcher")
    #expect(shared.status == 201 && Schema.link.check(shared.json).isEmpty)
    let secret = try #require(shared.json["url"]?.string?.split(separator: "/").last)
    let family = "/track/\(secret).json"

    func milestone(_ name: String) async throws {
      let called = try await world.call(
        .post, path + "/milestones", as: "crew", body: ["milestone": .string(name), "at": .instant(world.clock.now)])
      #expect(called.status == 200 && Schema.trip.check(called.json).isEmpty, "\(called.text)")
      world.clock.advance(.seconds(30))
    }
    #expect(try await world.call(.get, family).json["state"] == "requested")
    for name in ["dispatched", "enRoute", "atScene", "departed"] { try await milestone(name) }
    let sent = try await world.call(
      .post, path + "/positions", as: "crew",
      body: ["positions": [["at": .instant(world.clock.now), "lat": .double(19.85), "lon": .double(105.7)]]])
    #expect(sent.json == ["accepted": 1, "clockAhead": 0])
    let view = try await world.call(.get, family)
    #expect(Schema.familyView.check(view.json).isEmpty)
    #expect(view.json["state"] == "departed" && view.json["position"]?["stale"] == false)
    #expect(view[.referrerPolicy] == "no-referrer" && view[.cacheControl] == "no-store")
    world.clock.advance(.seconds(61))
    #expect(try await world.call(.get, family).json["position"]?["stale"] == true)
    for name in ["atDestination", "handedOver"] { try await milestone(name) }
    let ended = try await world.call(.get, family)
    #expect(ended.status == 410 && ended.code == "link-ended")
    #expect(try await world.call(.get, "/track/unknown.json").status == 404)
  }

  @Test func reads() async throws {
    let world = try await World()
    let id = try await world.trip()
    let trip = try await world.call(.get, "/api/v1/trips/\(id)", as: "crew")
    #expect(trip.status == 200 && Schema.trip.check(trip.json).isEmpty && trip[.eTag] != nil)
    let list = try await world.call(.get, "/api/v1/trips?open=true&limit=1", as: "dispatcher")
    #expect(Schema.page(of: .trip).check(list.json).isEmpty)
    #expect(list.json["items"]?.array?.count == 1)
    #expect(try await world.call(.get, "/api/v1/trips/\(id)", as: "station2").status == 404)
  }

  @Test func changes() async throws {
    let world = try await World()
    let path = "/api/v1/trips/\(try await world.trip())"
    let tag = try #require(try await world.call(.get, path, as: "dispatcher")[.eTag])
    let point: JSON = ["destination": ["lat": .double(19.7), "lon": .double(105.9), "label": "Cầu Hàm Rồng"]]
    let changed = try await world.call(.patch, path, as: "dispatcher", headers: [.ifMatch: tag], body: point)
    #expect(changed.status == 200)
    #expect(changed.json["destination"]?["label"] == "Cầu Hàm Rồng")
    let stale = try await world.call(.patch, path, as: "dispatcher", headers: [.ifMatch: tag], body: point)
    #expect(stale.status == 412)
  }

  @Test(
    arguments: [
      ("origin", ["lat": 91, "lon": 0], "/origin/lat"), ("destination", ["label": "x"], "/destination"),
      ("destination", ["facilityId": "99999"], "/destination/facilityId"), ("vehicleId", "v9", "/vehicleId"),
      ("priority", "fast", "/priority"), ("consultId", "01890a5d-ac96-774b-bcce-b302099a8057", "/consultId"),
    ] as [(String, JSON, String)])
  func refusesBadRequests(name: String, value: JSON, pointer: String) async throws {
    let world = try await World()
    guard case .object(var members) = World.tripBody else { return }
    members[name] = value
    let called = try await world.call(.post, "/api/v1/trips", as: "dispatcher", body: .object(members))
    #expect(called.status == 422 && called.pointers.first == pointer, "\(called.text)")
  }

  @Test func boundsPositions() async throws {
    let world = try await World()
    let path = "/api/v1/trips/\(try await world.trip())/positions"
    let position: JSON = ["at": .instant(world.clock.now), "lat": 19, "lon": 105]
    for count in [0, 501] {
      let called = try await world.call(
        .post, path, as: "crew", body: ["positions": .array(Array(repeating: position, count: count))])
      #expect(called.status == 422 && called.pointers == ["/positions"])
    }
  }
}
