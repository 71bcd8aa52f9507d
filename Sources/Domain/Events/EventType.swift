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
/// free text, a diagnosis, an origin, a label or a person's name. Which of them a type has: `EventType.shape`.
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

  /// The members that are there, as a JSON object.
  package var text: String {
    var object = ObjectWriter()
    object.put("consultId", consultId)
    object.put("tripId", tripId)
    object.put("practitionerId", practitionerId)
    object.put("stationId", stationId)
    object.put("vehicleId", vehicleId)
    object.put("destinationId", destinationId)
    object.put("state", state)
    object.put("urgency", urgency)
    object.put("specialty", specialty)
    object.put("mode", mode)
    object.put("start", start)
    object.put("end", end)
    object.put("dueAt", dueAt)
    object.put("disposition", disposition)
    object.put("version", version)
    object.put("sha256", sha256)
    object.put("milestone", milestone)
    object.put("at", at)
    object.put("flags", flags)
    object.put("side", side)
    object.put("role", role)
    object.put("participants", participants)
    object.put("lat", latitude)
    object.put("lon", longitude)
    object.put("speed", speed)
    object.put("heading", heading)
    object.put("accuracy", accuracy)
    return object.text
  }
}
