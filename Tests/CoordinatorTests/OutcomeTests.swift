import Coordinator
import Domain
import Storage
import Testing

@Suite struct OutcomeTests {
  private func started(_ world: World) async throws -> String {
    let id = try await world.requested()
    try await world.book(id)
    try await world.move(id, .start, by: world.specialist)
    return id
  }

  private func document(_ world: World, _ id: String, _ version: Int64) async throws -> (
    bytes: [UInt8], sha256: String?
  ) {
    try await world.coordinator.outcomeDocument(Call(world.station), consult: id, version: version)
  }

  @Test func concludesSignsAndAmends() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      world.clock.move(by: .minutes(5))
      let concluded = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      #expect(concluded.json["state"] == "concluded")
      #expect(concluded.json["outcome"]?["version"] == 1)
      #expect(concluded.json["outcome"]?["signature"] == nil)
      #expect(try await document(world, id, 1).sha256 == nil)

      world.clock.move(by: .minutes(1))
      let signed = try await world.coordinator.sign(Call(world.specialist), consult: id)
      let first = try await document(world, id, 1)
      let sha256 = Secrets.hex(Secrets.sha256(first.bytes))
      #expect(
        signed.json == [
          "version": 1, "sha256": .string(sha256), "signedBy": "bs-01",
          "signedAt": .string((World.now + .minutes(6)).text),
        ])
      #expect(first.sha256 == sha256)

      let amendment = World.conclusion(["summary": "Viêm cơ tim", "reason": "Nhầm chẩn đoán"])
      let amended = try await world.coordinator.amend(Call(world.specialist), consult: id, amendment)
      #expect(amended.json["state"] == "amended")
      #expect(amended.json["outcome"]?["version"] == 2 && amended.json["outcome"]?["reason"] == "Nhầm chẩn đoán")
      #expect(amended.json["outcome"]?["signature"] == nil)
      #expect(amended.json["outcomes"]?.array?.map { $0["sha256"] != nil } == [true, false])
      let again = try await world.coordinator.sign(Call(world.specialist), consult: id)
      #expect(again.json["version"] == 2 && again.json["sha256"]?.string != sha256)
      // What was signed first is what it was.
      #expect(try await document(world, id, 1).bytes == first.bytes)
      #expect(try await document(world, id, 2).bytes != first.bytes)
      #expect(
        try await world.types(of: "consults/" + id).suffix(4) == [
          "consult.concluded", "consult.signed", "consult.amended", "consult.signed",
        ])
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  @Test func theEventsTellTheDispositionAndNoDiagnosis() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      _ = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      _ = try await world.coordinator.sign(Call(world.specialist), consult: id)
      for event in try await world.events().suffix(2) {
        let data = try JSON(parsing: event.data)
        #expect(data["disposition"] == "transferUrgent" && data["version"] == 1)
        for word in ["I21", "Nhồi", "Aspirin", "Hoa"] { #expect(!event.cloudEvent.contains(word)) }
      }
    }
  }

  @Test func onlyItsSpecialistWritesAndSigns() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      for (caller, code) in [
        (world.station, Rejection.Code.forbidden), (world.dispatcher, .forbidden), (world.auditor, .forbidden),
        (world.colleague, .notFound), (world.otherStation, .notFound),
      ] {
        let conclude = await #expect(throws: Rejection.self) {
          try await world.coordinator.conclude(Call(caller), consult: id, World.conclusion())
        }
        #expect(conclude?.code == code, "\(caller.username)")
        let sign = await #expect(throws: Rejection.self) {
          try await world.coordinator.sign(Call(caller), consult: id)
        }
        #expect(sign?.code == code, "\(caller.username)")
      }
    }
  }

  @Test func anAmendmentSaysWhy() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      _ = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      for reason in [nil, " "] as [JSON?] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.coordinator.amend(Call(world.specialist), consult: id, World.conclusion(["reason": reason]))
        }
        #expect(refusal?.fields.map(\.pointer) == ["/reason"])
      }
      // Only what is signed is amended.
      let early = await #expect(throws: Rejection.self) {
        try await world.coordinator.amend(Call(world.specialist), consult: id, World.conclusion(["reason": "x"]))
      }
      #expect(early?.code == .illegalTransition)
    }
  }

  @Test func signingTwiceAtOnceSignsOnce() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      _ = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      let signed = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<10 {
          group.addTask { (try? await world.coordinator.sign(Call(world.specialist), consult: id)) != nil }
        }
        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(signed == 1)
      #expect(try await world.types().count(where: { $0 == "consult.signed" }) == 1)
    }
  }

  @Test func theVersionThatWasReadIsSigned() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      let concluded = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      let version = try #require(concluded.version)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.sign(Call(world.specialist, ifMatch: version - 1), consult: id)
      }
      #expect(refusal?.code == .preconditionFailed)
      _ = try await world.coordinator.sign(Call(world.specialist, ifMatch: version), consult: id)
    }
  }

  @Test func whoReadsTheDocument() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      _ = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      for (caller, code) in [
        (world.station, nil), (world.specialist, nil), (world.auditor, nil), (world.dispatcher, .forbidden),
        (world.monitor, .forbidden), (world.admin, .forbidden), (world.colleague, .notFound), (world.crew, .notFound),
      ] as [(Caller, Rejection.Code?)] {
        do {
          _ = try await world.coordinator.outcomeDocument(Call(caller), consult: id, version: 1)
          #expect(code == nil, "\(caller.username)")
        } catch let refusal as Rejection { #expect(refusal.code == code, "\(caller.username)") }
      }
      #expect(Set(try await world.accessLog().map(\.person)).isSuperset(of: ["tram", "kiemtra"]))
      for version in [0, 2, -1, .max] as [Int64] {
        let refusal = await #expect(throws: Rejection.self) { try await document(world, id, version) }
        #expect(refusal?.code == .notFound)
      }
    }
  }

  @Test func aCrewReadsTheAdviceOfItsConsult() async throws {
    try await withWorld { world async throws in
      let id = try await started(world)
      _ = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      _ = try await world.trip(["consultId": .string(id)])
      let json = try await world.coordinator.consult(Call(world.crew), id: id).json
      #expect(json["outcome"] == ["version": 1, "disposition": "transferUrgent", "recommendation": "Aspirin 300 mg"])
      #expect(json["patient"] == nil && json["situation"] == nil && json["vitals"] == nil)
      let other = await #expect(throws: Rejection.self) {
        try await world.coordinator.consult(Call(world.otherCrew), id: id)
      }
      #expect(other?.code == .notFound)
    }
  }
}
