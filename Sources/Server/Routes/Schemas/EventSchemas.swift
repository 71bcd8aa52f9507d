import Domain

extension Schema {
  /// CloudEvents 1.0 in its JSON form.
  static let event = Schema.object {
    Member.required("specversion", .choice(["1.0"]))
    Member.required("id", .string)
    Member.required("type", .choice(EventType.self))
    Member.required("source", .string)
    Member.required("subject", .string)
    Member.required("time", .dateTime)
    Member.required("sequence", .string, "Decimal, 12 digits. Readers with a filter see jumps.")
    Member.required("datacontenttype", .choice(["application/json"]))
    Member.required(
      "data", .map(.any),
      "Ids, codes and times, for each type in `/asyncapi.json`; never a patient's identity or free text.")
  }.named("Event")

  static let eventPage = Schema.object {
    Member.required(
      "items",
      .array(
        .object {
          Member.required("cursor", .string, "The position after this event.")
          Member.required("event", .event)
        }))
    Member.required("next", .string.orNull, "Null at the head.")
    Member.required("cursor", .string, "The position after this page, even an empty one.")
    Member.required("oldest", .string)
    Member.required("head", .string)
  }.named("EventPage")

  static let snapshot = Schema.object {
    Member.required("cursor", .string, "For `after` of the feed.")
    Member.required(
      "consults", .page(of: .consult), "In no final state. `next` goes on in `GET /consults` with the same states.")
    Member.required(
      "trips", .page(of: .trip), "Waiting or under way. `next` goes on in `GET /trips` with `open=true`.")
    Member.required(
      "presence",
      .array(
        .object {
          Member.required("consultId", .uuid)
          Member.required("participants", .integer)
        }), "Who is in the calls of these consults: what `call.joined` and its like count on from.")
  }.named("Snapshot")
}
