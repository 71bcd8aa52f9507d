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
        try consult.machine.check(.appointment, now: now)
        let practitioner = try Booking.check(
          directory.practitioners[practitionerId], directory.sessions[practitionerId] ?? [],
          specialty: consult.specialty, start: start, minutes: minutes, now: now)
        let appointment = Appointment(
          id: UUIDv7.make(at: now), practitioner: practitioner.id, start: start, end: start + .minutes(minutes))
        var machine = consult.machine
        let move = try machine.appointment(appointment, now: now)
        let cells = Cell.range(start: start, minutes: minutes)
        try tx.claim(
          resource: practitioner.id, cells: cells, holder: consult.id, kind: "appointment", expiresAt: nil, now: now,
          otherwise: SlotTaken(specialty: consult.specialty))
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
        // Whoever asked for the consult is shown nothing that they have not written themselves.
        if consult.createdBy != caller.personId {
          try tx.log([AccessEntry(reading: consult, by: caller, at: now)].compactMap { $0 })
        }
        let booked = consult
        return .created(try booked.json(for: caller, directory, now: now), version: booked.version)
      }
      timesChanged([practitionerId] + (left.value.map { [$0] } ?? []))
      return answer
    } catch let taken as SlotTaken {
      throw try await rejection(for: taken, start: start, minutes: minutes, directory)
    }
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
