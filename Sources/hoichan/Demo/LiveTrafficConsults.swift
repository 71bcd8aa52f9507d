import Coordinator
import Domain

/// Consults: asked by stations, answered by specialists.
extension LivePlay {
  mutating func request(now: Instant) async throws {
    let station = random.pick(cast.stations)
    let number = random.below(LiveCase.all.count)
    let made = LiveCase.all[number]
    let id = UUIDv7.make(at: now)
    let body: JSON = .compact([
      "id": .string(id), "specialty": .string(made.specialty.rawValue), "urgency": .string(made.urgency.rawValue),
      "mode": once(in: 8) ? "written" : "live", "stationId": .string(station.code), "patient": patient(made, now: now),
      "situation": .string(made.situation), "background": .string(made.background),
      "assessment": .string(made.assessment), "request": .string(made.request), "vitals": vitals(made),
      "consent": ["basis": made.urgency == .emergency ? "emergency" : "consent", "at": .instant(now)],
    ])
    _ = try await coordinator.requestConsult(cast.nurse(at: station.code), body)
    // The more urgent, the sooner somebody answers.
    consults[id] =
      switch made.urgency {
      case .emergency: soon(now, 4...15)
      case .urgent: soon(now, 8...40)
      case .sameDay, .routine: soon(now, 15...90)
      }
  }

  /// The consult's next step, by whoever would take it.
  mutating func advance(consult id: String, now: Instant) async throws {
    let found = try await coordinator.store.read { try $0.consult(id) }
    guard let consult = found, LiveCast.plays(consult.createdBy) else { return leave(id) }
    let nurse = cast.nurse(at: consult.station)
    switch consult.state {
    case .requested:
      if once(in: 15) {
        try await move(nurse, consult, .cancel, ["reason": "Người bệnh đã về (mô phỏng)."])
      } else if consult.urgency == .routine || consult.urgency == .sameDay, try await book(nurse, consult, now: now) {
        return
      } else if let specialist = specialist(for: consult.specialty) {
        try await move(specialist, consult, .accept)
      }
    case .assigned, .scheduled:
      // Somebody whom a visitor plays has it: it is the visitor's to go on with.
      guard let specialist = cast.specialist(consult.practitioner) else { return leave(id) }
      if consult.mode == .written {
        try await conclude(specialist, consult, now: now)
      } else if once(in: 20) {
        try await move(specialist, consult, .decline, ["reason": "Đang mổ cấp cứu (mô phỏng)."])
      } else {
        try await move(nurse, consult, .arrive)
      }
    case .waiting:
      guard let specialist = cast.specialist(consult.practitioner) else { return leave(id) }
      try await move(specialist, consult, .start)
    case .inProgress:
      guard let specialist = cast.specialist(consult.practitioner) else { return leave(id) }
      if once(in: 12) {
        try await move(nurse, consult, .interrupt)
      } else {
        try await conclude(specialist, consult, now: now)
      }
    case .interrupted: try await move(nurse, consult, .resume)
    case .concluded, .amended:
      guard let specialist = cast.specialist(consult.practitioner) else { return leave(id) }
      _ = try await coordinator.sign(specialist, consult: id)
      leave(id)
    case .signed, .cancelled, .noShow: leave(id)
    }
  }

  private mutating func leave(_ id: String) { consults[id] = nil }

  private func move(
    _ call: Call, _ consult: Consult, _ transition: ConsultTransition, _ body: JSON = .object(.init())
  ) async throws {
    _ = try await coordinator.move(call, consult: consult.id, transition, body)
  }

  private mutating func specialist(for specialty: Specialty) -> Call? {
    guard let able = cast.specialists[specialty], !able.isEmpty else { return nil }
    return cast.specialist(random.pick(able).id)
  }

  /// Books some time of the next two weeks, not the earliest: that is left to visitors.
  private mutating func book(_ nurse: Call, _ consult: Consult, now: Instant) async throws -> Bool {
    var query = SlotQuery()
    query.specialty = consult.specialty
    query.from = now + .hours(12)
    query.limit = 200
    let answer = try await coordinator.slots(nurse, query)
    let slots = try answer.body.map { try JSON(parsing: $0) }?["items"]?.array ?? []
    guard !slots.isEmpty else { return false }
    let slot = random.pick(slots)
    guard let practitioner = slot["practitionerId"]?.string, cast.specialist(practitioner) != nil,
      let start = slot["start"]?.string.flatMap(Instant.init)
    else { return false }
    _ = try await coordinator.book(
      nurse, consult: consult.id, practitioner: practitioner, start: start, minutes: query.minutes)
    return true
  }

  private mutating func conclude(_ specialist: Call, _ consult: Consult, now: Instant) async throws {
    let situation = try consult.document.request().situation
    let made = LiveCase.all.first { $0.situation == situation } ?? LiveCase.all[0]
    _ = try await coordinator.conclude(
      specialist, consult: consult.id,
      [
        "summary": .string(made.assessment), "diagnoses": [["code": .string(made.code), "main": true]],
        "disposition": .string(made.disposition.rawValue), "recommendation": .string(made.recommendation),
      ])
    let isTransfer = made.disposition == .transferEmergency || made.disposition == .transferUrgent
    if isTransfer, trips.count < Self.openTrips { try await dispatch(for: consult, now: now) }
  }

  private mutating func patient(_ made: LiveCase, now: Instant) -> JSON {
    let family = random.pick(["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Bùi", "Đỗ", "Lò", "Hà"])
    let given = random.pick(
      made.sex == .female ? ["Hoa", "Lan", "Mai", "Thảo", "Yến"] : ["An", "Dũng", "Hùng", "Sơn", "Tuấn"])
    let year = now.day.year - made.age - random.below(6)
    let birth = CalendarDay(year: year, month: 1 + random.below(12), day: 1 + random.below(28))
    return [
      "name": .string("\(family) \(made.sex == .female ? "Thị" : "Văn") \(given) (mô phỏng)"),
      "birthDate": .orNull(birth?.text), "sex": .string(made.sex.rawValue),
    ]
  }

  /// The case's own, a little different every time.
  private mutating func vitals(_ made: LiveCase) -> JSON {
    let own = made.vitals
    return [
      "respiratoryRate": .int(own.breaths + Int64(random.below(3))),
      "spo2": .int(own.saturation - Int64(random.below(2))),
      "oxygen": .bool(own.saturation < 92), "systolic": .int(own.systolic + Int64(random.below(9))),
      "diastolic": .int(own.systolic * 5 / 8), "pulse": .int(own.pulse + Int64(random.below(9))),
      "consciousness": .string(own.saturation < 90 ? "confusion" : "alert"),
      "temperature": .double(((own.temperature + random.unit() * 0.4) * 10).rounded() / 10),
    ]
  }
}
