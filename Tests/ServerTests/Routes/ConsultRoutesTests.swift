import Coordinator
import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct ConsultRoutesTests {
  private static let id = "01890a5d-ac96-774b-bcce-b302099a8057"

  @Test func requests() async throws {
    let world = try await World()
    let called = try await world.call(
      .post, "/api/v1/consults", as: "station", body: World.consultBody(id: Self.id.uppercased()))
    #expect(called.status == 201)
    #expect(called[.location] == "/api/v1/consults/\(Self.id)")
    #expect(called[.eTag]?.hasPrefix("\"1-") == true)
    #expect(called.json["id"] == .string(Self.id))
    #expect(called.json["state"] == "requested")
    #expect(called.json["news2"]?["total"] == 8)
    #expect(Schema.consult.check(called.json).isEmpty)
    let read = try await world.call(.get, "/api/v1/consults/\(Self.id)", as: "station")
    #expect(read.status == 200 && Schema.consult.check(read.json).isEmpty)
  }

  @Test func repeatsByIdAndByKey() async throws {
    let world = try await World()
    let body = World.consultBody(id: Self.id)
    let first = try await world.call(.post, "/api/v1/consults", as: "station", body: body)
    let again = try await world.call(.post, "/api/v1/consults", as: "station", body: body)
    #expect(again.status == 201)
    #expect(again.json["id"] == first.json["id"])
    let other = try await world.call(
      .post, "/api/v1/consults", as: "station", body: World.consultBody(id: Self.id, specialty: "neurology"))
    #expect(other.status == 409 && other.code == "id-taken")

    let key: HTTPFields = [.idempotencyKey: "k-1"]
    let kept = try await world.call(.post, "/api/v1/consults", as: "station", headers: key, body: World.consultBody())
    let replay = try await world.call(.post, "/api/v1/consults", as: "station", headers: key, body: World.consultBody())
    #expect(replay.status == 201 && replay.bytes == kept.bytes && replay[.location] == kept[.location])
    let reused = try await world.call(
      .post, "/api/v1/consults", as: "station", headers: key, body: World.consultBody(specialty: "neurology"))
    #expect(reused.status == 422 && reused.code == "idempotency-key-reused")
  }

  @Test func hidesWhatTheCallerMayNotSee() async throws {
    let world = try await World()
    let id = try await world.consult(.requested)
    let path = "/api/v1/consults/\(id)"
    for stranger in ["station2", "specialist2", "crew"] {
      #expect(try await world.call(.get, path, as: stranger).status == 404)
    }
    let specialist = try await world.call(.get, path, as: "specialist").json
    #expect(specialist["situation"] != nil && specialist["patient"] == nil, "facts, no identity before accepting")
    let dispatcher = try await world.call(.get, path, as: "dispatcher").json
    #expect(dispatcher["situation"] == nil && dispatcher["patient"] != nil)
    let monitor = try await world.call(.get, path, as: "monitor").json
    #expect(monitor["situation"] == nil && monitor["patient"] == nil && monitor["news2"] == nil)
    for json in [specialist, dispatcher, monitor] { #expect(Schema.consult.check(json).isEmpty) }
  }

  @Test func goesItsWholeWay() async throws {
    let world = try await World()
    let id = try await world.consult(.signed)
    let consult = try await world.call(.get, "/api/v1/consults/\(id)", as: "specialist").json
    #expect(consult["state"] == "signed" && consult["allowed"] == ["amend"])
    #expect(Schema.consult.check(consult).isEmpty)
    let document = try await world.call(.get, "/api/v1/consults/\(id)/outcome/1", as: "station")
    let sha256 = Secrets.hex(Secrets.sha256(document.bytes))
    #expect(consult["outcome"]?["signature"]?["sha256"] == .string(sha256))
    #expect(document[.eTag] == "\"\(sha256)\"")
    #expect(try await world.call(.get, "/api/v1/consults/\(id)/outcome/2", as: "station").status == 404)
    #expect(try await world.call(.get, "/api/v1/consults/\(id)/outcome/x", as: "station").status == 404)

    guard case .object(var amendment) = World.conclusion else { return }
    amendment["reason"] = "Bổ sung liều"
    let amended = try await world.call(
      .post, "/api/v1/consults/\(id)/amend", as: "specialist", body: .object(amendment))
    #expect(amended.status == 200 && Schema.consult.check(amended.json).isEmpty)
    let signed = try await world.call(.post, "/api/v1/consults/\(id)/sign", as: "specialist")
    #expect(signed.status == 200 && Schema.signature.check(signed.json).isEmpty)
    #expect(signed.json["version"] == 2)
  }

  @Test func refusesIllegalSteps() async throws {
    let world = try await World()
    let id = try await world.consult(.requested)
    let called = try await world.call(.post, "/api/v1/consults/\(id)/start", as: "station")
    #expect(called.status == 409 && called.code == "illegal-transition")
    #expect(called.json["state"] == "requested")
    #expect(called.json["allowed"]?.array?.isEmpty == false)
    #expect(try await world.call(.post, "/api/v1/consults/\(id)/fly", as: "station").status == 404)
    #expect(try await world.call(.get, "/api/v1/consults/\(id)/start", as: "station")[.allow] == "POST")
  }

  @Test func honoursIfMatch() async throws {
    let world = try await World()
    let id = try await world.consult(.requested)
    let path = "/api/v1/consults/\(id)"
    let tag = try #require(try await world.call(.get, path, as: "specialist")[.eTag])
    let same = try await world.call(.get, path, as: "specialist", headers: [.ifNoneMatch: tag])
    #expect(same.status == 304)
    #expect(try await world.call(.post, path + "/accept", as: "specialist", headers: [.ifMatch: tag]).status == 200)
    let stale = try await world.call(.post, path + "/arrive", as: "station", headers: [.ifMatch: tag])
    #expect(stale.status == 412 && stale.code == "precondition-failed")
  }

  @Test func offersOtherTimesForATakenOne() async throws {
    let world = try await World()
    let (first, second) = (try await world.consult(.requested), try await world.consult(.requested))
    let start = try await world.freeStart()
    let booking: JSON = ["practitionerId": .string(World.cardiologist), "start": .instant(start), "minutes": 30]
    func book(_ id: String) async throws -> Called {
      try await world.call(.post, "/api/v1/consults/\(id)/appointment", as: "station", body: booking)
    }
    let won = try await book(first)
    #expect(won.status == 201 && Schema.consult.check(won.json).isEmpty)
    let lost = try await book(second)
    #expect(lost.status == 409 && lost.code == "slot-taken")
    let alternatives = try #require(lost.json["alternatives"]?.array)
    #expect(!alternatives.isEmpty && alternatives.allSatisfy { Schema.slot.check($0).isEmpty })
  }

  @Test func lists() async throws {
    let world = try await World()
    var ids: [String] = []
    for _ in 0..<3 {
      ids.append(try await world.consult(.requested))
      world.clock.advance(.seconds(1))
    }
    let first = try await world.call(.get, "/api/v1/consults?state=requested,assigned&limit=2", as: "station")
    #expect(first.status == 200 && Schema.page(of: .consult).check(first.json).isEmpty)
    let next = try #require(first.json["next"]?.string)
    let second = try await world.call(.get, "/api/v1/consults?limit=2&after=\(next)", as: "station").json
    let seen = (first.json["items"]?.array ?? []) + (second["items"]?.array ?? [])
    #expect(seen.compactMap { $0["id"]?.string } == ids.reversed())
    #expect(second["next"] == nil)
    #expect(try await world.call(.get, "/api/v1/consults", as: "station2").json["items"] == [])
    #expect(try await world.call(.get, "/api/v1/consults?state=flying", as: "station").status == 422)
  }

  @Test(
    arguments: [
      ("patient", nil, "/patient", "required"), ("patient", ["sex": "male"], "/patient/name", "required"),
      ("patient", ["name": "A", "birthDate": "1958-02-30"], "/patient/birthDate", "format"),
      ("patient", ["name": "A", "birthDate": "2126-02-28"], "/patient/birthDate", "range"),
      ("urgency", "now", "/urgency", "enum"), ("situation", "  ", "/situation", "blank"),
      ("vitals", ["spo2": 101], "/vitals/spo2", "range"), ("vitals", ["pulse": "fast"], "/vitals/pulse", "type"),
      ("stationId", "99999", "/stationId", "unknown"), ("stationId", "x", "/stationId", "format"),
      ("id", "abc", "/id", "format"), ("consent", ["basis": "consent"], "/consent/at", "required"),
    ] as [(String, JSON?, String, String)])
  func refusesBadRequests(name: String, value: JSON?, pointer: String, code: String) async throws {
    let world = try await World()
    guard case .object(var members) = World.consultBody() else { return }
    members[name] = value
    let called = try await world.call(.post, "/api/v1/consults", as: "station", body: .object(members))
    #expect(called.status == 422 && called.code == "invalid")
    #expect(called.pointers == [pointer], "\(called.text)")
    #expect(called.json["errors"]?.array?.first?["code"] == .string(code))
  }
}
