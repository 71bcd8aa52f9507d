/// A time that can be booked.
package struct Slot: Sendable, Equatable {
  package var practitioner: String
  package var facility: String
  package var specialty: Specialty
  package var start: Instant
  package var end: Instant

  package init(practitioner: String, facility: String, specialty: Specialty, start: Instant, end: Instant) {
    self.practitioner = practitioner
    self.facility = facility
    self.specialty = specialty
    self.start = start
    self.end = end
  }

  /// The form on the wire: `{practitionerId, facilityId, specialty, start, end}`.
  package var json: JSON {
    [
      "practitionerId": .string(practitioner), "facilityId": .string(facility),
      "specialty": .string(specialty.rawValue), "start": .instant(start), "end": .instant(end),
    ]
  }
}
