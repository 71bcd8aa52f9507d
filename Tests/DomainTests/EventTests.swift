import Domain
import Testing

@Suite struct EventTests {
  private static let at = Instant("2026-11-21T08:30:00.250+07:00")!

  private static func record(
    _ type: EventType = .consultScheduled, seq: Int64 = 42, facilities: [String] = ["38001", "38901"],
    specialty: Specialty? = .cardiology, subject: String = "consults/c1"
  ) -> EventRecord {
    var data = EventData()
    data.consultId = "c1"
    data.state = "scheduled"
    return EventRecord(
      seq: seq, id: "e1", type: type.rawValue, time: at, subject: subject, facilities: facilities,
      specialty: specialty?.rawValue, actor: "p1", data: data.text, chain: [])
  }

  // MARK: Shape

  /// CONTRACT "Socket": the members, their order and a `sequence` of twelve digits.
  @Test func cloudEvent() throws {
    let text = Self.record().cloudEvent
    #expect(
      text
        == #"{"specversion":"1.0","id":"e1","type":"consult.scheduled","source":"/facilities/38001","#
        + #""subject":"consults/c1","time":"2026-11-21T08:30:00.250+07:00","sequence":"000000000042","#
        + #""datacontenttype":"application/json","data":{"consultId":"c1","state":"scheduled"}}"#)
    #expect(try JSON(parsing: text)["data"]?["consultId"] == "c1")
    // Who did it stays in the log.
    #expect(!text.contains("p1"))
  }

  @Test(arguments: [
    (1, "000000000001"), (999_999_999_999, "999999999999"), (1_000_000_000_000, "1000000000000"),
  ])
  func sequence(seq: Int64, text: String) throws {
    #expect(try JSON(parsing: Self.record(seq: seq).cloudEvent)["sequence"]?.string == text)
  }

  @Test(arguments: EventType.allCases)
  func everyTypeIsValidJSON(type: EventType) throws {
    let json = try JSON(parsing: Self.record(type, facilities: [], specialty: nil).cloudEvent)
    #expect(json["type"]?.string == type.rawValue)
    #expect(json["source"] == "/facilities/")
  }

  @Test func volatileCloudEventHasNoSequence() throws {
    var data = EventData()
    data.tripId = "t1"
    data.latitude = 19.8
    let event = VolatileEvent(
      id: "e2", type: .tripPosition, time: Self.at, subject: "trips/t1", facilities: ["38001"], data: data)
    let json = try JSON(parsing: event.cloudEvent)
    #expect(json["type"] == "trip.position")
    #expect(json["sequence"] == nil)
    #expect(json["data"]?["lat"]?.number == 19.8)
  }

  /// CONTRACT "Events": ids, states, urgency, specialty, facilities, disposition, times, milestone. No free text,
  /// diagnosis, origin, label or person's name.
  @Test func dataHoldsTheAllowedMembersOnly() throws {
    var data = EventData()
    data.consultId = "c"
    data.tripId = "t"
    data.practitionerId = "bs"
    data.stationId = "38001"
    data.vehicleId = "v"
    data.destinationId = "38901"
    data.state = "requested"
    data.urgency = .urgent
    data.specialty = .cardiology
    data.mode = .live
    data.start = Self.at
    data.end = Self.at
    data.dueAt = Self.at
    data.disposition = .refer
    data.version = 1
    data.sha256 = "00"
    data.milestone = .enRoute
    data.at = Self.at
    data.flags = ["late"]
    data.side = .station
    data.role = .specialist
    data.participants = 2
    data.latitude = 1
    data.longitude = 2
    data.speed = 3
    data.heading = 4
    data.accuracy = 5
    // Every member of the type is set above: one that is added must be added here, and thought about.
    for member in Mirror(reflecting: data).children {
      #expect(String(describing: member.value) != "nil", "\(member.label ?? "")")
    }
    guard case .object(let members) = try JSON(parsing: data.text) else { return #expect(Bool(false)) }
    #expect(
      Set(members.items.map(\.name)) == [
        "consultId", "tripId", "practitionerId", "stationId", "vehicleId", "destinationId", "state", "urgency",
        "specialty", "mode", "start", "end", "dueAt", "disposition", "version", "sha256", "milestone", "at", "flags",
        "side", "role", "participants", "lat", "lon", "speed", "heading", "accuracy",
      ])
    #expect(members.items.map(\.name) == EventMember.allCases.map(\.rawValue))
  }

