import Domain

/// What a station or a specialist sends (CONTRACT "Bodies").
extension Schema {
  static let patientBody = Schema.object {
    Member.optional("name", .text(Limits.name), "Needed unless `temporary`.")
    Member.optional("birthDate", .date)
    Member.optional("sex", .choice(Sex.self))
    Member.optional("personalId", personalID, "CCCD, CMND, passport or another paper.")
    Member.optional("insuranceNumber", insuranceNumber)
    Member.optional("phone", phone)
    Member.optional("temporary", .boolean, "Nobody knows yet who it is.")
  }.named("PatientBody")

  private static let personalID = Schema.pattern(
    "^[0-9A-Za-z][0-9A-Za-z -]{4,28}[0-9A-Za-z]$", "6 to 30 letters and digits were expected."
  ) { (6...30).contains($0.utf8.count) && PersonalID($0) != nil }

  private static let insuranceNumber = Schema.pattern(
    "^([A-Z]{2}[1-5][0-9]{12}|[0-9]{10}|[0-9]{12})$", "The card's 15 characters, or 10 or 12 digits, were expected."
  ) { InsuranceNumber($0) != nil }

  /// Only what can't be dialled is refused: numbers of other countries and extensions are numbers too.
  private static let phone = Schema.pattern("^[+]?[0-9][0-9 .()/-]{2,28}$", "A telephone number was expected.") {
    let rest = $0.utf8.drop { $0 == UInt8(ascii: "+") }
    return $0.utf8.count - rest.count <= 1 && (3...29).contains(rest.count) && rest.first.map(\.isDigit) ?? false
      && rest.allSatisfy { $0.isDigit || " .()/-".utf8.contains($0) }
  }

  static let vitals = Schema.object {
    Member.optional("at", .dateTime)
    Member.optional("respiratoryRate", .integer(Vitals.respiratoryRates), "Breaths a minute.")
    Member.optional("spo2", .integer(Vitals.saturations), "Percent.")
    Member.optional("spo2Scale", .integer(1...2), "NEWS2's scale; 2 for a target of 88 to 92 %.")
    Member.optional("oxygen", .boolean, "On supplemental oxygen.")
    Member.optional("systolic", .integer(Vitals.pressures), "mmHg.")
    Member.optional("diastolic", .integer(Vitals.pressures), "mmHg.")
    Member.optional("pulse", .integer(Vitals.pulses), "Beats a minute.")
    Member.optional("consciousness", .choice(Vitals.Consciousness.self))
    Member.optional("temperature", .number(Vitals.temperatures), "Degrees Celsius.")
  }.named("Vitals")

  static let consultBody = Schema.object {
    Member.optional("id", .uuid, "Made by the client, so that the request can be repeated over a bad link.")
    Member.required("specialty", .specialty)
    Member.required("urgency", .choice(Urgency.self))
    Member.optional("urgencyReason", .string(0...Limits.shortText))
    Member.required("mode", .choice(ConsultMode.self))
    Member.optional("stationId", .facilityCode, "Needed when the caller speaks for several stations.")
    Member.required("patient", .patientBody)
    Member.required("situation", .text(Limits.longText))
    Member.optional("background", .string(0...Limits.longText))
    Member.optional("assessment", .string(0...Limits.longText))
    Member.required("request", .text(Limits.longText))
    Member.optional("vitals", .vitals)
    Member.optional("pregnant", .boolean)
    Member.optional(
      "consent",
      .object {
        Member.required("basis", .choice(Consent.Basis.self))
        Member.required("at", .dateTime)
      })
  }.named("ConsultBody")

  static let appointmentBody = Schema.object {
    Member.required("practitionerId", .text(64))
    Member.required("start", .dateTime, "A multiple of five minutes.")
    Member.required("minutes", .integer(Limits.visitMinutes, multipleOf: Limits.cellMinutes))
  }.named("AppointmentBody")

  static let reasonBody = Schema.object { Member.required("reason", .text(Limits.shortText)) }.named("ReasonBody")

  static let noShowBody = Schema.object {
    Member.required("side", .choice(["station", "specialist"]), "Who did not come.")
  }.named("NoShowBody")

  private static let icd10 = Schema.pattern(
    "^[A-Z][0-9]{2}(\\.[0-9]{1,2})?[†*]?$", "An ICD-10 code was expected, such as I21.0."
  ) { ICD10($0) != nil }

