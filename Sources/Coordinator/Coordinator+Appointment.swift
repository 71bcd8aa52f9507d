package import Domain

extension Coordinator {
  /// Books a time, or moves the booking: the new cells are taken before the old are freed, in one transaction.
  package func book(
    _ call: Call, consult id: String, practitioner practitionerId: String, start: Instant, minutes: Int64
  ) async throws -> Answer {
    let directory = try await directory.get()
    let caller = call.caller
    let left = Box<String?>(nil)
    do {
      let answer = try await write(call) { tx, now in
        guard var consult = try tx.consult(id) else { throw Rejection.notFound }
        try caller.require(.move(.appointment, consult.scope()))
        try call.check(version: consult.version)
        let practitioner = try Self.bookable(
          practitionerId, for: consult, start: start, minutes: minutes, directory, now: now)
        let appointment = Appointment(
          id: UUIDv7.make(at: now), practitioner: practitioner.id, start: start, end: start + .minutes(minutes))
        var machine = consult.machine
        let move = try machine.appointment(appointment, now: now)
        let cells = Cell.range(start: start, minutes: minutes)
        let taken = try tx.claim(
          resource: practitioner.id, cells: cells, holder: consult.id, kind: "appointment", expiresAt: nil, now: now)
        guard taken == cells.count else { throw SlotTaken(specialty: consult.specialty) }
        if let old = consult.appointment {
          try tx.free(holder: consult.id, keeping: (practitioner.id, cells))
          try tx.endAppointment(old.id, state: "moved", at: now)
        }
        try tx.insert(appointment, consult: consult.id, by: caller.personId, at: now)
        let before = consult.practitioner
        left.value = before
        consult.state = move.to
        consult.practitioner = practitioner.id
        consult.serving = practitioner.facility
        consult.appointment = appointment
        try tx.update(&consult)
        try tx.append(consult.event(move.event, by: caller), at: now)
        for changed in Set([before, practitioner.id].compactMap { $0 }).sorted() {
          try tx.append(Self.scheduleChanged(changed, directory, by: caller), at: now)
        }
        return .created(consult.json(for: caller, directory, now: now), version: consult.version)
      }
      busy.invalidate([practitionerId] + (left.value.map { [$0] } ?? []))
      return answer
    } catch let taken as SlotTaken {
      throw try await rejection(for: taken, start: start, minutes: minutes, directory)
    }
  }

  /// The practitioner, if this time with them can be booked at all.
  private static func bookable(
    _ id: String, for consult: Consult, start: Instant, minutes: Int64, _ directory: Directory, now: Instant
  ) throws -> Practitioner {
    guard let practitioner = directory.practitioners[id], practitioner.isValid(on: start.day) else {
      throw Rejection.invalid("/practitionerId", "unknown", "There is no such practitioner.")
    }
    guard practitioner.specialty == consult.specialty else {
      throw Rejection.invalid("/practitionerId", "specialty", "This practitioner has another specialty.")
    }
    guard Cell.isBoundary(start) else {
      throw Rejection.invalid("/start", "multipleOf", "Appointments begin at multiples of five minutes.")
    }
    // The cell that is running may still be booked: an urgent consult begins now.
    guard start + .minutes(Limits.cellMinutes) > now else {
      throw Rejection.invalid("/start", "range", "This time is over.")
    }
    guard start < now + .days(Limits.bookingHorizonDays) else {
      throw Rejection.invalid("/start", "range", "This is too far ahead.")
    }
    let availability = Availability(
      sessions: directory.sessions[id] ?? [], lastDay: practitioner.validTo, from: start, to: start + .minutes(minutes))
    guard availability.covers(start: start, minutes: minutes) else {
      throw Rejection(.outsideSchedule, "The practitioner is not available for all of this time.")
    }
    return practitioner
  }

  static func scheduleChanged(_ practitioner: String, _ directory: Directory, by caller: Caller?) -> EventDraft {
    var data = EventData()
    data.practitionerId = practitioner
    let known = directory.practitioners[practitioner]
    data.specialty = known?.specialty
    return EventDraft(
      type: .scheduleChanged, subject: "practitioners/\(practitioner)", facilities: known.map { [$0.facility] } ?? [],
      specialty: known?.specialty, actor: caller?.personId ?? "system", data: data)
  }

  /// 409 with what is free instead, read after the lost attempt.
  private func rejection(
    for taken: SlotTaken, start: Instant, minutes: Int64, _ directory: Directory
  ) async throws -> Rejection {
    let now = now()
    let candidates = directory.practitioners.values.filter { $0.specialty == taken.specialty }.map(\.id)
    // The cache may not have heard yet of the booking that won.
    busy.invalidate(candidates)
    let slots = try await slots(
      of: candidates, from: max(start, now), to: max(start, now) + .days(14), minutes: minutes,
      limit: Limits.alternatives, directory, now: now)
    return Rejection(
      .slotTaken, "Somebody else has this time.", extra: .init([("alternatives", .array(slots.map(\.json)))]))
  }
}

/// A cell of the wanted time belongs to somebody else: the transaction is given up.
private struct SlotTaken: Error { var specialty: Specialty }
