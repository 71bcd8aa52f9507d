/// The durable events of CONTRACT "Events".
package enum EventType: String, Sendable, CaseIterable {
  case consultRequested = "consult.requested"
  case consultAccepted = "consult.accepted"
  case consultDeclined = "consult.declined"
  case consultScheduled = "consult.scheduled"
  case consultRescheduled = "consult.rescheduled"
  case consultArrived = "consult.arrived"
  case consultStarted = "consult.started"
  case consultInterrupted = "consult.interrupted"
  case consultResumed = "consult.resumed"
  case consultEscalated = "consult.escalated"
  case consultConcluded = "consult.concluded"
  case consultSigned = "consult.signed"
  case consultAmended = "consult.amended"
  case consultCancelled = "consult.cancelled"
  case consultNoShow = "consult.noShow"
  case callJoined = "call.joined"
  case callLeft = "call.left"
  case callEnded = "call.ended"
  case tripRequested = "trip.requested"
  case tripMilestone = "trip.milestone"
  case tripStale = "trip.stale"
  case tripClosed = "trip.closed"
  case scheduleChanged = "schedule.changed"
}

/// The latest value of something that moves: sent to whoever watches, kept by nobody, without a cursor.
package enum VolatileType: String, Sendable, CaseIterable {
  case tripPosition = "trip.position"
  case presence
}

/// The facts an event may carry. The members *are* the allow-list: ids, codes and times. There is no place for a
/// free text, a diagnosis, an origin, a label or a person's name.
package struct EventData: Sendable, Equatable {
  package var consultId: String?
  package var tripId: String?
  package var practitionerId: String?
  package var stationId: String?
  package var vehicleId: String?
  package var destinationId: String?
  package var state: String?
  package var urgency: Urgency?
  package var specialty: Specialty?
  package var mode: ConsultMode?
  package var start: Instant?
  package var end: Instant?
  package var dueAt: Instant?
  package var disposition: Disposition?
  package var version: Int64?
  package var sha256: String?
  package var milestone: Milestone?
  package var at: Instant?
  package var flags: [String]?
  package var side: ConsultSide?
  package var role: Role?
  package var participants: Int64?
  package var latitude: Double?
  package var longitude: Double?
  package var speed: Double?
  package var heading: Double?
  package var accuracy: Double?

  package init() {}

  package var json: JSON {
    .compact([
      "consultId": consultId.map { .string($0) }, "tripId": tripId.map { .string($0) },
      "practitionerId": practitionerId.map { .string($0) }, "stationId": stationId.map { .string($0) },
      "vehicleId": vehicleId.map { .string($0) }, "destinationId": destinationId.map { .string($0) },
      "state": state.map { .string($0) }, "urgency": urgency.map { .string($0.rawValue) },
      "specialty": specialty.map { .string($0.rawValue) }, "mode": mode.map { .string($0.rawValue) },
      "start": start.map { .instant($0) }, "end": end.map { .instant($0) }, "dueAt": dueAt.map { .instant($0) },
      "disposition": disposition.map { .string($0.rawValue) }, "version": version.map { .int($0) },
      "sha256": sha256.map { .string($0) }, "milestone": milestone.map { .string($0.rawValue) },
      "at": at.map { .instant($0) }, "flags": flags.map { .strings($0) }, "side": side.map { .string($0.rawValue) },
      "role": role.map { .string($0.rawValue) }, "participants": participants.map { .int($0) },
      "lat": latitude.map { .double($0) }, "lon": longitude.map { .double($0) }, "speed": speed.map { .double($0) },
      "heading": heading.map { .double($0) }, "accuracy": accuracy.map { .double($0) },
    ])
  }
}
