import Domain

extension Schema {
  static let grant = Schema.object {
    Member.required("role", .choice(Role.self))
    Member.required("facilities", .array(.facilityCode, 1...Limits.grantsPerPerson))
  }.named("Grant")

  static let person = Schema.object {
    Member.required("id", .string)
    Member.required("username", .string)
    Member.required("name", .string)
    Member.sometimes("practitionerId", .string)
    Member.sometimes("specialty", .specialty)
    Member.sometimes("vehicleId", .string)
  }.named("Person")

  static let signInBody = Schema.object {
    Member.required("username", .string(1...Limits.name))
    Member.required("password", .string(1...Limits.password.upperBound))
  }.named("SignInBody")

  static let session = Schema.object {
    Member.required("expiresAt", .dateTime.orNull)
    Member.required("person", .person)
    Member.required("grants", .array(.grant))
  }.named("Session")

  static let signedIn = Schema.session.adding {
    Member.required("token", .string, "For `Authorization: Bearer`; shown once.")
  }.named("SignedIn")

  static let ticketBody = Schema.object {
    Member.required("purpose", .choice(["events", "call"]))
    Member.optional("consultId", .uuid, "Needed for a call.")
  }.named("TicketBody")

  static let ticket = Schema.object {
    Member.required("ticket", .string)
    Member.required("expiresAt", .dateTime)
  }.named("Ticket")

  static let user = Schema.object {
    Member.required("id", .string)
    Member.required("username", .string)
    Member.required("name", .string)
    Member.required("disabled", .boolean)
    Member.required("practitionerId", .string.orNull)
    Member.required("vehicleId", .string.orNull)
    Member.required("grants", .array(.grant))
    Member.required("version", .integer)
  }.named("User")

  private static let newPassword = Schema.string(Limits.password)
  private static let grants = Schema.array(.grant, 0...Limits.grantsPerPerson)

  static let userBody = Schema.object {
    Member.required(
      "username",
      .pattern("^[a-z0-9][a-z0-9._-]{1,63}$", "Lower-case letters, digits, `.`, `_`, `-`.") {
        (2...64).contains($0.utf8.count) && $0.utf8.allSatisfy(\.isUsername) && !"._-".contains($0.prefix(1))
      })
    Member.required("name", .text(Limits.name))
    Member.required("password", newPassword)
    Member.required("grants", grants)
    Member.optional("practitionerId", .text(64))
    Member.optional("vehicleId", .text(64))
  }.named("UserBody")

  static let userChangeBody = Schema.object {
    Member.optional("name", .text(Limits.name))
    Member.optional("password", newPassword)
    Member.optional("disabled", .boolean)
    Member.optional("grants", grants)
  }.named("UserChangeBody")

  static let tokenBody = Schema.object {
    Member.required("name", .text(Limits.name))
    Member.required("grants", grants)
    Member.optional("expiresAt", .dateTime)
  }.named("TokenBody")

  static let token = Schema.object {
    Member.required("id", .string)
    Member.required("name", .string)
    Member.required("grants", .array(.grant))
    Member.required("createdAt", .dateTime)
    Member.required("expiresAt", .dateTime.orNull)
  }.named("Token")

  static let newToken = Schema.object {
    Member.required("id", .string)
    Member.required("name", .string)
    Member.required("token", .string, "Shown once.")
    Member.required("expiresAt", .dateTime.orNull)
  }.named("NewToken")

  static let accessEntry = Schema.object {
    Member.required("seq", .integer)
    Member.required("at", .dateTime)
    Member.required("personId", .string)
    Member.required("personName", .string)
    Member.required("action", .string)
    Member.required("subject", .string)
    Member.required("facility", .string.orNull)
  }.named("AccessEntry")
}

extension UInt8 {
  fileprivate var isUsername: Bool {
    switch self {
    case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: false
    }
  }
}
