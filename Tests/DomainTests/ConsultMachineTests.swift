import Domain
import Testing

/// CONTRACT "Consult transitions, first release", written down a second time.
@Suite struct ConsultMachineTests {
  private static let start = Instant("2026-11-21T08:30:00+07:00")!
  private static let appointment = Appointment(
    id: "a1", practitioner: "bs-01", start: start, end: start + .minutes(30))
  /// Around the moment from which somebody may be recorded as missing.
  private static let times: [Instant] = [
    start - .hours(1), start, start + .minutes(10) - .milliseconds(1), start + .minutes(10), start + .days(2),
  ]

  private struct Documented: Equatable {
    var to: ConsultState
    var event: EventType
    var freesClaims = false
  }

  private static func documented(
    _ state: ConsultState, _ transition: ConsultTransition, _ mode: ConsultMode, appointment: Appointment?, now: Instant
  ) -> Documented? {
    switch (state, transition) {
    case (.requested, .appointment), (.assigned, .appointment), (.scheduled, .appointment):
      .init(to: .scheduled, event: appointment == nil ? .consultScheduled : .consultRescheduled)
    case (.requested, .accept): .init(to: .assigned, event: .consultAccepted)
    case (.assigned, .decline), (.scheduled, .decline):
      .init(to: .requested, event: .consultDeclined, freesClaims: true)
    case (.assigned, .arrive), (.scheduled, .arrive): .init(to: .waiting, event: .consultArrived)
    case (.assigned, .start), (.scheduled, .start), (.waiting, .start):
      .init(to: .inProgress, event: .consultStarted)
    case (.inProgress, .interrupt): .init(to: .interrupted, event: .consultInterrupted)
    case (.interrupted, .resume): .init(to: .inProgress, event: .consultResumed)
    case (.assigned, .conclude) where mode == .live, (.scheduled, .conclude) where mode == .live: nil
    case (.inProgress, .conclude), (.interrupted, .conclude), (.assigned, .conclude), (.scheduled, .conclude):
      .init(
        to: .concluded, event: .consultConcluded,
        freesClaims: mode == .written && appointment.map { now < $0.start } ?? false)
    case (.concluded, .sign), (.amended, .sign): .init(to: .signed, event: .consultSigned)
    case (.signed, .amend): .init(to: .amended, event: .consultAmended)
    case (.requested, .cancel), (.assigned, .cancel), (.scheduled, .cancel), (.waiting, .cancel):
      .init(to: .cancelled, event: .consultCancelled, freesClaims: true)
    case (.scheduled, .noShow), (.waiting, .noShow):
      appointment.map { now >= $0.start + .minutes(10) } ?? false
        ? .init(to: .noShow, event: .consultNoShow, freesClaims: true) : nil
    default: nil
    }
  }

  private static func apply(
    _ transition: ConsultTransition, to machine: inout ConsultMachine, now: Instant
  ) throws(Rejection) -> ConsultMove {
    switch transition {
    case .appointment: try machine.appointment(appointment, now: now)
    case .accept: try machine.accept(now: now)
    case .decline: try machine.decline(now: now)
    case .arrive: try machine.arrive(now: now)
    case .start: try machine.start(now: now)
    case .interrupt: try machine.interrupt(now: now)
    case .resume: try machine.resume(now: now)
    case .conclude: try machine.conclude(now: now)
    case .sign: try machine.sign(now: now)
    case .amend: try machine.amend(now: now)
    case .cancel: try machine.cancel(now: now)
    case .noShow: try machine.noShow(now: now)
    }
  }

  @Test(arguments: ConsultState.allCases, ConsultMode.allCases)
  func acceptsExactlyTheDocumentedTransitions(state: ConsultState, mode: ConsultMode) throws {
    for appointment in [nil, Self.appointment] {
      for now in Self.times {
        let before = ConsultMachine(state: state, mode: mode, appointment: appointment)
        let expected = ConsultTransition.allCases.filter {
          Self.documented(state, $0, mode, appointment: appointment, now: now) != nil
        }
        #expect(Set(before.allowed(now: now)) == Set(expected))
        #expect(before.allowed(now: now).count == expected.count)
        for transition in ConsultTransition.allCases {
          var machine = before
          let documented = Self.documented(state, transition, mode, appointment: appointment, now: now)
          do {
            let move = try Self.apply(transition, to: &machine, now: now)
            #expect(
              Documented(to: move.to, event: move.event, freesClaims: move.freesClaims) == documented,
              "\(state) \(transition) \(now.text)")
            #expect(machine.state == move.to)
            #expect(machine.mode == mode)
          } catch {
            #expect(documented == nil, "\(state) \(transition) at \(now.text) was refused")
            #expect(error.code == .illegalTransition)
            #expect(error.extra["state"] == .string(state.rawValue))
            #expect(error.extra["allowed"] == .strings(before.allowed(now: now).map(\.rawValue)))
            #expect(machine == before)
          }
        }
      }
    }
  }

  @Test func theAppointmentFollowsTheMoves() throws {
    var machine = ConsultMachine(state: .requested, mode: .live, appointment: nil)
    #expect(try machine.appointment(Self.appointment, now: Self.start).event == .consultScheduled)
    var moved = Self.appointment
    moved.id = "a2"
    #expect(try machine.appointment(moved, now: Self.start).event == .consultRescheduled)
    #expect(machine.appointment == moved)
    _ = try machine.decline(now: Self.start)
    #expect(machine.appointment == nil)
    #expect(try machine.appointment(Self.appointment, now: Self.start).event == .consultScheduled)
    _ = try machine.cancel(now: Self.start)
    #expect(machine.appointment == nil)
  }

  @Test func aMissedAppointmentIsStillKnown() throws {
    var machine = ConsultMachine(state: .waiting, mode: .live, appointment: Self.appointment)
    _ = try machine.noShow(now: Self.start + .minutes(10))
    #expect(machine.appointment == Self.appointment)
  }

  /// What is true of every state that can be reached.
  private static func holds(_ machine: ConsultMachine) -> Bool {
    switch machine.state {
    case .requested, .cancelled: machine.appointment == nil
    case .scheduled, .noShow: machine.appointment != nil
    default: true
    }
  }

  @Test(arguments: 0..<40)
  func randomWalksStayInDocumentedStates(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<50 {
      var machine = ConsultMachine(state: .requested, mode: random.pick(ConsultMode.allCases), appointment: nil)
      var now = Self.start - .hours(2)
      for _ in 0..<40 {
        now = now + .minutes(Int64(random.below(30)))
        let transition = random.pick(ConsultTransition.allCases)
        let before = machine
        let documented = Self.documented(
          machine.state, transition, machine.mode, appointment: machine.appointment, now: now)
        _ = try? Self.apply(transition, to: &machine, now: now)
        #expect(machine.state == documented?.to ?? before.state)
        #expect(Self.holds(machine), "seed \(seed): \(before) \(transition) \(machine)")
      }
    }
  }
}
