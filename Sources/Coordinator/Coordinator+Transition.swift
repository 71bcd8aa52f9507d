package import Domain

extension Coordinator {
  /// Makes one move of a consult: `accept`, `decline`, `arrive`, `start`, `interrupt`, `resume`, `cancel`, `noShow`.
  /// `conclude`, `sign` and `amend` write an outcome and have their own functions.
  package func move(_ call: Call, consult id: String, _ transition: ConsultTransition, _ body: JSON) async throws
    -> Answer
  {
    let directory = try await directory.get()
    let caller = call.caller
    let answer = try await write(call) { tx, now in
      var consult = try Self.load(tx, id, call, transition, now: now)
      let before = consult
      let vehicles = try tx.vehicles(ridingFor: id)
      let side = try Self.missingSide(transition, body)
      let reason = try Self.reason(transition, body)
      var machine = consult.machine
      let move: ConsultMove
      switch transition {
      case .accept:
        move = try machine.accept(now: now)
        consult.practitioner = caller.practitionerId
        consult.serving = directory.practitioners[caller.practitionerId ?? ""]?.facility
      case .decline:
        move = try machine.decline(now: now)
        consult.practitioner = nil
        consult.serving = nil
      case .arrive: move = try machine.arrive(now: now)
      case .start:
        move = try machine.start(now: now)
        consult.startedAt = consult.startedAt ?? now
      case .interrupt: move = try machine.interrupt(now: now)
      case .resume: move = try machine.resume(now: now)
      case .cancel:
        move = try machine.cancel(now: now)
        consult.endedAt = now
      case .noShow:
        move = try machine.noShow(now: now)
        consult.endedAt = now
      case .appointment, .conclude, .sign, .amend: throw Rejection.notFound
      }
      consult.state = move.to
      consult.appointment = machine.appointment
      if move.freesClaims { try Self.freeClaims(tx, before, as: move.to, now: now) }
      try tx.update(&consult)
      if let reason {
        let reason = ConsultReason(transition: transition, at: now, actor: caller.personId, reason: reason)
        try tx.insert(reason, of: consult)
      }
      try tx.append(Self.event(move, consult, before: before, side: side, by: caller), at: now)
      if transition == .decline { try Self.waitAgain(tx, &consult, now: now) }
      if move.freesClaims, before.holdsClaims, let practitioner = before.practitioner {
        try tx.append(Self.scheduleChanged(practitioner, directory, by: caller), at: now)
      }
      let (moved, outcomes, reasons) = (consult, try tx.outcomes(of: id), try tx.reasons(of: id))
      // Accepting shows the patient's name for the first time: that is a reading like any other.
      try tx.log([AccessEntry(reading: consult, vehicles: vehicles, by: caller, at: now)].compactMap { $0 })
      return .ok(
        try moved.json(
          for: caller, directory, vehicles: vehicles, outcomes: outcomes, reasons: reasons, now: now),
        version: moved.version)
    }
    if transition == .decline || transition == .cancel || transition == .noShow { timesChanged(nil) }
    return answer
  }

  // What a client adds to other moves is ignored: it was held against no schema, and an event must hold no free text.

  private static func missingSide(_ transition: ConsultTransition, _ body: JSON) throws -> ConsultSide? {
    guard transition == .noShow else { return nil }
    guard let side = body["side"]?.string.flatMap(ConsultSide.init(rawValue:)) else {
      throw Rejection.invalid("/side", "enum", "Say which side did not come.")
    }
    return side
  }

  private static func reason(_ transition: ConsultTransition, _ body: JSON) throws -> String? {
    guard transition == .decline || transition == .cancel else { return nil }
    guard let reason = body["reason"]?.string, !reason.isBlank else {
      throw Rejection.invalid("/reason", "required", "Say why.")
    }
    return reason
  }

  /// The consult, if the caller may make this move and has read its present version.
  static func load(
    _ tx: any StoreTransaction, _ id: String, _ call: Call, _ transition: ConsultTransition, now: Instant
  ) throws -> Consult {
    guard let consult = try tx.consult(id) else { throw Rejection.notFound }
    let scope = consult.scope(vehicles: try tx.vehicles(ridingFor: id))
    do { try call.caller.require(.move(transition, scope)) } catch .forbidden {
      // Who could make this move were it possible hears that it is not; everybody else, that it is not theirs.
      if call.caller.couldMove(transition, scope) { try consult.machine.check(transition, now: now) }
      throw Rejection.forbidden
    }
    try call.check(version: consult.version)
    return consult
  }

  static func freeClaims(
    _ tx: any StoreTransaction, _ consult: Consult, as state: ConsultState, now: Instant
  ) throws {
    guard let appointment = consult.appointment else { return }
    try tx.free(holder: consult.id, keeping: nil)
    try tx.endAppointment(appointment.id, state: state == .requested ? "declined" : state.rawValue, at: now)
  }

  /// Events of a consult that leaves a practitioner still name them and their facility: they must hear of it.
  private static func event(
    _ move: ConsultMove, _ consult: Consult, before: Consult, side: ConsultSide?, by caller: Caller
  ) -> EventDraft {
    var named = consult
    named.practitioner = consult.practitioner ?? before.practitioner
    named.serving = consult.serving ?? before.serving
    return named.event(move.event, by: caller) { data in
      data.start = before.appointment?.start ?? consult.appointment?.start
      data.end = before.appointment?.end ?? consult.appointment?.end
      data.side = side
    }
  }

  /// A declined consult waits again, and the patient has waited already: its deadline stays what it was.
  private static func waitAgain(_ tx: any StoreTransaction, _ consult: inout Consult, now: Instant) throws {
    if consult.dueAt <= now {
      try escalate(tx, &consult, now: now)
    } else {
      try tx.setDeadline(.consultOverdue, subject: consult.id, at: consult.dueAt)
    }
  }

  /// Nobody answered in time: the request is marked and everybody who could answer hears of it.
  static func escalate(_ tx: any StoreTransaction, _ consult: inout Consult, now: Instant) throws {
    guard consult.state == .requested else { return }
    consult.overdue = true
    try tx.update(&consult)
    try tx.append(consult.event(.consultEscalated, by: nil), at: now)
  }
}
