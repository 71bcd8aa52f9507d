/// The members of `EventData`, by their names on the wire.
package enum EventMember: String, Sendable, CaseIterable {
  case consultId, tripId, practitionerId, stationId, vehicleId, destinationId
  case state, urgency, specialty, mode, start, end, dueAt, disposition, version, sha256
  case milestone, at, flags, side, role, participants
  case latitude = "lat"
  case longitude = "lon"
  case speed, heading, accuracy
}

/// What the events of one type are about, and the members that their `data` may hold: the allow-list of the type.
package struct EventShape: Sendable, Equatable {
  /// The first part of an event's `subject`; the thing's id follows it.
  package enum Subject: String, Sendable { case consults, trips, practitioners }

  package var subject: Subject
  /// In every event of the type.
  package var required: [EventMember]
  /// In those where there is something to say: a consult that nobody has taken names no practitioner.
  package var optional: [EventMember]

  /// - Parameter more: what every event of the type says beside the consult as it stands.
  fileprivate static func consult(_ more: [EventMember], optional: [EventMember] = []) -> EventShape {
    EventShape(
      subject: .consults, required: [.consultId, .state, .urgency, .specialty, .mode, .stationId] + more,
      optional: optional)
  }

  fileprivate static func trip(_ more: [EventMember] = [], optional: [EventMember] = []) -> EventShape {
    EventShape(
      subject: .trips, required: [.tripId, .state] + more,
      optional: [.consultId, .vehicleId, .destinationId] + optional)
  }
}

extension EventType {
  package var shape: EventShape {
    switch self {
    case .consultRequested, .consultEscalated: .consult([.dueAt])
    case .consultAccepted: .consult([.practitionerId])
    case .consultScheduled, .consultRescheduled: .consult([.practitionerId, .start, .end])
    case .consultDeclined, .consultArrived, .consultStarted, .consultInterrupted, .consultResumed:
      .consult([.practitionerId], optional: [.start, .end])
    case .consultConcluded, .consultAmended:
      .consult([.practitionerId, .version, .disposition], optional: [.start, .end])
    case .consultSigned:
      .consult([.practitionerId, .version, .disposition, .sha256], optional: [.start, .end])
    case .consultCancelled: .consult([], optional: [.practitionerId, .start, .end])
    case .consultNoShow: .consult([.practitionerId, .start, .end, .side])
    // The consult may have been declined meanwhile.
    case .callJoined, .callLeft: .consult([.role, .participants], optional: [.practitionerId, .start, .end])
    case .callEnded: .consult([.participants], optional: [.practitionerId, .start, .end])
    case .tripRequested, .tripClosed: .trip()
    case .tripMilestone: .trip([.milestone, .at], optional: [.flags])
    // A vehicle that has sent no position at all has no time of the last one.
    case .tripStale: .trip(optional: [.at])
    case .scheduleChanged:
      EventShape(subject: .practitioners, required: [.practitionerId], optional: [.specialty])
    }
  }
}

extension VolatileType {
  package var shape: EventShape {
    switch self {
    case .tripPosition:
      EventShape(
        subject: .trips, required: [.tripId, .at, .latitude, .longitude],
        optional: [.vehicleId, .speed, .heading, .accuracy])
    case .presence: EventShape(subject: .consults, required: [.consultId, .participants], optional: [])
    }
  }
}
