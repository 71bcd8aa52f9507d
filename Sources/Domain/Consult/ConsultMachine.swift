/// Where a consult stands (CONTRACT "Consult transitions, first release").
package enum ConsultState: String, Sendable, CaseIterable {
  case requested, assigned, scheduled, waiting, inProgress, interrupted, concluded, signed, amended, cancelled, noShow

  /// Those in which something is still to be done; a concluded or amended consult waits for its signature.
  package static let open: [ConsultState] = [
    .requested, .assigned, .scheduled, .waiting, .inProgress, .interrupted, .concluded, .amended,
  ]
}

/// What can be done to a consult; the raw values are the last segments of the routes.
package enum ConsultTransition: String, Sendable, CaseIterable {
  case appointment, accept, decline, arrive, start, interrupt, resume, conclude, sign, amend, cancel, noShow
}

/// Who did not come.
package enum ConsultSide: String, Sendable, CaseIterable { case station, specialist }

package enum ConsultMode: String, Sendable, CaseIterable { case live, written }

package enum Urgency: String, Sendable, CaseIterable {
  case emergency, urgent, sameDay, routine

  /// Name of the setting that holds the minutes within which somebody must answer (DOMAIN "Urgency", marked P).
  package var settingName: String { "urgency.\(rawValue).minutes" }
}

/// What a move leads to.
package struct ConsultMove: Sendable, Equatable {
  package var to: ConsultState
  package var event: EventType
  /// The claims of the appointment are to be freed.
  package var freesClaims = false
}

/// The consult's life as a value: one function per event, no clock, no IO. Illegal moves are rejections.
///
///     requested ──accept──▶ assigned ──appointment──▶ scheduled ──arrive──▶ waiting ──start──▶ inProgress ⇄ interrupted
///         ╰───────────appointment───────────────────────╯                                          │conclude
///     any before inProgress ──cancel──▶ cancelled       scheduled, waiting ──noShow──▶ noShow       ▼
///                                                       signed ◀──sign── concluded; signed ──amend──▶ amended ──sign──▶ signed
package struct ConsultMachine: Sendable, Equatable {
  /// Minutes after its start at which a missing side may be recorded.
  package static let noShowAfter = Span.minutes(10)

  package private(set) var state: ConsultState
  package let mode: ConsultMode
  package private(set) var appointment: Appointment?

  package init(state: ConsultState, mode: ConsultMode, appointment: Appointment?) {
    self.state = state
    self.mode = mode
    self.appointment = appointment
  }

  /// The moves that the state allows at this time, whoever asks.
  package func allowed(now: Instant) -> [ConsultTransition] {
    switch state {
    case .requested: [.appointment, .accept, .cancel]
    case .assigned, .scheduled:
      [.appointment, .decline, .arrive, .start] + (mode == .written ? [.conclude] : []) + [.cancel]
        + (mayNoShow(now: now) ? [.noShow] : [])
    case .waiting: [.start, .cancel] + (mayNoShow(now: now) ? [.noShow] : [])
    case .inProgress: [.interrupt, .conclude]
    case .interrupted: [.resume, .conclude]
    case .concluded, .amended: [.sign]
    case .signed: [.amend]
    case .cancelled, .noShow: []
    }
  }

  private func mayNoShow(now: Instant) -> Bool {
    guard state == .scheduled || state == .waiting, let appointment else { return false }
    return now >= appointment.start + Self.noShowAfter
  }

  /// Refuses what the state does not allow.
  package func check(_ transition: ConsultTransition, now: Instant) throws(Rejection) {
    let allowed = allowed(now: now)
    guard allowed.contains(transition) else {
      throw .illegalTransition(transition.rawValue, state: state.rawValue, allowed: allowed.map(\.rawValue))
    }
  }

  package mutating func appointment(_ new: Appointment, now: Instant) throws(Rejection) -> ConsultMove {
    try check(.appointment, now: now)
    let event: EventType = appointment == nil ? .consultScheduled : .consultRescheduled
    appointment = new
    state = .scheduled
    return ConsultMove(to: state, event: event)
  }

  package mutating func accept(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.accept, now: now)
    state = .assigned
    return ConsultMove(to: state, event: .consultAccepted)
  }

  package mutating func decline(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.decline, now: now)
    state = .requested
    appointment = nil
    return ConsultMove(to: state, event: .consultDeclined, freesClaims: true)
  }

  package mutating func arrive(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.arrive, now: now)
    state = .waiting
    return ConsultMove(to: state, event: .consultArrived)
  }

  package mutating func start(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.start, now: now)
    state = .inProgress
    return ConsultMove(to: state, event: .consultStarted)
  }

  package mutating func interrupt(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.interrupt, now: now)
    state = .interrupted
    return ConsultMove(to: state, event: .consultInterrupted)
  }

  package mutating func resume(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.resume, now: now)
    state = .inProgress
    return ConsultMove(to: state, event: .consultResumed)
  }

  package mutating func conclude(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.conclude, now: now)
    state = .concluded
    // A written opinion may come before its appointment: that time is the specialist's again.
    let isEarly = appointment.map { mode == .written && $0.start > now } ?? false
    if isEarly { appointment = nil }
    return ConsultMove(to: state, event: .consultConcluded, freesClaims: isEarly)
  }

  package mutating func sign(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.sign, now: now)
    state = .signed
    return ConsultMove(to: state, event: .consultSigned)
  }

  package mutating func amend(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.amend, now: now)
    state = .amended
    return ConsultMove(to: state, event: .consultAmended)
  }

  package mutating func cancel(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.cancel, now: now)
    state = .cancelled
    appointment = nil
    return ConsultMove(to: state, event: .consultCancelled, freesClaims: true)
  }

  package mutating func noShow(now: Instant) throws(Rejection) -> ConsultMove {
    try check(.noShow, now: now)
    state = .noShow
    return ConsultMove(to: state, event: .consultNoShow, freesClaims: true)
  }
}
