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

  private static let amount = Schema.integer(0 ... .max)

  static let feedStatus = Schema.object {
    Member.required("startedAt", .dateTime, "Of this node; since then everything is counted.")
    Member.required(
      "subscribers",
      .object {
        Member.required("sockets", amount)
        Member.required("streams", amount, "Server-Sent Events.")
        Member.required("waiting", amount, "Requests for a page that wait for an event (`wait`).")
      })
    Member.required(
      "lagMilliseconds", .integer.orNull,
      "From the newest event's recording until it was there to be sent; null until there was one.")
    Member.required(
      "behind",
      .object {
        Member.required("subscribers", amount)
        Member.required("events", amount, "How far the last of them is behind the log's head.")
      }, "Sockets and streams that have not got all yet, looked at every few seconds.")
    Member.required(
      "ring",
      .object {
        Member.required("events", amount)
        Member.required("bytes", amount, "What they take at most.")
        Member.required("maxBytes", amount, "The setting `feed.memory.mb`.")
        Member.required("since", .dateTime.orNull, "When the oldest of them was recorded.")
      }, "The newest events, in memory: whoever is further behind is read the log.")
    Member.required(
      "backlog",
      .object {
        Member.required("bytes", amount)
        Member.required("maxBytes", amount, "The setting `feed.backlog.mb`.")
      }, "What waits for subscribers who do not read.")
    Member.required("deliveries", amount, "Events that were written to subscribers.")
    Member.required("encodes", amount)
    Member.required("deflates", amount)
    Member.required("pagesRead", amount, "Of the log, for subscribers behind the ring.")
    Member.required("ends", .map(amount), "Subscribers that ended or were refused, by reason.")
  }.named("FeedStatus")
}
