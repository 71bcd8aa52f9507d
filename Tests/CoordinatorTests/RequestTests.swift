import Coordinator
import Domain
import Testing

@Suite struct RequestTests {
  private static let id = "019aa000-0000-7000-8000-000000000001"

  @Test func asks() async throws {
    try await withWorld { world async throws in
      let answer = try await world.coordinator.requestConsult(
        Call(world.station), World.body(["vitals": ["pulse": 120], "urgencyReason": "ST chênh"]))
      let json = answer.json
      #expect(answer.status == .created && answer.version == 1)
      #expect(json["state"] == "requested" && json["version"] == 1)
      #expect(json["stationId"] == "38001" && json["stationName"] == "Trạm Hạc Thành")
      #expect(json["specialty"] == "cardiology" && json["urgency"] == "urgent")
      #expect(json["dueAt"]?.string == (World.now + .minutes(60)).text)
      #expect(json["overdue"] == false)
      #expect(json["patient"] == World.patient)
      #expect(json["allowed"] == ["appointment", "cancel"])
      #expect(UUIDv7.isUUID(answer.id))
      let event = try #require(try await world.events().first)
      #expect(event.type == "consult.requested" && event.subject == "consults/" + answer.id)
      #expect(event.facilities == ["38001"] && event.specialty == "cardiology" && event.actor == "tram")
      for secret in ["Hoa", "Đau", "0381", "1950", "Xin", "ST"] { #expect(!event.cloudEvent.contains(secret)) }
    }
  }

  @Test(arguments: [("emergency", 10), ("urgent", 60), ("sameDay", 480), ("routine", 4320)] as [(String, Int64)])
  func dueByItsUrgency(urgency: String, minutes: Int64) async throws {
    try await withWorld { world async throws in
      let answer = try await world.coordinator.requestConsult(
        Call(world.station), World.body(["urgency": .string(urgency)]))
      #expect(answer.json["dueAt"]?.string == (World.now + .minutes(minutes)).text)
      let due = try await world.store.read { try $0.dueDeadlines(now: World.now + .days(9), limit: 99) }
      #expect(
        due.contains(Deadline(kind: .consultOverdue, subject: answer.id, at: World.now + .minutes(minutes))))
    }
  }

  // MARK: Whose station

  @Test func theStationMayBeSaid() async throws {
    try await withWorld { world async throws in
      let two = World.caller("hai", .station, at: ["38001", "38002"])
      let refusal = await #expect(throws: Rejection.self) { try await world.requested(by: two) }
      #expect(refusal?.fields.first?.pointer == "/stationId")
      let id = try await world.requested(["stationId": "38002"], by: two)
      #expect(try await world.coordinator.consult(Call(two), id: id).json["stationId"] == "38002")
    }
  }

