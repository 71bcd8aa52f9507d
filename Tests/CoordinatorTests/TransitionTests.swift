import Coordinator
import Domain
import Storage
import Testing

@Suite(.timeLimit(.minutes(10))) struct TransitionTests {
  private func state(_ world: World, _ id: String) async throws -> ConsultState? {
    try await world.store.read { try $0.consult(id)?.state }
  }

  // MARK: The way

  @Test func theWholeWay() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      #expect(try await world.move(id, .accept, by: world.specialist).json["state"] == "assigned")
      try await world.book(id)
      #expect(try await world.move(id, .arrive, by: world.station).json["state"] == "waiting")
      let started = try await world.move(id, .start, by: world.specialist).json
      #expect(started["state"] == "inProgress" && started["startedAt"]?.string == World.now.text)
      world.clock.move(by: .minutes(1))
      try await world.move(id, .interrupt, by: world.station)
      // A consult never ends because a link did, and began once.
      #expect(try await world.move(id, .resume, by: world.specialist).json["startedAt"]?.string == World.now.text)
      let concluded = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion())
      #expect(concluded.json["endedAt"]?.string == (World.now + .minutes(1)).text)
      _ = try await world.coordinator.sign(Call(world.specialist), consult: id)
      #expect(
        try await world.types(of: "consults/" + id).map { $0.dropFirst("consult.".count) } == [
          "requested", "accepted", "scheduled", "arrived", "started", "interrupted", "resumed", "concluded", "signed",
        ])
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  @Test func theFirstToAcceptWins() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let results = await withTaskGroup(of: Rejection?.self) { group in
        for caller in [world.specialist, world.colleague] {
          group.addTask {
            do {
              try await world.move(id, .accept, by: caller)
              return nil
            } catch { return error as? Rejection }
          }
        }
        return await group.reduce(into: [Rejection?]()) { $0.append($1) }
      }
      #expect(results.count(where: { $0 == nil }) == 1)
      let refusal = results.compactMap { $0 }.first
      #expect(refusal?.code == .illegalTransition && refusal?.extra["state"] == "assigned")
    }
  }

  @Test func whoMayNotAccept() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      for (caller, code) in [
        (world.neurologist, Rejection.Code.notFound), (world.station, .forbidden), (world.dispatcher, .forbidden),
        (world.monitor, .forbidden), (world.otherStation, .notFound),
      ] {
        let refusal = await #expect(throws: Rejection.self) { try await world.move(id, .accept, by: caller) }
        #expect(refusal?.code == code, "\(caller.username)")
      }
    }
  }

  @Test func anIllegalMoveSaysWhatIsAllowed() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let refusal = await #expect(throws: Rejection.self) { try await world.move(id, .start, by: world.station) }
      #expect(refusal?.code == .illegalTransition)
      #expect(refusal?.extra["state"] == "requested")
      #expect(refusal?.extra["allowed"] == ["appointment", "accept", "cancel"])
    }
  }

  @Test func theNewestVersionIsAsked() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.move(id, .accept, by: world.specialist)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.move(Call(world.station, ifMatch: 1), consult: id, .arrive, .null)
      }
      #expect(refusal?.code == .preconditionFailed)
      #expect(try await state(world, id) == .assigned)
    }
  }

  // MARK: Back, off, missed

  @Test func aDeclinedConsultWaitsAgain() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      world.clock.move(by: .minutes(10))
      let json = try await world.move(id, .decline, by: world.specialist, ["reason": "Đang mổ"]).json
      #expect(json["state"] == "requested" && json["practitionerId"] == nil && json["appointment"] == nil)
      #expect(json["overdue"] == false)
      // The time is free again, and the deadline is what it was: the patient has waited already.
      let taken = try await world.store.read {
        try $0.takenCells(resource: "bs-01", in: 0..<100_000_000, now: World.now)
      }
      #expect(taken.isEmpty)
      let due = try await world.store.read { try $0.dueDeadlines(now: World.now + .days(1), limit: 99) }
      #expect(due.contains(Deadline(kind: .consultOverdue, subject: id, at: World.now + .minutes(60))))
      // The practitioner and their hospital hear of it too.
      let event = try #require(try await world.events().first { $0.type == "consult.declined" })
      #expect(event.facilities == ["38001", "38901"])
      #expect(try JSON(parsing: event.data)["practitionerId"] == "bs-01")
      #expect(!event.data.contains("mổ"))
      // The station sees why; so does who may read the record.
      let read = try await world.coordinator.consult(Call(world.station), id: id).json
      #expect(read["reasons"]?.array?.first?["reason"] == "Đang mổ")
      #expect(try await world.coordinator.consult(Call(world.monitor), id: id).json["reasons"] == nil)
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
      // And it can be booked again, with the same people, and declined again, though the clock stands still.
      try await world.book(id)
      let again = try await world.move(id, .decline, by: world.specialist, ["reason": "Vẫn đang mổ"]).json
      #expect(again["reasons"]?.array?.map { $0["reason"]?.string } == ["Đang mổ", "Vẫn đang mổ"])
    }
  }

  @Test func aConsultDeclinedTooLateEscalatesAtOnce() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      world.clock.move(by: .minutes(60))
      // While it was booked, its deadline passed unheard.
      _ = try await world.coordinator.fireDue()
      #expect(try await !world.types().contains("consult.escalated"))
      let answer = try await world.move(id, .decline, by: world.specialist, ["reason": "Đang mổ"])
      #expect(answer.json["overdue"] == true)
      #expect(
        try await world.types(of: "consults/" + id).suffix(2) == ["consult.declined", "consult.escalated"])
      let version = try await world.store.read { try $0.consult(id)?.version }
      #expect(answer.version == version && answer.json["version"]?.int == version)
    }
  }

  @Test(arguments: [ConsultTransition.accept, .appointment, .arrive])
  func cancelsBeforeItBegan(last: ConsultTransition) async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      if last == .accept { try await world.move(id, .accept, by: world.specialist) }
      if last != .accept { try await world.book(id) }
      if last == .arrive { try await world.move(id, .arrive, by: world.station) }
      let json = try await world.move(id, .cancel, by: world.dispatcher, ["reason": "Đã chuyển viện"]).json
      #expect(json["state"] == "cancelled" && json["allowed"] == [])
      #expect(json["endedAt"]?.string == World.now.text)
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
      let freed = last == .accept ? 0 : 2
      #expect(try await world.types().count(where: { $0 == "schedule.changed" }) == freed)
      // Nobody is alarmed about it later.
      world.clock.move(by: .days(1))
      _ = try await world.coordinator.fireDue()
      #expect(try await !world.types().contains("consult.escalated"))
    }
  }

  @Test(arguments: [ConsultTransition.decline, .cancel])
  func saysWhy(transition: ConsultTransition) async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.move(id, .accept, by: world.specialist)
      for body in [.null, [:], ["reason": " \n"], ["reason": 5]] as [JSON] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.move(id, transition, by: world.specialist, body)
        }
        #expect(refusal?.fields.map(\.pointer) == ["/reason"])
      }
      #expect(try await state(world, id) == .assigned)
    }
  }

  @Test func missingFromTenMinutesAfterTheStart() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      try await world.book(id)
      world.clock.move(to: World.nine + .minutes(10) - .milliseconds(1))
      let early = await #expect(throws: Rejection.self) {
        try await world.move(id, .noShow, by: world.station, ["side": "specialist"])
      }
      #expect(early?.code == .illegalTransition)
      world.clock.move(by: .milliseconds(1))
      for side in [.null, "nobody", 3] as [JSON] {
        let refusal = await #expect(throws: Rejection.self) {
          try await world.move(id, .noShow, by: world.station, ["side": side])
        }
        #expect(refusal?.fields.map(\.pointer) == ["/side"])
      }
      let json = try await world.move(id, .noShow, by: world.station, ["side": "specialist"]).json
      #expect(json["state"] == "noShow")
      #expect(json["appointment"] != nil)
      let event = try #require(try await world.events().first { $0.type == "consult.noShow" })
      #expect(try JSON(parsing: event.data)["side"] == "specialist")
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  /// No client can put words into the feed by adding members that a move does not have.
  @Test func nothingThatAClientAddsGoesOut() async throws {
    try await withWorld { world async throws in
      let words: JSON = ["side": "Bà Hoa có thai", "reason": "Bà Hoa có thai", "state": "Bà Hoa", "patient": "Bà Hoa"]
      let id = try await world.requested()
      for (transition, caller) in [
        (ConsultTransition.accept, world.specialist), (.arrive, world.station), (.start, world.station),
        (.interrupt, world.station), (.resume, world.station),
      ] { try await world.move(id, transition, by: caller, words) }
      let other = try await world.requested()
      try await world.move(other, .cancel, by: world.station, words)
      for event in try await world.events() { #expect(!event.cloudEvent.contains("Hoa"), "\(event.type)") }
      // Nor into the record.
      let read = try await world.coordinator.consult(Call(world.station), id: id).json
      #expect(read["reasons"] == nil)
    }
  }

  @Test func aWrittenOpinionSkipsTheCall() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested(["mode": "written"])
      try await world.move(id, .accept, by: world.specialist)
      let json = try await world.coordinator.conclude(Call(world.specialist), consult: id, World.conclusion()).json
      #expect(json["state"] == "concluded" && json["startedAt"] == nil)
      // The time of an appointment that was not needed is the specialist's again.
      let booked = try await world.requested(["mode": "written"])
      try await world.book(booked)
      let early = try await world.coordinator.conclude(Call(world.specialist), consult: booked, World.conclusion()).json
      #expect(early["state"] == "concluded" && early["appointment"] == nil)
      #expect(try await world.types().last == "schedule.changed")
      try await world.book(try await world.requested())
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])

      let live = try await world.requested()
      try await world.move(live, .accept, by: world.specialist)
      let refusal = await #expect(throws: Rejection.self) {
        try await world.coordinator.conclude(Call(world.specialist), consult: live, World.conclusion())
      }
      #expect(refusal?.code == .illegalTransition)
    }
  }

  // MARK: Reading what was moved

  /// The answer of a move shows the patient: whoever sees it for the first time there is in the access log.
  @Test func anAnswerThatShowsThePatientIsLogged() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      let json = try await world.move(id, .accept, by: world.specialist).json
      #expect(json["patient"] == World.patient)
      #expect(try await world.accessLog().map(\.person) == ["bacsi"])
      try await world.book(id, by: world.dispatcher)
      #expect(try await world.accessLog().map(\.person) == ["bacsi", "dieuphoi"])
      #expect(try await world.accessLog().allSatisfy { $0.subject == "consults/" + id && $0.action == "read" })
    }
  }
}
