import Domain
import Testing

@Suite struct TripMachineTests {
  private static let nine = Instant("2026-11-21T09:00:00+07:00")!

  /// Records a step and returns it as it was kept.
  @discardableResult
  private static func record(
    _ machine: inout TripMachine, _ milestone: Milestone, minute: Int64, now: Int64? = nil
  ) throws -> (RecordedMilestone, closes: Bool) {
    let step = try machine.record(milestone, at: nine + .minutes(minute), now: nine + .minutes(now ?? minute))
    guard case .recorded(let recorded, let closes) = step else { throw Unexpected() }
    return (recorded, closes)
  }

  private struct Unexpected: Error {}

  private static let way: [Milestone] = [
    .dispatched, .acknowledged, .enRoute, .atScene, .patientContact, .departed, .atDestination, .handedOver,
    .available, .atBase,
  ]

  @Test func theWholeWay() throws {
    var machine = TripMachine(milestones: [])
    #expect(machine.state == "requested")
    #expect(!machine.isUnderWay && !machine.isClosed)
    for (index, milestone) in Self.way.enumerated() {
      #expect(machine.allowed.contains(milestone))
      let (recorded, closes) = try Self.record(&machine, milestone, minute: Int64(index))
      #expect(recorded.flags.isEmpty)
      #expect(recorded.at == recorded.recordedAt)
      #expect(closes == (milestone == .handedOver))
      #expect(machine.state == milestone.rawValue)
      #expect(machine.isClosed == (index >= 7))
      #expect(machine.isUnderWay == (2...6).contains(index))
    }
    #expect(machine.allowed.isEmpty)
    #expect(machine.milestones.map(\.milestone) == Self.way)
  }

  @Test func stepsMayBeLeftOut() throws {
    var machine = TripMachine(milestones: [])
    try Self.record(&machine, .enRoute, minute: 0)
    try Self.record(&machine, .departed, minute: 9)
    #expect(machine.state == "departed")
    // The phone that recorded it was offline.
    let (late, _) = try Self.record(&machine, .atScene, minute: 5, now: 12)
    #expect(late.flags == ["late"])
    #expect(machine.state == "departed")
  }

  @Test(arguments: [(5 * 60_000, []), (5 * 60_000 + 1, ["late"])] as [(Int64, [String])])
  func lateIsMoreThanFiveMinutes(milliseconds: Int64, flags: [String]) throws {
    var machine = TripMachine(milestones: [])
    let step = try machine.record(.dispatched, at: Self.nine - .milliseconds(milliseconds), now: Self.nine)
    #expect(step == .recorded(machine.milestones[0], closes: false))
    #expect(machine.milestones[0].flags == flags)
  }

  @Test func aDeviceTimeAheadIsReplacedFromTwoMinutesOn() throws {
    var machine = TripMachine(milestones: [])
    _ = try machine.record(.dispatched, at: Self.nine + .minutes(2), now: Self.nine)
    #expect(machine.milestones[0].at == Self.nine + .minutes(2))
    #expect(machine.milestones[0].flags.isEmpty)
    _ = try machine.record(.acknowledged, at: Self.nine + .minutes(2) + .milliseconds(1), now: Self.nine)
    #expect(machine.milestones[1].at == Self.nine)
    #expect(machine.milestones[1].flags.contains("clockAhead"))
  }

  @Test func inversionsAreFlaggedAndKept() throws {
    var machine = TripMachine(milestones: [])
    try Self.record(&machine, .atScene, minute: 10)
    let (before, _) = try Self.record(&machine, .departed, minute: 9, now: 10)
    #expect(before.flags == ["inverted"])
    let (after, _) = try Self.record(&machine, .enRoute, minute: 11)
    #expect(after.flags == ["inverted"])
    let (same, _) = try Self.record(&machine, .patientContact, minute: 10)
    // Between the scene at :10 and the departure at :09.
    #expect(same.flags == ["inverted"])
    #expect(machine.milestones.count == 4)
  }

  @Test func equalTimesAreNoInversion() throws {
    var machine = TripMachine(milestones: [])
    for milestone in Self.way { #expect(try Self.record(&machine, milestone, minute: 0).0.flags.isEmpty) }
  }

  @Test func theSameStepAgainIsRepeated() throws {
    var machine = TripMachine(milestones: [])
    try Self.record(&machine, .enRoute, minute: 0)
    let before = machine
    #expect(try machine.record(.enRoute, at: Self.nine, now: Self.nine + .hours(1)) == .repeated)
    #expect(machine == before)
    #expect(throws: Rejection.self) {
      try machine.record(.enRoute, at: Self.nine + .minutes(1), now: Self.nine + .hours(1))
    }
    #expect(machine == before)
  }

  /// Its time was replaced, so what the phone sends again is no longer what was kept.
  @Test func aPhoneAheadOfTimeMayRepeatItself() throws {
    var machine = TripMachine(milestones: [])
    let claimed = Self.nine + .hours(3)
    _ = try machine.record(.enRoute, at: claimed, now: Self.nine)
    #expect(try machine.record(.enRoute, at: claimed, now: Self.nine + .seconds(20)) == .repeated)
    #expect(machine.milestones.count == 1)
  }

