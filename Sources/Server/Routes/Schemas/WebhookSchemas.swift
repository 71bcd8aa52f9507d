import Domain

extension Schema {
  private static let terms = 0...Limits.filterTerms

  private static let webhookURL = Schema.pattern(
    "^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$", "An address was expected: https://HOST/PATH, in ASCII."
  ) { WebhookURL($0) != nil }

  private static let webhookFacilities = Schema.array(.facilityCode, 1...Limits.filterTerms)
    .described("It gets what a monitor of these facilities sees.")

  private static let webhookPlace = Schema.string(1...Limits.cursorBytes)
    .described("From where events are sent: a cursor, `oldest`, or `head`: what happens from now on.")

  private static let webhookFilter = Schema.object {
    Member.optional("types", .array(.string(1...100), terms), "With `*`: `consult.*`.")
    Member.optional("facility", .array(.facilityCode, terms))
    Member.optional("specialty", .array(.specialty, terms))
    Member.optional("subject", .array(.string(1...100), terms))
  }.named("WebhookFilter")

  static let webhookBody = Schema.object {
    Member.required("url", webhookURL)
    Member.required("facilities", webhookFacilities)
    Member.optional("filter", webhookFilter)
    Member.optional("after", webhookPlace)
  }.named("WebhookBody")

  static let webhookChangeBody = Schema.object {
    Member.optional("url", webhookURL)
    Member.optional("facilities", webhookFacilities)
    Member.optional("filter", webhookFilter)
    Member.optional("state", .choice(WebhookMachine.State.self), "`active` resumes, and forgets what failed.")
    Member.optional("after", webhookPlace)
  }.named("WebhookChangeBody")

  static let webhook = Schema.object {
    Member.required("id", .uuid)
    Member.required("url", .string)
    Member.required("facilities", .array(.string))
    Member.required(
      "filter",
      .object {
        Member.required("types", .array(.string))
        Member.required("facility", .array(.string))
        Member.required("specialty", .array(.string))
        Member.required("subject", .array(.string))
      })
    Member.required("state", .choice(WebhookMachine.State.self))
    Member.required("pauseReason", .choice(WebhookMachine.Pause.self).orNull)
    Member.required("cursor", .string, "Everything up to here was taken, or is not for it.")
    Member.required("behind", .integer, "Positions of the log behind the cursor, also of events that are not for it.")
    Member.required("failingSince", .dateTime.orNull)
    Member.required("attempts", .integer, "That failed since then.")
    Member.required("nextAttemptAt", .dateTime.orNull)
    Member.required("lastAttemptAt", .dateTime.orNull)
    Member.required("lastDeliveredAt", .dateTime.orNull)
    Member.required("lastStatus", .integer.orNull, "What the receiver answered last; null when it did not.")
    Member.required("lastError", .choice(WebhookFailure.self).orNull)
    Member.required("createdAt", .dateTime)
    Member.required("createdBy", .string)
    Member.required("version", .integer)
  }.named("Webhook")

  static let newWebhook = Schema.webhook.adding {
    Member.required("secret", .string, "For verifying signatures; shown once.")
  }.named("NewWebhook")

  static let webhookTest = Schema.object {
    Member.required("delivered", .boolean)
    Member.required("status", .integer.orNull)
    Member.required("error", .string.orNull)
    Member.required("milliseconds", .integer)
  }.named("WebhookTest")
}
