package import Domain

/// What `GET /slots` asks.
package struct SlotQuery: Sendable, Equatable {
  package var specialty: Specialty?
  package var practitioner: String?
  package var from: Instant?
  package var to: Instant?
  package var minutes: Int64 = 30
  package var limit: Int = Limits.pageDefault
  package init() {}
}

extension Coordinator {
  /// Free slots, earliest first.
  package func slots(_ call: Call, _ query: SlotQuery) async throws -> Answer {
    try call.caller.require(.readDirectory)
    let directory = try await directory.get()
    let now = now()
    let from = max(query.from ?? now, now)
    let to = query.to ?? from + .days(14)
    guard to - from <= .days(Int64(Limits.searchDays)) else {
      throw Rejection.invalid("to", "range", "At most \(Limits.searchDays) days are searched at once.")
    }
    let practitioners: [String]
    if let id = query.practitioner {
      let known = directory.practitioners[id]
      practitioners = known != nil && (query.specialty == nil || known?.specialty == query.specialty) ? [id] : []
    } else {
      practitioners = directory.practitioners.values.filter {
        query.specialty == nil || $0.specialty == query.specialty
      }
      .map(\.id)
    }
    let slots = try await slots(
      of: practitioners, from: from, to: to, minutes: query.minutes, limit: query.limit, directory, now: now)
    return .ok(["items": .array(slots.map(\.json))])
  }

  func slots(
    of practitioners: [String], from: Instant, to: Instant, minutes: Int64, limit: Int, _ directory: Directory,
    now: Instant
  ) async throws -> [Slot] {
    let busy = try await busy.get(practitioners, now: now)
    let calendars = practitioners.compactMap { id -> SlotSearch.Calendar? in
      guard let practitioner = directory.practitioners[id], let taken = busy[id] else { return nil }
      return .init(practitioner: practitioner, sessions: directory.sessions[id] ?? [], busy: taken)
    }
    return SlotSearch.find(calendars, from: from, to: to, minutes: minutes, limit: limit)
  }

  /// Free and busy time of a practitioner, with the appointments that the caller may see.
  package func schedule(_ call: Call, practitioner id: String, from: Instant, to: Instant) async throws -> Answer {
    let caller = call.caller
    try caller.require(.readDirectory)
    let directory = try await directory.get()
    guard let practitioner = directory.practitioners[id] else { throw Rejection.notFound }
    guard from < to, to - from <= .days(Int64(Limits.searchDays)) else {
      throw Rejection.invalid("to", "range", "From 1 to \(Limits.searchDays) days are shown at once.")
    }
    let now = now()
    let window = Cell.range(start: from, end: to)
    let (taken, consults) = try await store.read { tx in
      var filter = ConsultFilter()
      filter.practitioner = id
      filter.from = from - .minutes(Limits.visitMinutes.upperBound)
      filter.to = to
      return (
        try tx.takenCells(resource: id, in: window, now: now),
        try tx.consults(filter, page: Page(limit: Limits.pageMax))
      )
    }
    let busy = BusyCells(window: window, taken: taken)
    let free = Availability(
      sessions: directory.sessions[id] ?? [], lastDay: practitioner.validTo, from: from, to: to
    ).free(without: busy)
    var items: [(start: Instant, json: JSON)] = free.map {
      ($0.start, ["kind": "free", "start": .instant($0.start), "end": .instant($0.end)])
    }
    var shown = BusyCells(window: window)
    var read: [AccessEntry] = []
    for consult in consults where consult.holdsClaims {
      guard let appointment = consult.appointment, appointment.end > from, appointment.start < to,
        caller.may(.seeConsult(consult.scope())) == .allowed
      else { continue }
      shown.insert(Cell.range(start: appointment.start, end: appointment.end))
      let identity = caller.may(.readPatient(consult.scope())) == .allowed
      if identity { read.append(AccessEntry(caller, "read", consult.subject, facility: consult.station, at: now)) }
      items.append(
        (
          appointment.start,
          .compact([
            "kind": "appointment", "start": .instant(appointment.start), "end": .instant(appointment.end),
            "consultId": .string(consult.id), "state": .string(consult.state.rawValue),
            "urgency": .string(consult.urgency.rawValue),
            "patientName": identity ? try consult.document.request().patient.name.map { .string($0) } : nil,
          ])
        ))
    }
    for stretch in Self.stretches(taken.filter { !shown.contains($0) }) {
      items.append(
        (
          Cell.start(stretch.lowerBound),
          [
            "kind": "busy", "start": .instant(Cell.start(stretch.lowerBound)),
            "end": .instant(Cell.start(stretch.upperBound)),
          ]
        ))
    }
    try await log(read)
    return .ok([
      "practitionerId": .string(id), "from": .instant(from), "to": .instant(to),
      "items": .array(items.sorted { $0.start < $1.start }.map(\.json)),
    ])
  }

  /// Neighbouring cells as ranges.
  private static func stretches(_ cells: [Int64]) -> [Range<Int64>] {
    cells.reduce(into: []) { ranges, cell in
      if let last = ranges.last, last.upperBound == cell {
        ranges[ranges.count - 1] = last.lowerBound..<cell + 1
      } else {
        ranges.append(cell..<cell + 1)
      }
    }
  }
}