  @Test(arguments: Milestone.allCases.filter(\.isSideExit))
  func aSideExitCloses(exit: Milestone) throws {
    var machine = TripMachine(milestones: [])
    try Self.record(&machine, .enRoute, minute: 0)
    let (_, closes) = try Self.record(&machine, exit, minute: 5)
    #expect(closes)
    #expect(machine.isClosed && !machine.isUnderWay)
    #expect(machine.state == exit.rawValue)
    #expect(machine.allowed == [.available, .atBase])
    // One way out only.
    for other in Milestone.allCases where other.isSideExit {
      #expect(throws: Rejection.self) {
        try machine.record(other, at: Self.nine + .minutes(6), now: Self.nine + .minutes(6))
      }
    }
    // What happened after it is refused, what happened before it arrives late.
    #expect(throws: Rejection.self) {
      try machine.record(.departed, at: Self.nine + .minutes(6), now: Self.nine + .minutes(6))
    }
    let (late, closesAgain) = try Self.record(&machine, .atScene, minute: 4, now: 20)
    #expect(late.flags == ["late"] && !closesAgain)
    #expect(machine.state == exit.rawValue)
    #expect(try !Self.record(&machine, .available, minute: 21).closes)
    #expect(machine.state == exit.rawValue)
  }

  @Test(arguments: Milestone.allCases.filter(\.isSideExit))
  func noSideExitAfterTheHandover(exit: Milestone) throws {
    var machine = TripMachine(milestones: [])
    try Self.record(&machine, .handedOver, minute: 0)
    let refusal = #expect(throws: Rejection.self) {
      try machine.record(exit, at: Self.nine + .minutes(1), now: Self.nine + .minutes(1))
    }
    #expect(refusal?.code == .illegalTransition)
    #expect(refusal?.extra["state"] == "handedOver")
  }

  @Test func aSideExitBeforeAKnownStepIsInverted() throws {
    var machine = TripMachine(milestones: [])
    try Self.record(&machine, .atScene, minute: 10)
    #expect(try Self.record(&machine, .noPatient, minute: 8, now: 11).0.flags == ["inverted"])
  }

  /// Whatever arrives in whatever order: a step is kept once, the state is the way out or the furthest step.
  @Test(arguments: 0..<20)
  func randomWalks(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<100 {
      var machine = TripMachine(milestones: [])
      var closings = 0
      for minute in 0..<30 {
        let now = Self.nine + .minutes(Int64(minute))
        let before = machine
        do {
          let step = try machine.record(
            random.pick(Milestone.allCases), at: now - .minutes(Int64(random.below(20)) - 4), now: now)
          if case .recorded(let kept, let closes) = step {
            if closes { closings += 1 }
            #expect(machine.milestones == before.milestones + [kept])
            #expect(kept.at <= now + .minutes(2))
          } else {
            #expect(machine == before)
          }
        } catch { #expect(machine == before) }
      }
      let steps = machine.milestones.map(\.milestone)
      #expect(Set(steps).count == steps.count)
      #expect(steps.count(where: \.isSideExit) <= 1)
      #expect(closings == (machine.isClosed ? 1 : 0))
      #expect(machine.state == (machine.sideExit?.milestone ?? machine.furthest)?.rawValue ?? "requested")
    }
  }

  private static func trip(_ milestones: [Milestone], position: Position? = nil) -> Trip {
    Trip(
      id: "t", consult: nil, vehicle: "v", priority: .urgent, facility: "38001",
      origin: Place(latitude: 19.80, longitude: 105.77), destination: Place(facility: "38901"), patient: nil,
      createdBy: "p", createdAt: nine,
      milestones: milestones.map { RecordedMilestone(milestone: $0, at: nine, recordedAt: nine, flags: []) },
      position: position, bodyHash: [])
  }

  @Test(
    arguments: [
      ([], "requested"), ([.dispatched], "requested"), ([.acknowledged], "requested"), ([.enRoute], "onTheWay"),
      ([.enRoute, .atScene], "atScene"), ([.patientContact], "atScene"), ([.departed], "departed"),
      ([.atDestination], "arrived"), ([.enRoute, .cancelled], "ended"), ([.atScene, .noPatient, .available], "ended"),
      ([.departed, .died], "ended"),
    ] as [([Milestone], String)])
  func whatTheFamilyIsTold(milestones: [Milestone], state: String) {
    #expect(Self.trip(milestones).familyState() == state)
  }

  @Test func timeOfArrival() {
    let hospital = Place(facility: "38901", latitude: 19.80, longitude: 105.87)
    let fresh = Position(at: Self.nine, latitude: 19.80, longitude: 105.77)
    #expect(Self.trip([.enRoute]).eta(destination: hospital, now: Self.nine) == .null)
    #expect(Self.trip([.dispatched], position: fresh).eta(destination: hospital, now: Self.nine) == .null)
    // It stands at the scene already.
    #expect(
      Self.trip([.enRoute], position: fresh).eta(destination: hospital, now: Self.nine)["at"]?.string == Self.nine.text)
    let eta = Self.trip([.departed], position: fresh).eta(destination: hospital, now: Self.nine + .seconds(59))
    #expect(eta["basis"] == "straightLine")
    // 10.46 km at 40 km/h.
    #expect(eta["at"]?.string.flatMap(Instant.init).map { ($0 - Self.nine).wholeSeconds / 10 } == 94)
    #expect(Self.trip([.departed], position: fresh).eta(destination: hospital, now: Self.nine + .seconds(60)) == .null)
    #expect(Self.trip([.handedOver], position: fresh).eta(destination: hospital, now: Self.nine) == .null)
  }

  @Test func aPositionIsStaleFromSixtySeconds() {
    let position = Position(at: Self.nine, latitude: 1, longitude: 2, speed: 3)
    #expect(position.json(now: Self.nine + .milliseconds(59_999))["stale"] == false)
    #expect(position.json(now: Self.nine + .seconds(60))["stale"] == true)
    #expect(position.json(now: Self.nine + .seconds(61))["ageSeconds"] == 61)
    // A device clock that is a little ahead makes no negative age.
    #expect(position.json(now: Self.nine - .seconds(30))["ageSeconds"] == 0)
    #expect(Position(json: position.json(now: Self.nine)) == position)
  }
}
