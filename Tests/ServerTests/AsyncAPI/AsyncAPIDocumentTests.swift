import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct AsyncAPIDocumentTests {
  /// Every type of event, durable and volatile.
  private static let types = Set(EventType.allCases.map(\.rawValue) + VolatileType.allCases.map(\.rawValue))

  private func document() async throws -> JSON {
    let called = try await World().call(.get, "/asyncapi.json")
    #expect(called.status == 200 && called[.contentType]?.hasPrefix("application/json") == true)
    return called.json
  }

  @Test func says() async throws {
    let document = try await document()
    #expect(document["asyncapi"] == "3.0.0" && document["info"]?["version"] == "test")
    #expect(document["channels"]?["feed"]?["address"] == "/api/v1/events")
    #expect(document["channels"]?["call"]?["address"] == "/api/v1/consults/{id}/call")
    #expect(names(document["channels"]?["call"]?["parameters"]) == ["id"])
    #expect(document["operations"]?["sendFeed"]?["action"] == "send")
    #expect(document["operations"]?["receiveFromParticipant"]?["action"] == "receive")
    #expect(names(document["components"]?["securitySchemes"]) == ["bearer", "cookie", "ticket"])
  }

  @Test func describesEveryTypeAndNoOther() async throws {
    let document = try await document()
    let schemas = names(document["components"]?["schemas"])
    // A type is two words with a dot, or `presence`; the other shapes are named as Swift's types are.
    #expect(schemas.filter { $0.first?.isUppercase == false } == Self.types)
    #expect(names(document["channels"]?["feed"]?["messages"]) == Self.types.union(["ready", "bookmark", "gap"]))
    for type in Self.types {
      let schema = document["components"]?["schemas"]?[type]
      #expect(schema?["properties"]?["type"]?["enum"] == .array([.string(type)]))
      #expect(schema?["additionalProperties"] == .bool(false))
      #expect(schema?["properties"]?["data"]?["additionalProperties"] == .bool(false))
    }
  }

  @Test func takesTheQueryFromTheRoute() async throws {
    let document = try await document()
    let feed = names(document["channels"]?["feed"]?["bindings"]?["ws"]?["query"]?["properties"])
    #expect(feed.isSuperset(of: ["after", "types", "facility", "specialty", "subject", "ticket"]))
    #expect(!feed.contains("limit"))
    #expect(names(document["channels"]?["call"]?["bindings"]?["ws"]?["query"]?["properties"]) == ["ticket"])
  }

  @Test func everyReferenceLeadsSomewhere() async throws {
    let document = try await document()
    let references = references(in: document)
    #expect(references.count > 100)
    for reference in Set(references) {
      #expect(reference.hasPrefix("#/"))
      let found = reference.dropFirst(2).split(separator: "/").reduce(document as JSON?) { $0?[String($1)] }
      #expect(found != nil, "\(reference)")
    }
  }

  @Test func everyMessageIsSaidByOneSide() async throws {
    let document = try await document()
    var said: [String] = []
    for operation in ["sendFeed", "receiveFromParticipant", "sendToParticipant"] {
      let messages = document["operations"]?[operation]?["messages"]?.array ?? []
      said += messages.compactMap { $0["$ref"]?.string?.split(separator: "/").last.map(String.init) }
    }
    #expect(Set(said).count == said.count && Set(said) == names(document["components"]?["messages"]))
  }

  // MARK: Events

  /// What the Coordinator appends, held against the schemas: consults on all their ways, and a trip.
  @Test func eventsAreAsDescribed() async throws {
    let world = try await World()
    for state in ConsultState.allCases { _ = try await world.consult(state) }
    let scheduled = try await world.consult(.scheduled)
    for (step, account) in [("decline", "specialist"), ("cancel", "station")] {
      let called = try await world.call(
        .post, "/api/v1/consults/\(scheduled)/\(step)", as: account, body: ["reason": "Bận cấp cứu"])
      #expect(called.status == 200, "\(called.text)")
    }
    let trip = try await world.trip()
    let milestone: JSON = ["milestone": "handedOver", "at": .instant(world.clock.now)]
    let called = try await world.call(.post, "/api/v1/trips/\(trip)/milestones", as: "crew", body: milestone)
    #expect(called.status == 200, "\(called.text)")

    let page = try await world.call(.get, "/api/v1/events?after=oldest&limit=500", as: "admin").json
    var seen: Set<String> = []
    for event in page["items"]?.array?.compactMap({ $0["event"] }) ?? [] {
      let type = try #require(event["type"]?.string.flatMap(EventType.init(rawValue:)))
      let faults = Schema.event(type).check(event)
      #expect(faults.isEmpty, "\(event.text): \(faults)")
      seen.insert(type.rawValue)
    }
    #expect(
      seen.isSuperset(of: [
        "consult.requested", "consult.accepted", "consult.declined", "consult.scheduled", "consult.arrived",
        "consult.started", "consult.interrupted", "consult.concluded", "consult.signed", "consult.cancelled",
        "schedule.changed", "trip.requested", "trip.milestone", "trip.closed",
      ]))
  }

  @Test func anEventWithMoreOrLessIsNone() throws {
    var data = EventData()
    data.consultId = "01890a5d-ac96-774b-bcce-b302099a8057"
    data.participants = 2
    let event = VolatileEvent(
      id: "01890a5d-ac96-774b-bcce-b302099a8058", type: .presence, time: Instant(milliseconds: 0),
      subject: "consults/01890a5d-ac96-774b-bcce-b302099a8057", facilities: ["38101"], data: data)
    #expect(Schema.event(.presence).check(try JSON(parsing: event.cloudEvent)).isEmpty)

    data.stationId = "38101"
    data.participants = nil
    var other = event
    other.data = data.text
    let faults = Schema.event(.presence).check(try JSON(parsing: other.cloudEvent))
    #expect(faults.map(\.pointer) == ["/data/participants", "/data/stationId"])
    #expect(faults.map(\.code) == ["required", "unknown"])
  }

  @Test(arguments: ["consults/x", "trips/01890a5d-ac96-774b-bcce-b302099a8057", "consults/", ""])
  func aSubjectIsWhatItsTypeIsAbout(subject: String) throws {
    var event = VolatileEvent(
      id: "01890a5d-ac96-774b-bcce-b302099a8058", type: .presence, time: Instant(milliseconds: 0), subject: subject,
      facilities: [], data: EventData())
    event.data = #"{"consultId":"01890a5d-ac96-774b-bcce-b302099a8057","participants":0}"#
    let faults = Schema.event(.presence).check(try JSON(parsing: event.cloudEvent))
    #expect(faults.map(\.pointer) == ["/subject"])
  }

  // MARK: Reading the document

  private func names(_ object: JSON?) -> Set<String> {
    guard case .object(let members)? = object else { return [] }
    return Set(members.items.map(\.name))
  }

  private func references(in json: JSON) -> [String] {
    switch json {
    case .object(let members):
      members.items.flatMap { item in
        item.name == "$ref" ? [item.value.string ?? ""] : references(in: item.value)
      }
    case .array(let items): items.flatMap { references(in: $0) }
    default: []
    }
  }
}
