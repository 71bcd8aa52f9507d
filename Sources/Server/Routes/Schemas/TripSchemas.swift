import Domain

extension Schema {
  static let point = Schema.object {
    Member.required("lat", .latitude)
    Member.required("lon", .longitude)
    Member.optional("label", .string(0...Limits.name))
  }.named("Point")

  static let destinationBody = Schema.anyOf(
    .object { Member.required("facilityId", .facilityCode) }, .point
  ).named("Destination")

  static let tripBody = Schema.object {
    Member.optional("id", .uuid, "Made by the client, so that the request can be repeated over a bad link.")
    Member.optional("consultId", .uuid)
    Member.optional("vehicleId", .text(64))
    Member.optional("priority", .choice(TripPriority.self))
    Member.required("origin", .point)
    Member.required("destination", .destinationBody)
    Member.optional("patient", .patientBody)
  }.named("TripBody")

  static let tripChangeBody = Schema.object {
    Member.optional("consultId", .uuid)
    Member.optional("vehicleId", .text(64))
    Member.optional("priority", .choice(TripPriority.self))
    Member.optional("destination", .destinationBody)
    Member.optional("consultId", .uuid)
  }.named("TripChangeBody")

  static let milestoneBody = Schema.object {
    Member.required("milestone", .choice(Milestone.self))
    Member.required("at", .dateTime, "By the device. More than two minutes ahead, it is replaced and flagged.")
  }.named("MilestoneBody")

  static let positionsBody = Schema.object {
    Member.required(
      "positions",
      .array(
        .object {
          Member.required("at", .dateTime)
          Member.required("lat", .latitude)
          Member.required("lon", .longitude)
          Member.optional("speed", .number(0...200), "Metres a second.")
          Member.optional("heading", .number(0...360), "Degrees from north.")
          Member.optional("accuracy", .number(0...100_000), "Metres.")
        }, 1...Limits.positionsPerCall))
  }.named("PositionsBody")

  static let position = Schema.object {
    Member.required("at", .dateTime)
    Member.required("lat", .number)
    Member.required("lon", .number)
    Member.sometimes("speed", .number)
    Member.sometimes("heading", .number)
    Member.sometimes("accuracy", .number)
    Member.required("ageSeconds", .count)
    Member.required("stale", .boolean, "A minute old or more: not to be shown as live.")
  }.named("Position")

  static let eta = Schema.object {
    Member.required("at", .dateTime)
    Member.required("basis", .string, "How it was reckoned: `straightLine` at 40 km/h is no route.")
  }.named("Eta")

  static let place = Schema.object {
    Member.sometimes("facilityId", .string)
    Member.sometimes("lat", .number)
    Member.sometimes("lon", .number)
    Member.sometimes("label", .string)
  }.named("Place")

  /// How far a trip has come, or how it ended early.
  static let tripState = Schema.choice(["requested"] + Milestone.allCases.map(\.rawValue))
  static let milestoneFlags = Schema.array(.choice(RecordedMilestone.Flag.self))

  static let milestone = Schema.object {
    Member.required("milestone", .tripState)
    Member.required("at", .dateTime)
    Member.required("recordedAt", .dateTime)
    Member.sometimes("flags", .milestoneFlags)
  }.named("Milestone")

  static let trip = Schema.object {
    Member.required("id", .uuid)
    Member.required("version", .integer)
    Member.required("state", .tripState)
    Member.required("consultId", .string.orNull)
    Member.required("vehicleId", .string.orNull)
    Member.required("vehicleLabel", .string.orNull)
    Member.required("priority", .choice(TripPriority.self))
    Member.required("origin", .place)
    Member.required("destination", .place)
    Member.sometimes("patient", .patient)
    Member.required("milestones", .array(.milestone))
    Member.required("facilityId", .string.orNull, "The facility that asked for it.")
    Member.required("createdAt", .dateTime)
    Member.required("position", .position.orNull)
    Member.required("eta", .eta.orNull)
    Member.required("allowed", .array(.choice(Milestone.self)), "The milestones that this caller may record now.")
    Member.required("closed", .boolean)
    Member.sometimes(
      "links",
      .array(
        .object {
          Member.required("id", .string)
          Member.required("expiresAt", .dateTime)
        }))
  }.named("Trip")

  static let link = Schema.object {
    Member.required("id", .string)
    Member.required("url", .string, "Shown once: the secret in it is not kept.")
    Member.required("expiresAt", .dateTime)
  }.named("Link")

  static let familyView = Schema.object {
    Member.required("state", .choice(["requested", "onTheWay", "atScene", "departed", "arrived", "ended"]))
    Member.required("position", .position.orNull)
    Member.required("eta", .eta.orNull)
    Member.required("phone", .string.orNull, "Whom to call.")
  }.named("FamilyView")
}
