import Coordinator
import Domain
import Storage
import Testing

@Suite struct DeadlineTests {
  private func escalations(_ world: World) async throws -> Int {
    try await world.types().count(where: { $0 == "consult.escalated" })
  }

  @Test func anUnansweredRequestEscalatesOnce() async throws {
    try await withWorld { world async throws in
      let id = try await world.requested()
      world.clock.move(by: .milliseconds(3_599_999))
      _ = try await world.coordinator.fireDue()
      #expect(try await escalations(world) == 0)
      world.clock.move(by: .milliseconds(1))
      // Two passes at once, as on two nodes.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<10 { group.addTask { _ = try await world.coordinator.fireDue() } }
        try await group.waitForAll()
      }
      _ = try await world.coordinator.fireDue()
      #expect(try await escalations(world) == 1)
      let event = try #require(try await world.events().last { $0.type == "consult.escalated" })
      #expect(event.actor == "system" && event.facilities == ["38001"] && event.specialty == "cardiology")
      let json = try await world.coordinator.consult(Call(world.station), id: id).json
      #expect(json["state"] == "requested" && json["overdue"] == true && json["version"] == 2)
      // It never rings out: it can still be answered.
      try await world.book(id)
    }
  }

  @Test func anAnsweredRequestDoesNot() async throws {
    try await withWorld { world async throws in
      let (first, second) = (try await world.requested(), try await world.requested())
      try await world.book(first)
      try await world.move(second, .accept, by: world.specialist)
      world.clock.move(by: .days(1))
      _ = try await world.coordinator.fireDue()
      #expect(try await escalations(world) == 0)
    }
  }

  /// One row that cannot be fired must not keep the others from it.
  @Test func aRowThatCannotBeFiredStopsNoOther() async throws {
    try await withWorld { world async throws in
      let broken = try await world.requested(["urgency": "emergency"])
      let id = try await world.requested()
      try await world.store.write { transaction in
        guard let tables = transaction as? SQLTransaction else { return }
        try tables.connection.run(SQL("UPDATE consult SET specialty = 'magic' WHERE id = $1"), [.text(broken)])
      }
      world.clock.move(by: .hours(2))
      _ = try await world.coordinator.fireDue()
      #expect(try await world.types(of: "consults/" + id).contains("consult.escalated"))
      // It stays due, and is not lost when it can be read again.
      let due = try await world.store.read { try $0.dueDeadlines(now: World.now + .hours(2), limit: 9) }
      #expect(due.map(\.subject).contains(broken))
    }
  }

  // MARK: Vehicles

  private func stale(_ world: World) async throws -> Int {
    try await world.types().count(where: { $0 == "trip.stale" })
  }

  private func position(_ at: Instant) -> Position { Position(at: at, latitude: 19.9, longitude: 105.7) }

  @Test func aSilentVehicleIsToldOnce() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      world.clock.move(by: .minutes(30))
      _ = try await world.coordinator.fireDue()
      // It has not left yet.
      #expect(try await stale(world) == 0)
      try await world.milestone(id, .enRoute)
      world.clock.move(by: .milliseconds(59_999))
      _ = try await world.coordinator.fireDue()
      #expect(try await stale(world) == 0)
      world.clock.move(by: .milliseconds(1))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<10 { group.addTask { _ = try await world.coordinator.fireDue() } }
        try await group.waitForAll()
      }
      #expect(try await stale(world) == 1)
      world.clock.move(by: .hours(1))
      _ = try await world.coordinator.fireDue()
      #expect(try await stale(world) == 1)
      // Heard again, and silent again.
      _ = try await world.coordinator.recordPositions(Call(world.crew), trip: id, [position(world.clock.now)])
      world.clock.move(by: .seconds(60))
      _ = try await world.coordinator.fireDue()
      #expect(try await stale(world) == 2)
    }
  }

  @Test func aVehicleThatSendsIsNotStale() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      try await world.milestone(id, .enRoute)
      for _ in 0..<10 {
        world.clock.move(by: .seconds(30))
        _ = try await world.coordinator.recordPositions(Call(world.crew), trip: id, [position(world.clock.now)])
        _ = try await world.coordinator.fireDue()
      }
      #expect(try await stale(world) == 0)
      try await world.milestone(id, .handedOver)
      world.clock.move(by: .hours(1))
      _ = try await world.coordinator.fireDue()
      #expect(try await stale(world) == 0)
    }
  }

  /// A deadline that was read as due and moved before it could be fired is not fired.
  @Test func aDeadlineThatMovedMeanwhile() async throws {
    try await withWorld { world async throws in
      let id = try await world.trip()
      try await world.milestone(id, .enRoute)
      try await world.store.write { tx in
        try tx.clearDeadline(.housekeeping, subject: "")
        try tx.clearDeadline(.seal, subject: "")
      }
      world.clock.move(by: .seconds(60))
      let later = World.now + .seconds(90)
      world.interruption.beforeNextWrite {
        try await world.store.write { try $0.setDeadline(.tripStale, subject: id, at: later) }
      }
      _ = try await world.coordinator.fireDue()
      #expect(try await stale(world) == 0)
      #expect(try await world.store.read { try $0.nextDeadline() } == later)
    }
  }

  // MARK: The deployment's own

  @Test func theHeadIsSealedEveryHour() async throws {
    try await withWorld { world async throws in
      _ = try await world.requested(["urgency": "routine"])
      // Those of a new database are counted from its making, by the system's clock.
      world.clock.move(to: max(.system, world.clock.now) + .hours(2))
      _ = try await world.coordinator.fireDue()
      let anchors = try await world.store.read { try $0.anchors() }
      #expect(anchors.map(\.seq) == [1])
      #expect(anchors.first?.hmac == World.secrets.anchor(.events, seq: 1, chain: anchors[0].chain))
      let next = try await world.store.read { try $0.dueDeadlines(now: world.clock.now + .hours(1), limit: 9) }
      #expect(next.contains(Deadline(kind: .seal, subject: "", at: world.clock.now + .hours(1))))
      #expect(next.contains(Deadline(kind: .housekeeping, subject: "", at: world.clock.now + .minutes(5))))
      #expect(try await world.coordinator.store.verify(secrets: World.secrets).problems == [])
    }
  }

  @Test func whatHasEndedIsRemoved() async throws {
    try await withWorld { world async throws in
      let call = Call(
        world.station, idempotency: .init(scope: "s", key: "k", bodyHash: [1]))
      _ = try await world.coordinator.requestConsult(call, World.body(["urgency": "routine"]))
      world.clock.move(to: max(.system, world.clock.now) + .days(2))
      _ = try await world.coordinator.fireDue()
      let kept = try await world.store.read { try $0.keptAnswer(scope: "s", key: "k", now: World.now) }
      #expect(kept == nil)
    }
  }
}