  @Test func everyShapeNamesItsSubject() {
    for shape in EventType.allCases.map(\.shape) + VolatileType.allCases.map(\.shape) {
      let members = shape.required + shape.optional
      #expect(Set(members).count == members.count, "\(shape)")
      let id: EventMember =
        switch shape.subject {
        case .consults: .consultId
        case .trips: .tripId
        case .practitioners: .practitionerId
        }
      #expect(shape.required.contains(id), "\(shape)")
    }
  }

  /// Where somebody is goes to those who watch, and into no log.
  @Test(arguments: EventType.allCases)
  func noDurableEventHasAPosition(type: EventType) {
    let places: Set<EventMember> = [.latitude, .longitude, .speed, .heading, .accuracy]
    #expect(places.isDisjoint(with: type.shape.required + type.shape.optional))
  }

  @Test func aDraftNamesUpToFourDistinctFacilities() {
    let draft = EventDraft(
      type: .tripRequested, subject: "trips/t", facilities: ["A", "B", "A", "C", "D", "E"], specialty: nil, actor: "p",
      data: EventData())
    #expect(draft.facilities == ["A", "B", "C", "D"])
  }

  /// The chain must notice a change of any column.
  @Test func canonicalBytesCoverEveryColumn() {
    let event = Self.record()
    let changes: [(inout EventRecord) -> Void] = [
      { $0.seq = 43 }, { $0.id = "e2" }, { $0.type = "x" }, { $0.time = Self.at + .milliseconds(1) },
      { $0.subject = "x" }, { $0.facilities = ["38001"] }, { $0.facilities = ["38001,38901"] }, { $0.specialty = nil },
      { $0.actor = "p2" }, { $0.data = "{}" },
    ]
    for change in changes {
      var changed = event
      change(&changed)
      #expect(changed.canonicalBytes != event.canonicalBytes)
    }
  }

  // MARK: Filters

  @Test(arguments: [
    ("consult.*", "consult.requested", true), ("consult.*", "trip.requested", false), ("*", "trip.closed", true),
    ("*.requested", "trip.requested", true), ("*.requested", "trip.closed", false), ("c*.*ed", "consult.signed", true),
    ("c*t.*ed", "consult.signed", true), ("consult.signed", "consult.signed", true),
    ("consult.signed", "consult.signedX", false), ("consult", "consult.signed", false), ("", "consult.signed", false),
    ("consult.signed*", "consult.signed", true), ("consult.**", "consult.signed", true), ("a*a", "a", false),
    ("*consult*", "consult.signed", true), ("*x*", "consult.signed", false), ("ab*ba", "aba", false),
    ("Consult.*", "consult.signed", false),
  ])
  func wildcards(pattern: String, type: String, matches: Bool) {
    let filter = EventFilter(types: [pattern])
    #expect(filter.matches(type: type, facilities: [], specialty: nil, subject: "") == matches)
  }

