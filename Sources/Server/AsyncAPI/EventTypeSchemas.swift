import Domain

/// The events of each type, member by member: what `Domain` allows, with each member's form.
extension Schema {
  /// The durable events of one type (CloudEvents 1.0).
  static func event(_ type: EventType) -> Schema {
    cloudEvent(
      type.rawValue, type.shape,
      place: [.required("sequence", .sequence, "The place in the log. Readers with a filter see jumps.")])
  }

  /// The volatile events of one type: they have no place in the log.
  static func event(_ type: VolatileType) -> Schema { cloudEvent(type.rawValue, type.shape, place: []) }

  private static func cloudEvent(_ type: String, _ shape: EventShape, place: [Member]) -> Schema {
    let first: [Member] = [
      .required("specversion", .choice(["1.0"])), .required("id", .uuid), .required("type", .choice([type])),
      .required("source", .eventSource, "The first of the facilities that it is about."),
      .required("subject", subject(shape.subject)), .required("time", .dateTime),
    ]
    let last: [Member] = [
      .required("datacontenttype", .choice(["application/json"])), .required("data", data(shape)),
    ]
    return Schema(.object(first + place + last)).closed.named(type)
  }

  private static func data(_ shape: EventShape) -> Schema {
    let required = shape.required.map { Member.required($0.rawValue, form(of: $0, about: shape.subject)) }
    let optional = shape.optional.map { Member.sometimes($0.rawValue, form(of: $0, about: shape.subject)) }
    return Schema(.object(required + optional)).closed
  }

  private static func form(of member: EventMember, about subject: EventShape.Subject) -> Schema {
    switch member {
    case .consultId, .tripId: .uuid
    case .practitionerId, .vehicleId: .string
    case .stationId, .destinationId: .facilityCode
    case .state: subject == .trips ? .tripState : .choice(ConsultState.self)
    case .urgency: .choice(Urgency.self)
    case .specialty: .specialty
    case .mode: .choice(ConsultMode.self)
    case .start, .end: .dateTime
    case .dueAt: .dateTime.described("When somebody must have answered.")
    case .disposition: .choice(Disposition.self)
    case .version: Schema.integer(1...Int64(Limits.amendments)).described("Of the outcome.")
    case .sha256: .sha256.described("Of the outcome's bytes, as they were signed.")
    case .milestone: .choice(Milestone.self)
    case .at: .dateTime.described("By the device.")
    case .flags: .milestoneFlags
    case .side: .choice(ConsultSide.self).described("Who did not come.")
    case .role: .choice(Role.self)
    case .participants: Schema.integer(0...Int64(Limits.roomMembers)).described("In the call, after this.")
    case .latitude: .latitude
    case .longitude: .longitude
    case .speed: Schema.number(0...200).described("Metres a second.")
    case .heading: Schema.number(0...360).described("Degrees from north.")
    case .accuracy: Schema.number(0...100_000).described("Metres.")
    }
  }

  /// A position in the log; what is in it is the server's business.
  static let cursor = Schema.string(1...Limits.cursorBytes).described("A position in the log, opaque.")

  private static let sequence = Schema.pattern("^[0-9]{12,}$", "At least 12 digits were expected.") {
    $0.utf8.count >= 12 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  private static let sha256 = Schema.pattern("^[0-9a-f]{64}$", "64 hexadecimal digits were expected.") {
    $0.utf8.count == 64 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// A trip that a dispatcher of no facility asked for, to a place that is none, is nobody's.
  private static let eventSource = Schema.pattern(
    "^/facilities/([0-9A-Z]{5})?$", "A facility's path was expected."
  ) {
    guard $0.hasPrefix("/facilities/") else { return false }
    let code = String($0.dropFirst("/facilities/".count))
    return code.isEmpty || FacilityCode.isValid(code)
  }

  private static func subject(_ subject: EventShape.Subject) -> Schema {
    let prefix = subject.rawValue + "/"
    guard subject != .practitioners else {
      return .pattern("^practitioners/.+$", "A practitioner's path was expected.") {
        $0.hasPrefix(prefix) && $0.count > prefix.count
      }
    }
    return .pattern("^\(prefix)[0-9a-fA-F-]{36}$", "The path of one of the \(prefix) was expected.") {
      $0.hasPrefix(prefix) && Format.isUUID(String($0.dropFirst(prefix.count)))
    }
  }
}
