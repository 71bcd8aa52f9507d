import Domain

/// The frames of the feed's socket (CONTRACT "Events").
extension AsyncMessage {
  static let feed: [AsyncMessage] =
    [ready, bookmark, gap] + EventType.allCases.map { durable($0) } + VolatileType.allCases.map { volatile($0) }

  private static let ready = AsyncMessage(
    name: "ready", summary: "The first frame: where the reader begins, and what the log holds.",
    payload: frame("ready", [cursor] + bounds))

  private static let bookmark = AsyncMessage(
    name: "bookmark", summary: "Everything up to here was sent, though nothing of it fitted the filter.",
    payload: frame("bookmark", [cursor]))

  private static let gap = AsyncMessage(
    name: "gap", summary: "The cursor can't be served. The socket is closed with 4410.",
    payload: frame("gap", [reason] + bounds))

  private static let cursor = Schema.Member.required("cursor", .cursor)
  private static let reason = Schema.Member.required("reason", .choice(CursorGap.self))
  private static let bounds: [Schema.Member] = [
    .required("oldest", .cursor, "Before the first event that is kept."), .required("head", .cursor, "The last event."),
  ]

  private static func durable(_ type: EventType) -> AsyncMessage {
    AsyncMessage(
      name: type.rawValue, summary: type.summary, payload: frame("event", [cursor, .required("event", .event(type))]))
  }

  private static func volatile(_ type: VolatileType) -> AsyncMessage {
    AsyncMessage(
      name: type.rawValue, summary: type.summary, payload: frame("volatile", [.required("event", .event(type))]))
  }

  private static func frame(_ kind: String, _ members: [Schema.Member]) -> Schema {
    let first: [Schema.Member] = [.required("kind", .choice([kind]))]
    return Schema(.object(first + members)).closed
  }
}

extension EventType {
  fileprivate var summary: String {
    switch self {
    case .consultRequested: "A station asked for advice."
    case .consultAccepted: "A specialist took the consult."
    case .consultDeclined: "Its specialist gave it back; it waits again."
    case .consultScheduled: "A time was booked."
    case .consultRescheduled: "The booking was moved."
    case .consultArrived: "The patient is there."
    case .consultStarted: "The consult began."
    case .consultInterrupted: "The consult was interrupted."
    case .consultResumed: "The consult goes on."
    case .consultEscalated: "Nobody answered in time."
    case .consultConcluded: "The specialist wrote the outcome."
    case .consultSigned: "The specialist signed the outcome."
    case .consultAmended: "The specialist corrected a signed outcome: a new version."
    case .consultCancelled: "The consult was cancelled before it began."
    case .consultNoShow: "One side did not come."
    case .callJoined: "Somebody took a seat in the call."
    case .callLeft: "Somebody gave up a seat in the call."
    case .callEnded: "Nobody is left in the call."
    case .tripRequested: "An ambulance was asked for."
    case .tripMilestone: "A trip reached a milestone, or ended early."
    case .tripStale: "A vehicle under way sends no position any more."
    case .tripClosed: "The trip is over: the patient was handed over, or it ended early."
    case .scheduleChanged: "A practitioner's hours or bookings changed."
    }
  }
}

extension VolatileType {
  fileprivate var summary: String {
    switch self {
    case .tripPosition: "Where a vehicle is now."
    case .presence: "How many are in a consult's call now."
    }
  }
}