  @Test(arguments: [("38002", Rejection.Code.forbidden), ("99999", .invalid), ("38003", .invalid)])
  func notForAnother(station: String, code: Rejection.Code) async throws {
    try await withWorld { world async throws in
      let refusal = await #expect(throws: Rejection.self) {
        try await world.requested(["stationId": .string(station)])
      }
      #expect(refusal?.code == code)
      #expect(try await world.events().isEmpty)
    }
  }

  @Test func onlyStationsAsk() async throws {
    try await withWorld { world async throws in
      for caller in [world.specialist, world.dispatcher, world.monitor, world.admin, world.auditor, world.crew] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.requested(["stationId": "38001"], by: caller)
        }
        #expect(refusal?.code == .forbidden, "\(caller.username)")
      }
    }
  }

  // MARK: What is asked

  @Test(
    arguments: [
      (["patient": [:]], "/patient/name"), (["patient": ["name": "  "]], "/patient/name"),
      (["patient": ["name": "A", "birthDate": "2026-11-22"]], "/patient/birthDate"),
      (["patient": ["name": "A", "birthDate": "31/01/1950"]], "/patient/birthDate"),
      (["situation": " \n"], "/situation"), (["request": ""], "/request"),
      (["vitals": ["pulse": 900]], "/vitals/pulse"),
      (["consent": ["basis": "consent"]], "/consent"),
    ] as [(KeyValuePairs<String, JSON?>, String)])
  func refuses(changes: KeyValuePairs<String, JSON?>, pointer: String) async throws {
    try await withWorld { world async throws in
      let refusal = await #expect(throws: Rejection.self) { try await world.requested(changes) }
      #expect(refusal?.code == .invalid)
      #expect(refusal?.fields.map(\.pointer) == [pointer])
    }
  }

  @Test func aTemporaryPatientNeedsNoName() async throws {
    try await withWorld { world async throws in
      let answer = try await world.coordinator.requestConsult(
        Call(world.station), World.body(["patient": ["temporary": true, "sex": "unknown"]]))
      #expect(answer.json["patient"] == ["sex": "unknown", "temporary": true])
    }
  }

  @Test func news2ComesWithTheAnswer() async throws {
    try await withWorld { world async throws in
      let vitals: JSON = [
        "respiratoryRate": 25, "spo2": 91, "oxygen": true, "systolic": 90, "pulse": 131, "consciousness": "voice",
        "temperature": .double(39.1),
      ]
      let answer = try await world.coordinator.requestConsult(Call(world.station), World.body(["vitals": vitals]))
      #expect(answer.json["news2"]?["total"] == 19)
      let child = World.body(["vitals": vitals, "patient": ["name": "Bé", "birthDate": "2020-01-01"]])
      #expect(try await world.coordinator.requestConsult(Call(world.station), child).json["news2"] == nil)
    }
  }

  // MARK: Again

  @Test func aRepeatedIdGetsTheFirstAnswer() async throws {
    try await withWorld { world async throws in
      let body = World.body(["id": .string(Self.id)])
      let first = try await world.coordinator.requestConsult(Call(world.station), body)
      #expect(first.id == Self.id)
      // Whatever became of it meanwhile.
      try await world.book(Self.id)
      world.clock.move(by: .minutes(20))
      let again = try await world.coordinator.requestConsult(Call(world.station), body)
      #expect(again == first)
      #expect(try await world.types(of: "consults/" + Self.id) == ["consult.requested", "consult.scheduled"])
    }
  }

  @Test func aTakenIdIsRefused() async throws {
    try await withWorld { world async throws in
      let body = World.body(["id": .string(Self.id)])
      _ = try await world.coordinator.requestConsult(Call(world.station), body)
      let other = World.body(["id": .string(Self.id), "situation": "Khác"])
      let byOther = World.body(["id": .string(Self.id), "stationId": "38001"])
      let second = World.caller("tram-b", .station, at: ["38001"])
      for (caller, body) in [(world.station, other), (second, body), (second, byOther), (world.otherStation, body)] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.requestConsult(Call(caller), body)
        }
        #expect(refusal?.code == .idTaken)
      }
      #expect(try await world.events().count == 1)
    }
  }

  @Test func theSameIdFromManyAtOnce() async throws {
    try await withWorld { world async throws in
      let body = World.body(["id": .string(Self.id)])
      let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
        for _ in 0..<20 {
          group.addTask { try await world.coordinator.requestConsult(Call(world.station), body) }
        }
        return try await group.reduce(into: [Answer]()) { $0.append($1) }
      }
      for answer in answers { #expect(answer == answers[0]) }
      #expect(try await world.events().count == 1)
    }
  }

  // MARK: Idempotency-Key

  private static func call(
    _ caller: Caller, _ key: String = "k1", scope: String = "POST /consults", body: UInt8 = 1
  ) -> Call {
    Call(caller, idempotency: .init(scope: caller.personId + " " + scope, key: key, bodyHash: [body]))
  }

  @Test func aRepeatedKeyGetsExactlyTheFirstAnswer() async throws {
    try await withWorld { world async throws in
      let first = try await world.coordinator.requestConsult(Self.call(world.station), World.body())
      #expect(!first.isReplay)
      world.clock.move(by: Span.hours(24).almost)
      var again = try await world.coordinator.requestConsult(Self.call(world.station), World.body())
      #expect(again.isReplay)
      again.isReplay = false
      #expect(again == first)
      #expect(try await world.events().count == 1)
      // Another key, another path, another caller, or a day later: another request.
      _ = try await world.coordinator.requestConsult(Self.call(world.station, "k2"), World.body())
      _ = try await world.coordinator.requestConsult(Self.call(world.station, scope: "POST /x"), World.body())
      _ = try await world.coordinator.requestConsult(Self.call(world.otherStation), World.body())
      world.clock.move(by: .milliseconds(1))
      _ = try await world.coordinator.requestConsult(Self.call(world.station), World.body())
      #expect(try await world.events().count == 5)
    }
  }

  @Test func aKeyIsForOneBody() async throws {
    try await withWorld { world async throws in
      _ = try await world.coordinator.requestConsult(Self.call(world.station), World.body())
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.requestConsult(Self.call(world.station, body: 2), World.body())
      }
      #expect(refusal?.code == .idempotencyKeyReused)
    }
  }

  @Test func theSameKeyFromManyAtOnce() async throws {
    try await withWorld { world async throws in
      let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
        for _ in 0..<20 {
          group.addTask { try await world.coordinator.requestConsult(Self.call(world.station), World.body()) }
        }
        return try await group.reduce(into: [Answer]()) { $0.append($1) }
      }
      #expect(answers.count(where: { !$0.isReplay }) == 1)
      #expect(Set(answers.map(\.body)).count == 1)
      #expect(try await world.events().count == 1)
    }
  }

  /// What was refused was not done, so the same key may try again.
  @Test func aRefusalIsNotKept() async throws {
    try await withWorld { world async throws in
      await #expect(throws: Rejection.self) {
        try await world.coordinator.requestConsult(Self.call(world.station), World.body(["situation": " "]))
      }
      let answer = try await world.coordinator.requestConsult(Self.call(world.station), World.body())
      #expect(!answer.isReplay)
    }
  }

  /// An answer holds a patient's name: the database holds it sealed only.
  @Test func keptAnswersAreSealed() async throws {
    try await withWorld { world async throws in
      let answer = try await world.coordinator.requestConsult(Self.call(world.station), World.body())
      let kept = try await world.store.read {
        try $0.keptAnswer(scope: "tram POST /consults", key: "k1", now: World.now)
      }
      let sealed = try #require(kept?.answer.body)
      #expect(sealed != answer.body)
      #expect(!String(decoding: sealed, as: UTF8.self).contains("Hoa"))
    }
  }
}