  /// `*` stands for any run: the same as a plain backtracking matcher says, on many small texts.
  @Test func wildcardsAgreeWithASimplerMatcher() {
    func plain(_ text: Substring, _ pattern: Substring) -> Bool {
      guard let first = pattern.first else { return text.isEmpty }
      if first == "*" {
        return plain(text, pattern.dropFirst()) || (!text.isEmpty && plain(text.dropFirst(), pattern))
      }
      return text.first == first && plain(text.dropFirst(), pattern.dropFirst())
    }
    var random = SplitMix64(seed: 7)
    for _ in 0..<5_000 {
      let text = String((0..<random.below(7)).map { _ in random.pick(Array("ab.")) })
      let pattern = String((0..<random.below(6)).map { _ in random.pick(Array("ab.**")) })
      let filter = EventFilter(types: [pattern])
      #expect(
        filter.matches(type: text, facilities: [], specialty: nil, subject: "") == plain(text[...], pattern[...]),
        "\(pattern) on \(text)")
    }
  }

  @Test func filtersAreAllHeldAndListsAreAlternatives() {
    func matches(_ filter: EventFilter, _ event: EventRecord = Self.record()) -> Bool {
      filter.matches(
        type: event.type, facilities: event.facilities, specialty: event.specialty, subject: event.subject)
    }
    #expect(matches(EventFilter()))
    #expect(matches(EventFilter(types: ["trip.*", "consult.*"])))
    #expect(matches(EventFilter(facilities: ["38901", "1"])))
    #expect(!matches(EventFilter(facilities: ["38002"])))
    #expect(matches(EventFilter(specialties: ["cardiology"])))
    #expect(!matches(EventFilter(specialties: ["neurology"])))
    #expect(!matches(EventFilter(specialties: ["cardiology"]), Self.record(specialty: nil)))
    #expect(matches(EventFilter(subjects: ["consults/c1"])))
    #expect(!matches(EventFilter(subjects: ["consults/c"])))
    #expect(!matches(EventFilter(types: ["consult.*"], facilities: ["38002"])))
  }

  // MARK: Who sees what

  private static func caller(
    _ role: Role, at facilities: [String], specialty: Specialty? = nil, vehicle: String? = nil
  ) -> Caller {
    Caller(
      sessionId: "s", kind: .session, personId: "p", username: "u", name: "N",
      practitionerId: specialty.map { _ in "bs-01" }, specialty: specialty, vehicleId: vehicle,
      grants: [Grant(role: role, facilities: facilities)],
      tree: FacilityTree(parents: [("38001", "38000"), ("38901", "38000")]))
  }

  @Test(arguments: Role.allCases)
  func aGrantThatCoversAFacilitySeesTheEvent(role: Role) {
    #expect(Visibility(Self.caller(role, at: ["38001"])).sees(Self.record()))
    #expect(Visibility(Self.caller(role, at: ["38901"])).sees(Self.record()))
    #expect(Visibility(Self.caller(role, at: ["38000"])).sees(Self.record()))
    // An administrator sees every event.
    #expect(Visibility(Self.caller(role, at: ["40001"])).sees(Self.record()) == (role == .admin))
  }

  @Test(arguments: EventType.allCases)
  func aSpecialistSeesTheUnassignedOfTheSpecialty(type: EventType) {
    let unassigned: Set<EventType> = [
      .consultRequested, .consultDeclined, .consultEscalated, .consultCancelled, .consultAccepted,
    ]
    let seen = Visibility(Self.caller(.specialist, at: ["40901"], specialty: .cardiology)).sees(Self.record(type))
    #expect(seen == unassigned.contains(type))
    #expect(!Visibility(Self.caller(.specialist, at: ["40901"], specialty: .neurology)).sees(Self.record(type)))
    #expect(!Visibility(Self.caller(.specialist, at: ["40901"])).sees(Self.record(type, specialty: nil)))
    #expect(!Visibility(Self.caller(.monitor, at: ["40901"], specialty: .cardiology)).sees(Self.record(type)))
  }

  /// One that was somebody's was theirs to hear of.
  @Test func aSpecialistSeesTheCancellationOfNobodysOnly() {
    let specialist = Visibility(Self.caller(.specialist, at: ["40901"], specialty: .cardiology))
    var cancelled = Self.record(.consultCancelled)
    #expect(specialist.sees(cancelled))
    var data = EventData()
    data.practitionerId = "bs-02"
    cancelled.data = data.text
    #expect(!specialist.sees(cancelled))
    #expect(Visibility(Self.caller(.specialist, at: ["38001"], specialty: .cardiology)).sees(cancelled))
  }

  private static func position(vehicle: String? = "v-01") -> VolatileEvent {
    VolatileEvent(
      id: "e", type: .tripPosition, time: at, subject: "trips/t", facilities: ["38001", "38901"], vehicle: vehicle,
      destination: "38901", data: EventData())
  }

  /// CONTRACT: `trip.position` goes to dispatcher, crew, destination and monitor.
  @Test(arguments: Role.allCases)
  func positions(role: Role) {
    let atOrigin = Visibility(Self.caller(role, at: ["38001"])).sees(Self.position())
    #expect(atOrigin == [.dispatcher, .monitor, .auditor, .admin].contains(role))
    #expect(Visibility(Self.caller(role, at: ["38901"])).sees(Self.position()))
    #expect(Visibility(Self.caller(role, at: ["40001"])).sees(Self.position()) == (role == .admin))
    let rides = Visibility(Self.caller(role, at: ["40001"], vehicle: "v-01")).sees(Self.position())
    #expect(rides == [.crew, .admin].contains(role))
    #expect(
      Visibility(Self.caller(role, at: ["40001"], vehicle: nil)).sees(Self.position(vehicle: nil)) == (role == .admin))
  }

  @Test func presenceGoesToItsFacilities() {
    let event = VolatileEvent(
      id: "e", type: .presence, time: Self.at, subject: "consults/c", facilities: ["38001"], data: EventData())
    #expect(Visibility(Self.caller(.station, at: ["38001"])).sees(event))
    #expect(!Visibility(Self.caller(.station, at: ["38002"])).sees(event))
  }

  @Test func equalGrantsAreDecidedOnce() {
    #expect(
      Visibility(Self.caller(.monitor, at: ["38001", "38901"]))
        == Visibility(Self.caller(.monitor, at: ["38901", "38001"])))
  }
}