  static let concludeBody = Schema.object {
    Member.required("summary", .text(Limits.longText))
    Member.required(
      "diagnoses",
      .array(
        .object {
          Member.required("code", icd10)
          Member.optional("main", .boolean)
        }, 1...Limits.diagnoses), "Exactly one is the main one; no code twice.")
    Member.required("disposition", .choice(Disposition.self))
    Member.required("recommendation", .text(Limits.longText))
    Member.optional(
      "issues",
      .array(
        .object {
          Member.required("question", .text(Limits.longText))
          Member.required("conclusion", .text(Limits.longText))
        }, 0...Limits.issues))
    Member.optional("followUpAt", .dateTime)
  }.named("ConcludeBody")

  static let amendBody = Schema.concludeBody.adding {
    Member.required("reason", .text(Limits.shortText), "Why the signed outcome is not right.")
  }.named("AmendBody")
}

/// What is answered. Members that the caller may not see are left out.
extension Schema {
  static let patient = Schema.object {
    Member.sometimes("name", .string)
    Member.sometimes("birthDate", .date)
    Member.sometimes("sex", .choice(Sex.self))
    Member.sometimes("personalId", .string)
    Member.sometimes("insuranceNumber", .string)
    Member.sometimes("phone", .string)
    Member.sometimes("temporary", .boolean)
  }.named("Patient")

  static let news2 = Schema.object {
    Member.required("total", .integer(0...20))
    Member.required("band", .choice(News2.Band.self))
    Member.required("scores", .map(.integer(0...3)))
  }.named("News2")

  static let signature = Schema.object {
    Member.required("version", .integer)
    Member.required("sha256", .string, "Of the document's bytes, in hexadecimal.")
    Member.required("signedBy", .string)
    Member.required("signedAt", .dateTime)
  }.named("Signature")

  static let outcome = Schema.object {
    Member.required("version", .integer)
    Member.sometimes("summary", .string)
    Member.sometimes(
      "diagnoses",
      .array(
        .object {
          Member.required("code", .string)
          Member.required("main", .boolean)
        }))
    Member.required("disposition", .choice(Disposition.self))
    Member.required("recommendation", .string)
    Member.sometimes(
      "issues",
      .array(
        .object {
          Member.required("question", .string)
          Member.required("conclusion", .string)
        }))
    Member.sometimes("followUpAt", .dateTime)
    Member.sometimes("reason", .string, "Of an amendment.")
    Member.sometimes("concludedAt", .dateTime)
    Member.sometimes("concludedBy", .string)
    Member.sometimes(
      "signature",
      .object {
        Member.required("sha256", .string)
        Member.required("signedBy", .string)
        Member.required("signedAt", .dateTime)
      }.orNull)
  }.named("Outcome")

  static let consult = Schema.object {
    Member.required("id", .uuid)
    Member.required("version", .integer)
    Member.required("state", .choice(ConsultState.self))
    Member.required("specialty", .specialty)
    Member.required("urgency", .choice(Urgency.self))
    Member.sometimes("urgencyReason", .string)
    Member.required("mode", .choice(ConsultMode.self))
    Member.required("stationId", .string)
    Member.required("stationName", .string.orNull)
    Member.required("requestedAt", .dateTime)
    Member.required("dueAt", .dateTime, "When somebody must have answered.")
    Member.required("overdue", .boolean)
    Member.sometimes("patient", .patient)
    Member.sometimes("situation", .string)
    Member.sometimes("background", .string)
    Member.sometimes("assessment", .string)
    Member.sometimes("request", .string)
    Member.sometimes("vitals", .vitals)
    Member.sometimes("news2", .news2.orNull, "Null when a parameter is missing, under 16, or pregnant.")
    Member.sometimes("pregnant", .boolean)
    Member.sometimes(
      "consent",
      .object {
        Member.required("basis", .choice(Consent.Basis.self))
        Member.required("at", .dateTime)
      })
    Member.required("practitionerId", .string.orNull)
    Member.required("practitionerName", .string.orNull)
    Member.required(
      "appointment",
      .object {
        Member.required("practitionerId", .string)
        Member.required("start", .dateTime)
        Member.required("end", .dateTime)
      }.orNull)
    Member.sometimes("startedAt", .dateTime)
    Member.sometimes("endedAt", .dateTime)
    Member.required("outcome", .outcome.orNull, "The newest version.")
    Member.required(
      "outcomes",
      .array(
        .object {
          Member.required("version", .integer)
          Member.required("sha256", .string.orNull)
          Member.required("signedBy", .string.orNull)
          Member.required("signedAt", .dateTime.orNull)
        }))
    Member.sometimes("reasons", .array(.any), "Why it was declined, cancelled or amended.")
    Member.required("allowed", .array(.choice(ConsultTransition.self)), "What this caller may do now.")
  }.named("Consult")
}

extension UInt8 {
  fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
