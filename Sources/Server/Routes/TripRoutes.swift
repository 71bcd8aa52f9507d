package import Coordinator
import Domain
import HTTPTypes

/// Ambulance trips, and what a family sees of one.
package struct TripRoutes: Sendable {
  let coordinator: Coordinator

  package init(_ coordinator: Coordinator) { self.coordinator = coordinator }

  package var endpoints: [Endpoint] {
    [request, list, read, change, milestone, positions, share, revoke, track]
  }

  private static let path = "/api/v1/trips"

  private var request: Endpoint {
    Endpoint(
      .post, Self.path, "requestTrip", .trips, "Asks for an ambulance.",
      note: "With an `id` of its own, the same request can be sent again and gets the first answer.", body: .tripBody,
      answers: [.json(.created, .trip, "The trip.").header("Location", "Where it is.")], rejections: [.idTaken],
      options: [.idempotent, .etag]
    ) { [coordinator] request in
      let answer = try await coordinator.requestTrip(try request.call, request.body.loweringID)
      return .init(answer, location: answer.location(under: Self.path))
    }
  }

  private var list: Endpoint {
    Endpoint(
      .get, Self.path, "listTrips", .trips, "Trips that the caller may see, newest first.",
      query: [
        QueryParameter("consult", .uuid), QueryParameter("vehicle", .string(1...64)),
        QueryParameter("open", .boolean, "Only those under way or waiting, or only those that ended."), .limit, .after,
      ], answers: [.json(.page(of: .trip), "A page of trips.")]
    ) { [coordinator] request in
      let filter = TripFilter(
        consult: request.text("consult")?.lowercased(), vehicle: request.text("vehicle"),
        open: request.query["open"]?.bool)
      return .init(
        try await coordinator.trips(
          try request.call, filter, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var read: Endpoint {
    Endpoint(
      .get, Self.path + "/{id}", "readTrip", .trips, "One trip.", answers: [.json(.trip, "The trip.")], options: .etag
    ) { [coordinator] request in .init(try await coordinator.trip(try request.call, id: request["id"])) }
  }

  private var change: Endpoint {
    Endpoint(
      .patch, Self.path + "/{id}", "changeTrip", .trips, "Plans a trip anew.",
      note: "Only the members that are sent are changed.", body: .tripChangeBody,
      answers: [.json(.trip, "The trip.")], rejections: [.illegalTransition], options: [.idempotent, .etag, .ifMatch]
    ) { [coordinator] request in
      .init(try await coordinator.changeTrip(try request.call, id: request["id"], request.body))
    }
  }

  private var milestone: Endpoint {
    Endpoint(
      .post, Self.path + "/{id}/milestones", "recordMilestone", .trips, "Records a step of the trip.",
      note: "Late and offline times are taken; contradictions are flagged. The same step at the same time is one step.",
      body: .milestoneBody, answers: [.json(.trip, "The trip.")], rejections: [.illegalTransition],
      options: [.idempotent, .etag, .ifMatch]
    ) { [coordinator] request in
      guard let milestone = request.body["milestone"]?.string.flatMap(Milestone.init(rawValue:)) else {
        throw Rejection.invalid("/milestone", "required", "A milestone is needed.")
      }
      return .init(
        try await coordinator.recordMilestone(
          try request.call, trip: request["id"], milestone, at: request.body["at"]?.string.flatMap(Instant.init)))
    }
  }

  private var positions: Endpoint {
    let accepted = Schema.object {
      Schema.Member.required("accepted", .count, "How many were taken.")
      Schema.Member.required("clockAhead", .count, "How many had a time in the future, which was replaced.")
    }
    return Endpoint(
      .post, Self.path + "/{id}/positions", "sendPositions", .trips, "Positions of the vehicle, in any order.",
      body: .positionsBody, bodyLimit: 4 * Limits.bodyBytes, answers: [.json(accepted, "What was taken.")],
      options: .idempotent
    ) { [coordinator] request in
      let positions = (request.body["positions"]?.array ?? []).compactMap(Position.init(json:))
      return .init(try await coordinator.recordPositions(try request.call, trip: request["id"], positions))
    }
  }

  private var share: Endpoint {
    Endpoint(
      .post, Self.path + "/{id}/links", "shareTrip", .trips, "Makes a link for the family.",
      note: "Whoever has it sees this trip, until handover, its end after a day, or its revocation.",
      answers: [.json(.created, .link, "The link, shown once.")], rejections: [.illegalTransition, .tooMany],
      options: .idempotent
    ) { [coordinator] request in .init(try await coordinator.shareTrip(try request.call, trip: request["id"])) }
  }

  private var revoke: Endpoint {
    Endpoint(
      .delete, Self.path + "/{id}/links/{linkId}", "revokeLink", .trips, "Ends a link.",
      answers: [.empty("It has ended.")], options: .idempotent
    ) { [coordinator] request in
      .init(try await coordinator.revokeLink(try request.call, trip: request["id"], link: request["linkId"]))
    }
  }

  private var track: Endpoint {
    Endpoint(
      .get, "/track/{secret}.json", "trackTrip", .trips, "What a family may know of its trip.",
      note: "No ids, people, consult or origin.", access: .capability, parameters: ["secret": .string(1...100)],
      answers: [.json(.familyView, "The trip.")], rejections: [.linkEnded]
    ) { [coordinator] request in .json(try await coordinator.track(secret: request["secret"])) }
  }
}
