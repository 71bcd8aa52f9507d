import Domain

extension Schema {
  static let facilityCode = Schema.pattern("^[0-9A-Z]{5}$", "A facility's code was expected: 5 digits or capitals.") {
    FacilityCode.isValid($0)
  }
  static let latitude = Schema.number(-90...90)
  static let longitude = Schema.number(-180...180)
  static let specialty = Schema.choice(Specialty.self).named("Specialty")
  static let count = Schema.integer(0 ... .max)

  static let facility = Schema.object {
    Member.required("id", .string, "Its code.")
    Member.required("name", .string)
    Member.required("kind", .choice(Facility.Kind.self))
    Member.required("parent", .string.orNull, "The facility that covers it.")
    Member.required("lat", .number.orNull)
    Member.required("lon", .number.orNull)
    Member.required("phone", .string.orNull)
  }.named("Facility")

  static let practitioner = Schema.object {
    Member.required("id", .string)
    Member.required("name", .string)
    Member.required("specialty", .specialty)
    Member.required("facilityId", .string)
    Member.required("facilityName", .string.orNull)
  }.named("Practitioner")

  static let specialtyName = Schema.object {
    Member.required("id", .specialty)
    Member.required(
      "name",
      .object {
        Member.required("vi", .string)
        Member.required("en", .string)
      })
  }.named("SpecialtyName")

  static let vehicle = Schema.object {
    Member.required("id", .string)
    Member.required("label", .string)
    Member.required("facilityId", .string)
    Member.required("kind", .string)
  }.named("Vehicle")

  static let slot = Schema.object {
    Member.required("practitionerId", .string)
    Member.required("facilityId", .string)
    Member.required("specialty", .specialty)
    Member.required("start", .dateTime)
    Member.required("end", .dateTime)
  }.named("Slot")

  static let schedule = Schema.object {
    Member.required("practitionerId", .string)
    Member.required("from", .dateTime)
    Member.required("to", .dateTime)
    Member.required(
      "items",
      .array(
        .object {
          Member.required("kind", .choice(["free", "busy", "appointment"]))
          Member.required("start", .dateTime)
          Member.required("end", .dateTime)
          Member.sometimes("consultId", .string, "Of an appointment that the caller may see.")
          Member.sometimes("state", .choice(ConsultState.self))
          Member.sometimes("urgency", .choice(Urgency.self))
          Member.sometimes("patientName", .string)
        }))
  }.named("Schedule")
}
