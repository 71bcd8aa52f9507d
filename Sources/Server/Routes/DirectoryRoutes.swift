package import Coordinator
import Domain
import HTTPTypes

/// Facilities, practitioners, specialties, vehicles, free time and schedules.
package struct DirectoryRoutes: Sendable {
  let coordinator: Coordinator

  package init(_ coordinator: Coordinator) { self.coordinator = coordinator }

  package var endpoints: [Endpoint] {
    [facilities, practitioners, specialties, vehicles, slots, schedule]
  }

  private var facilities: Endpoint {
    Endpoint(
      .get, "/api/v1/facilities", "listFacilities", .directory, "Facilities, by name.",
      access: .signedIn(.readDirectory), query: [.search, .limit, .after],
      answers: [.json(.page(of: .facility), "A page of facilities.")]
    ) { [coordinator] request in
      .init(
        try await coordinator.facilities(
          try request.call, query: request.search, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var practitioners: Endpoint {
    Endpoint(
      .get, "/api/v1/practitioners", "listPractitioners", .directory, "Specialists, by name.",
      access: .signedIn(.readDirectory),
      query: [
        .search, QueryParameter("specialty", .specialty), QueryParameter("facility", .facilityCode), .limit, .after,
      ], answers: [.json(.page(of: .practitioner), "A page of practitioners.")]
    ) { [coordinator] request in
      let filter = PractitionerFilter(
        query: request.search, specialty: request.choice("specialty"), facility: request.text("facility"))
      return .init(
        try await coordinator.practitioners(
          try request.call, filter, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var specialties: Endpoint {
    Endpoint(
      .get, "/api/v1/specialties", "listSpecialties", .directory, "Specialties, in a fixed order.",
      access: .signedIn(.readDirectory), query: [.search],
      answers: [.json(.page(of: .specialtyName), "All of them.")]
    ) { [coordinator] request in
      .init(try coordinator.specialties(try request.call, query: request.search))
    }
  }

  private var vehicles: Endpoint {
    Endpoint(
      .get, "/api/v1/vehicles", "listVehicles", .directory, "Ambulances and other cars.",
      access: .signedIn(.readDirectory), query: [.limit, .after],
      answers: [.json(.page(of: .vehicle), "A page of vehicles.")]
    ) { [coordinator] request in
      .init(
        try await coordinator.vehicles(
          try request.call, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var slots: Endpoint {
    Endpoint(
      .get, "/api/v1/slots", "findSlots", .directory, "Free slots, earliest first.",
      note:
        "On each session's grid of visit length. Any other five-minute start inside availability can be booked too.",
      access: .signedIn(.readDirectory),
      query: [
        QueryParameter("specialty", .specialty), QueryParameter("practitioner", .string(1...64)),
        QueryParameter("from", .dateTime, "Not before; now, unless said."),
        QueryParameter("to", .dateTime, "Ending by; 14 days later, unless said."),
        QueryParameter("minutes", .integer(Limits.visitMinutes, multipleOf: Limits.cellMinutes), "30, unless said."),
        QueryParameter("limit", .integer(1...Int64(Limits.slotsMax)), "How many at most."),
      ], answers: [.json(.object { Schema.Member.required("items", .array(.slot)) }, "The slots.")]
    ) { [coordinator] request in
      var query = SlotQuery()
      query.specialty = request.choice("specialty")
      query.practitioner = request.text("practitioner")
      query.from = request.instant("from")
      query.to = request.instant("to")
      if let minutes = request.integer("minutes") { query.minutes = minutes }
      query.limit = request.limit
      return .init(try await coordinator.slots(try request.call, query))
    }
  }

  private var schedule: Endpoint {
    Endpoint(
      .get, "/api/v1/practitioners/{id}/schedule", "readSchedule", .directory, "A practitioner's free and busy time.",
      note: "With the appointments that the caller may see.", access: .signedIn(.readDirectory),
      parameters: ["id": .string(1...64)],
      query: [
        QueryParameter("from", .dateTime, "Today's beginning, unless said."),
        QueryParameter("to", .dateTime, "Seven days later, unless said."),
      ], answers: [.json(.schedule, "The schedule.")]
    ) { [coordinator] request in
      let from = request.instant("from") ?? coordinator.now().day.start
      return .init(
        try await coordinator.schedule(
          try request.call, practitioner: request["id"], from: from, to: request.instant("to") ?? from + .days(7)))
    }
  }
}
