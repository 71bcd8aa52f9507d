package import Coordinator
package import Domain
import HTTPTypes
package import Realtime

/// What happens, as it happens: paging here, sockets and Server-Sent Events by the hub. Tickets and the call's socket.
package struct EventRoutes: Sendable {
  /// What Realtime does with a request that was let in. A socket's function ends with `SocketUpgrade.accept`.
  package struct Live: Sendable {
    package typealias Feed =
      @Sendable (_ request: EndpointRequest, _ caller: Caller, _ filter: EventFilter, _ after: String?) async throws ->
      EndpointResponse
    package typealias Socket =
      @Sendable (
        _ request: EndpointRequest, _ caller: Caller, _ filter: EventFilter, _ after: String?,
        _ volatility: FeedVolatility
      ) async throws -> EndpointResponse
    /// `wait`: seconds, at least one.
    package typealias Page =
      @Sendable (
        _ request: EndpointRequest, _ caller: Caller, _ filter: EventFilter, _ after: String?, _ wait: Int64
      ) async throws -> Answer
    package typealias Call =
      @Sendable (_ request: EndpointRequest, _ caller: Caller, _ consult: String) async throws -> EndpointResponse
    /// How this node's feed is doing, for an administrator.
    package typealias Status = @Sendable () -> Answer

    package var socket: Socket
    package var stream: Feed
    package var page: Page
    package var call: Call
    package var status: Status

    package init(
      socket: @escaping Socket, stream: @escaping Feed, page: @escaping Page, call: @escaping Call,
      status: @escaping Status
    ) {
      self.socket = socket
      self.stream = stream
      self.page = page
      self.call = call
      self.status = status
    }
  }

  let coordinator: Coordinator
  let live: Live

  package init(_ coordinator: Coordinator, live: Live) {
    self.coordinator = coordinator
    self.live = live
  }

  package var endpoints: [Endpoint] { [events, snapshot, status, ticket, call] }

  private static let ticketParameter = QueryParameter(
    "ticket", .string(1...100), "For a socket, in place of a cookie or token.")

  private static let terms = Schema.array(.string(1...100), 1...Limits.filterTerms)

  private var events: Endpoint {
    Endpoint(
      .get, "/api/v1/events", "readEvents", .events, "The feed: a page, a stream or a socket.",
      note: "A page of the log, oldest first; with `wait` an empty one is held back until there is something on it. "
        + "With `Accept: text/event-stream` a stream that goes on; with `Upgrade: websocket` the feed's socket "
        + "(`hoichan.feed.v1`).", access: .socket,
      query: [
        QueryParameter("after", .string(1...Limits.cursorBytes), "A cursor, exclusive, or `oldest`."),
        QueryParameter("types", Self.terms, "With `*`: `consult.*`."), QueryParameter("facility", Self.terms),
        QueryParameter("specialty", Self.terms), QueryParameter("subject", Self.terms), .limit,
        QueryParameter(
          "wait", .integer(0...Limits.pageWaitSeconds),
          "Of a page that would be empty: for how many seconds to wait for an event that belongs on it."),
        QueryParameter(
          "volatile", .choice(FeedVolatility.Mode.self),
          "Of a socket: positions and presence not at all, of each subject the newest (which is usual), or all."),
        QueryParameter(
          "maxRate", .number(FeedVolatility.rates), "Of a socket: how often a second they may come; not with `all`."),
        Self.ticketParameter,
      ],
      answers: [
        .json(.eventPage, "A page of events.").or("text/event-stream", .string)
      ], rejections: [.forbidden, .cursorGap, .upgradeRequired]
    ) { [coordinator, live] request in
      let filter = EventFilter(
        types: request.list("types"), facilities: Set(request.list("facility")),
        specialties: Set(request.list("specialty")), subjects: Set(request.list("subject")))
      let after = request.text("after")
      if SocketUpgrade.isAsked(request) {
        let caller = try await Self.socketCaller(request, coordinator, purpose: "events", consult: nil)
        try caller.require(.readEvents)
        return try await live.socket(request, caller, filter, after, try Self.volatility(request))
      }
      if request.headers[.accept]?.lowercased().contains("text/event-stream") ?? false {
        let caller = try request.caller
        try caller.require(.readEvents)
        return try await live.stream(request, caller, filter, request.headers[.lastEventID] ?? after)
      }
      if let wait = request.integer("wait"), wait > 0 {
        return .init(try await live.page(request, try request.caller, filter, after, wait))
      }
      return .init(
        try await coordinator.eventPage(try request.call, after: after, filter: filter, limit: request.limit))
    }
  }

  private static func volatility(_ request: EndpointRequest) throws -> FeedVolatility {
    let mode = request.choice("volatile", FeedVolatility.Mode.self) ?? .latest
    let maxRate = request.number("maxRate")
    if mode == .all, maxRate != nil {
      throw Rejection.invalid("maxRate", "contradiction", "All of them come when they come: leave out the rate.")
    }
    return FeedVolatility(mode, maxRate: maxRate)
  }

  private var snapshot: Endpoint {
    Endpoint(
      .get, "/api/v1/snapshot", "readSnapshot", .events, "Where everything stands, and the cursor to go on from.",
      note: "Open consults, trips under way and who is in the calls, with the feed's cursor at that moment: "
        + "`GET /events?after=` it misses nothing. An event behind it may tell of what the rows show already. "
        + "What does not fit into `limit` is in the lists: go on there with `next`.",
      access: .signedIn(.readEvents),
      query: [
        QueryParameter("facility", Self.terms), QueryParameter("specialty", Self.terms, "Trips have none."),
        QueryParameter(
          "limit", .integer(1...Int64(Limits.pageMax)),
          "How many consults, and how many trips, at most: \(Limits.pageMax) unless said."),
      ], answers: [.json(.snapshot, "The snapshot.")]
    ) { [coordinator] request in
      let filter = EventFilter(
        facilities: Set(request.list("facility")), specialties: Set(request.list("specialty")))
      let limit = request.integer("limit").map { Int($0) } ?? Limits.pageMax
      return .init(try await coordinator.snapshot(try request.call, filter: filter, limit: limit))
    }
  }

  private var status: Endpoint {
    Endpoint(
      .get, "/api/v1/feed/status", "readFeedStatus", .events, "How the feed of this node is doing.",
      note: "Counts are since the node started; each node has its own.", access: .signedIn(.administer),
      answers: [.json(.feedStatus, "The feed of the node that answers.")]
    ) { [live] _ in .init(live.status()) }
  }

  private var ticket: Endpoint {
    Endpoint(
      .post, "/api/v1/tickets", "issueTicket", .events, "A pass for one socket, for 60 seconds.",
      body: .ticketBody, answers: [.json(.created, .ticket, "The ticket, shown once.")], rejections: [.notFound]
    ) { [coordinator] request in
      let consult = request.body["consultId"]?.string?.lowercased()
      let purpose = request.body["purpose"]?.string ?? "events"
      if purpose == "call", consult == nil {
        throw Rejection.invalid("/consultId", "required", "A call is a consult's: say which.")
      }
      return .init(try await coordinator.issueTicket(try request.call, purpose: purpose, consult: consult))
    }
  }

  private var call: Endpoint {
    Endpoint(
      .get, "/api/v1/consults/{id}/call", "joinCall", .events, "The call's socket (`hoichan.call.v1`).",
      access: .socket, query: [Self.ticketParameter],
      answers: [.empty(.switchingProtocols, "The socket is open.")],
      rejections: [.forbidden, .illegalTransition, .upgradeRequired]
    ) { [coordinator, live] request in
      guard SocketUpgrade.isAsked(request) else {
        throw Rejection(.upgradeRequired, "The call is a WebSocket: ask with `Upgrade: websocket`.")
      }
      let caller = try await Self.socketCaller(request, coordinator, purpose: "call", consult: request["id"])
      return try await live.call(request, caller, request["id"])
    }
  }

  /// A ticket outranks cookie and token, since somebody made it for just this.
  private static func socketCaller(
    _ request: EndpointRequest, _ coordinator: Coordinator, purpose: String, consult: String?
  ) async throws -> Caller {
    guard let ticket = request.text("ticket") else { return try request.caller }
    return try await coordinator.redeem(ticket: ticket, purpose: purpose, consult: consult)
  }
}
