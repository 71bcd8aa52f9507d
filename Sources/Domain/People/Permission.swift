/// Something a caller wants to do, with what it is to be done to.
package enum Action: Sendable, Equatable {
  /// Read facilities, practitioners, vehicles, slots, schedules' free and busy times; ask for one's own session.
  case readDirectory
  case requestConsult(station: String)
  case seeConsult(ConsultScope)
  case readPatient(ConsultScope)
  case readClinical(ConsultScope)
  /// The outcome's advice: disposition and recommendation.
  case readAdvice(ConsultScope)
  case move(ConsultTransition, ConsultScope)
  case joinCall(ConsultScope)
  case requestTrip(facility: String?)
  case seeTrip(TripScope)
  case readTripPatient(TripScope)
  case planTrip(TripScope)
  case recordMilestone(TripScope)
  case sendPosition(TripScope)
  case shareTrip(TripScope)
  /// Read the feed; which events is decided event by event (`Visibility`).
  case readEvents
  case administer
  case readAccessLog
}

/// What matters about a consult when deciding who may do what.
package struct ConsultScope: Sendable, Equatable {
  package var station: String
  package var specialty: Specialty
  package var practitioner: String?
  /// The serving facility, once a practitioner has it.
  package var serving: String?
  /// The vehicle of a trip under way for this consult.
  package var vehicles: [String]

  package init(
    station: String, specialty: Specialty, practitioner: String?, serving: String?, vehicles: [String] = []
  ) {
    self.station = station
    self.specialty = specialty
    self.practitioner = practitioner
    self.serving = serving
    self.vehicles = vehicles
  }

  var facilities: [String] { [station] + (serving.map { [$0] } ?? []) }
}

/// What matters about a trip when deciding who may do what.
package struct TripScope: Sendable, Equatable {
  package var facility: String?
  package var destination: String?
  package var vehicle: String?
  /// The specialist of the trip's consult, who watches and advises during transport.
  package var practitioner: String?

  package init(facility: String?, destination: String?, vehicle: String?, practitioner: String?) {
    self.facility = facility
    self.destination = destination
    self.vehicle = vehicle
    self.practitioner = practitioner
  }

  var facilities: [String] { [facility, destination].compactMap { $0 } }
}

package enum Verdict: Sendable, Equatable {
  case allowed
  /// The caller may see the thing but not do this: 403.
  case forbidden
  /// For this caller the thing does not exist: 404.
  case hidden
}

extension Caller {
  /// May this caller do this? The one place that says so: CONTRACT's table "Who may".
  package func may(_ action: Action) -> Verdict {
    switch action {
    case .readDirectory: .allowed
    case .requestConsult(let station): has(.station, at: station) ? .allowed : .forbidden
    case .seeConsult(let consult): sees(consult) ? .allowed : .hidden
    case .readPatient(let consult): grade(sees(consult), readsPatient(consult))
    case .readClinical(let consult): grade(sees(consult), readsClinical(consult))
    case .readAdvice(let consult): grade(sees(consult), readsClinical(consult) || rides(consult))
    case .move(let transition, let consult):
      // Who might have been first must hear that somebody else was, not that there is no such consult.
      grade(sees(consult) || (transition == .accept && mayAccept(consult)), moves(transition, consult))
    case .joinCall(let consult):
      grade(sees(consult), has(.station, at: consult.station) || isSpecialist(of: consult))
    case .requestTrip(let facility):
      has(.dispatcher, at: facility) || has(.station, at: facility) ? .allowed : .forbidden
    case .seeTrip(let trip): sees(trip) ? .allowed : .hidden
    case .readTripPatient(let trip):
      grade(
        sees(trip),
        has(.station, atAny: trip.facilities) || has(.dispatcher, atAny: trip.facilities)
          || has(.auditor, atAny: trip.facilities) || rides(trip) || treats(trip))
    case .planTrip(let trip):
      grade(sees(trip), has(.dispatcher, atAny: trip.facilities) || has(.station, at: trip.facility))
    case .recordMilestone(let trip): grade(sees(trip), has(.dispatcher, atAny: trip.facilities) || rides(trip))
    case .sendPosition(let trip): grade(sees(trip), has(.dispatcher, atAny: trip.facilities) || rides(trip))
    case .shareTrip(let trip):
      grade(
        sees(trip),
        has(.dispatcher, atAny: trip.facilities) || has(.station, at: trip.facility) || rides(trip))
    case .readEvents: scopes.isEmpty ? .forbidden : .allowed
    case .administer: has(.admin) ? .allowed : .forbidden
    case .readAccessLog: has(.auditor) ? .allowed : .forbidden
    }
  }

