/// Which times can be booked, apart from whether they are taken.
package enum Booking {
  /// The practitioner, if this time with them can be booked at all.
  /// - Parameters:
  ///   - practitioner: nil when there is none of the wanted id.
  ///   - sessions: the practitioner's weekly schedule.
  ///   - specialty: the consult's.
  package static func check(
    _ practitioner: Practitioner?, _ sessions: [ScheduleSession], specialty: Specialty, start: Instant,
    minutes: Int64, now: Instant
  ) throws(Rejection) -> Practitioner {
    guard let practitioner, practitioner.isValid(on: start.day) else {
      throw .invalid("/practitionerId", "unknown", "There is no such practitioner.")
    }
    guard practitioner.specialty == specialty else {
      throw .invalid("/practitionerId", "specialty", "This practitioner has another specialty.")
    }
    guard Cell.isBoundary(start) else {
      throw .invalid("/start", "multipleOf", "Appointments begin at multiples of five minutes.")
    }
    guard Limits.visitMinutes.contains(minutes), minutes % Limits.cellMinutes == 0 else {
      throw .invalid(
        "/minutes", "range", "An appointment takes 5 to \(Limits.visitMinutes.upperBound) minutes, in steps of 5.")
    }
    // The cell that is running may still be booked: an urgent consult begins now.
    guard start + .minutes(Limits.cellMinutes) > now else { throw .invalid("/start", "range", "This time is over.") }
    guard start < now + .days(Limits.bookingHorizonDays) else {
      throw .invalid("/start", "range", "This is too far ahead.")
    }
    let availability = Availability(
      sessions: sessions, lastDay: practitioner.validTo, from: start, to: start + .minutes(minutes))
    guard availability.covers(start: start, minutes: minutes) else {
      throw Rejection(.outsideSchedule, "The practitioner is not available for all of this time.")
    }
    return practitioner
  }
}
