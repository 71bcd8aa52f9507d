package import Coordinator
import Domain
import HTTPTypes

/// A consult from its request to its signed outcome.
package struct ConsultRoutes: Sendable {
  let coordinator: Coordinator

  package init(_ coordinator: Coordinator) { self.coordinator = coordinator }

  package var endpoints: [Endpoint] { [request, list, read, book, document] + moves + outcomes }

  private static let path = "/api/v1/consults"

  private var request: Endpoint {
    Endpoint(
      .post, Self.path, "requestConsult", .consults, "A station asks for advice.",
      note: "With an `id` of its own, the same request can be sent again and gets the first answer.",
      body: .consultBody, answers: [.json(.created, .consult, "The request.").header("Location", "Where it is.")],
      rejections: [.idTaken], options: [.idempotent, .etag]
    ) { [coordinator] request in
      let answer = try await coordinator.requestConsult(try request.call, request.body.loweringID)
      return .init(answer, location: answer.location(under: Self.path))
    }
  }

  private var list: Endpoint {
    Endpoint(
      .get, Self.path, "listConsults", .consults, "Consults that the caller may see, newest first.",
      query: [
        QueryParameter("state", .array(.choice(ConsultState.self), 1...ConsultState.allCases.count)),
        QueryParameter("specialty", .specialty), QueryParameter("station", .facilityCode),
        QueryParameter("practitioner", .string(1...64)),
        QueryParameter("from", .dateTime, "Appointment, or request where there is none, not before."),
        QueryParameter("to", .dateTime, "And before."), QueryParameter("overdue", .boolean), .limit, .after,
      ], answers: [.json(.page(of: .consult), "A page of consults.")]
    ) { [coordinator] request in
      var filter = ConsultFilter()
      filter.states = request.list("state").compactMap(ConsultState.init(rawValue:))
      filter.specialty = request.choice("specialty")
      filter.station = request.text("station")
      filter.practitioner = request.text("practitioner")
      filter.from = request.instant("from")
      filter.to = request.instant("to")
      filter.overdue = request.query["overdue"]?.bool
      return .init(
        try await coordinator.consults(
          try request.call, filter, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var read: Endpoint {
    Endpoint(
      .get, Self.path + "/{id}", "readConsult", .consults, "One consult.",
      note: "Members that the caller may not see are left out. Reading a patient's record is logged.",
      answers: [.json(.consult, "The consult.")], options: .etag
    ) { [coordinator] request in
      .init(try await coordinator.consult(try request.call, id: request["id"]))
    }
  }

  private var book: Endpoint {
    Endpoint(
      .post, Self.path + "/{id}/appointment", "bookAppointment", .consults, "Books a time, or moves the booking.",
      note: "Any five-minute start inside availability. A second time moves it: old and new in one transaction.",
      body: .appointmentBody, answers: [.json(.created, .consult, "The consult with its appointment.")],
      rejections: [.slotTaken, .illegalTransition, .outsideSchedule], options: [.idempotent, .etag, .ifMatch]
    ) { [coordinator] request in
      guard let practitioner = request.body["practitionerId"]?.string,
        let start = request.body["start"]?.string.flatMap(Instant.init), let minutes = request.body["minutes"]?.int
      else { throw Rejection.invalid("", "required", "practitionerId, start and minutes are needed.") }
      return .init(
        try await coordinator.book(
          try request.call, consult: request["id"], practitioner: practitioner, start: start, minutes: minutes))
    }
  }

  private var moves: [Endpoint] {
    [
      move(.accept, "A specialist of the specialty takes it; the first wins."),
      move(.decline, "Its specialist gives it back; the time is freed.", .reasonBody),
      move(.arrive, "The station and its patient are there."),
      move(.start, "Either side begins."),
      move(.interrupt, "The link is lost, or somebody must go."),
      move(.resume, "It goes on."),
      move(.cancel, "It is called off before it began; the time is freed.", .reasonBody),
      move(.noShow, "From ten minutes after its start: a side did not come.", .noShowBody),
    ]
  }

  private func move(_ transition: ConsultTransition, _ summary: String, _ body: Schema? = nil) -> Endpoint {
    Endpoint(
      .post, Self.path + "/{id}/\(transition.rawValue)", transition.rawValue + "Consult", .consults, summary,
      body: body, answers: [.json(.consult, "The consult.")], rejections: [.illegalTransition],
      options: [.idempotent, .etag, .ifMatch]
    ) { [coordinator] request in
      .init(try await coordinator.move(try request.call, consult: request["id"], transition, request.body))
    }
  }

  private var outcomes: [Endpoint] {
    [
      Endpoint(
        .post, Self.path + "/{id}/conclude", "concludeConsult", .consults, "Its specialist writes the outcome.",
        body: .concludeBody, answers: [.json(.consult, "The consult with its outcome.")],
        rejections: [.illegalTransition], options: [.idempotent, .etag, .ifMatch]
      ) { [coordinator] request in
        .init(try await coordinator.conclude(try request.call, consult: request["id"], request.body))
      },
      Endpoint(
        .post, Self.path + "/{id}/amend", "amendConsult", .consults, "Its specialist corrects a signed outcome.",
        note: "A new version; the signed one stays as it is.", body: .amendBody,
        answers: [.json(.consult, "The consult with its new outcome.")],
        rejections: [.illegalTransition, .tooMany], options: [.idempotent, .etag, .ifMatch]
      ) { [coordinator] request in
        .init(try await coordinator.amend(try request.call, consult: request["id"], request.body))
      },
      Endpoint(
        .post, Self.path + "/{id}/sign", "signConsult", .consults, "Its specialist signs the newest version.",
        answers: [.json(.signature, "Who signed what, and when.")], rejections: [.illegalTransition],
        options: [.idempotent, .etag, .ifMatch]
      ) { [coordinator] request in .init(try await coordinator.sign(try request.call, consult: request["id"])) },
    ]
  }

  private var document: Endpoint {
    Endpoint(
      .get, Self.path + "/{id}/outcome/{version}", "readOutcomeDocument", .consults, "An outcome's document.",
      note: "Exactly the bytes that were hashed and signed.", parameters: ["version": .integer(1 ... .max)],
      answers: [.json(.map(.any), "The document.").header("ETag", "SHA-256 of a signed version, in hexadecimal.")],
      rejections: [.forbidden]
    ) { [coordinator] request in
      let (bytes, sha256) = try await coordinator.outcomeDocument(
        try request.call, consult: request["id"], version: Int64(request["version"]) ?? 0)
      let response = EndpointResponse.json(bytes: bytes)
      return sha256.map { response.setting(.eTag, "\"\($0)\"") } ?? response
    }
  }
}