  /// Whether this move is of a kind that the caller makes: a specialist's, of the consult's specialty.
  package func couldMove(_ transition: ConsultTransition, _ consult: ConsultScope) -> Bool {
    transition != .arrive && mayAccept(consult)
  }

  /// Refuses with the right reason unless the caller may.
  package func require(_ action: Action) throws(Rejection) {
    switch may(action) {
    case .allowed: return
    case .forbidden: throw .forbidden
    case .hidden: throw .notFound
    }
  }

  private func grade(_ sees: Bool, _ does: Bool) -> Verdict { does && sees ? .allowed : sees ? .forbidden : .hidden }

  private func isSpecialist(of consult: ConsultScope) -> Bool {
    has(.specialist) && practitionerId != nil && consult.practitioner == practitionerId
  }

  private func mayAccept(_ consult: ConsultScope) -> Bool {
    has(.specialist) && practitionerId != nil && specialty == consult.specialty
  }

  private func rides(_ consult: ConsultScope) -> Bool {
    guard has(.crew), let vehicleId else { return false }
    return consult.vehicles.contains(vehicleId)
  }

  private func rides(_ trip: TripScope) -> Bool { has(.crew) && vehicleId != nil && trip.vehicle == vehicleId }

  private func treats(_ trip: TripScope) -> Bool {
    has(.specialist) && practitionerId != nil && trip.practitioner == practitionerId
  }

  private func sees(_ consult: ConsultScope) -> Bool {
    has(.station, at: consult.station) || isSpecialist(of: consult)
      || (consult.practitioner == nil && mayAccept(consult)) || has(.dispatcher, atAny: consult.facilities)
      || has(.monitor, atAny: consult.facilities) || has(.admin, atAny: consult.facilities)
      || has(.auditor, atAny: consult.facilities) || rides(consult)
  }

  private func readsPatient(_ consult: ConsultScope) -> Bool {
    has(.station, at: consult.station) || isSpecialist(of: consult) || has(.dispatcher, atAny: consult.facilities)
      || has(.auditor, atAny: consult.facilities)
  }

  private func readsClinical(_ consult: ConsultScope) -> Bool {
    has(.station, at: consult.station) || isSpecialist(of: consult)
      || (consult.practitioner == nil && mayAccept(consult)) || has(.auditor, atAny: consult.facilities)
  }

  private func sees(_ trip: TripScope) -> Bool {
    has(.station, atAny: trip.facilities) || has(.dispatcher, atAny: trip.facilities)
      || has(.monitor, atAny: trip.facilities) || has(.admin, atAny: trip.facilities)
      || has(.auditor, atAny: trip.facilities) || rides(trip) || treats(trip)
  }

  private func moves(_ transition: ConsultTransition, _ consult: ConsultScope) -> Bool {
    let station = has(.station, at: consult.station)
    let dispatcher = has(.dispatcher, atAny: consult.facilities)
    let specialist = isSpecialist(of: consult)
    return switch transition {
    case .appointment: station || dispatcher || specialist
    case .accept: mayAccept(consult)
    case .decline, .conclude, .sign, .amend: specialist
    case .arrive: station
    case .start, .interrupt, .resume: station || specialist
    case .cancel, .noShow: station || dispatcher || specialist
    }
  }
}
