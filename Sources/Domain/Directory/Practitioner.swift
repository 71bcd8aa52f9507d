/// A specialist who takes consults.
package struct Practitioner: Sendable, Equatable {
  package var id: String
  package var name: String
  /// The code of the facility they work at.
  package var facility: String
  package var specialty: Specialty
  package var phone: String?
  /// The last day on which they take consults; nil while they work.
  package var validTo: CalendarDay?

  package init(
    id: String, name: String, facility: String, specialty: Specialty, phone: String? = nil,
    validTo: CalendarDay? = nil
  ) {
    self.id = id
    self.name = name
    self.facility = facility
    self.specialty = specialty
    self.phone = phone
    self.validTo = validTo
  }

  package func isValid(on day: CalendarDay) -> Bool { validTo.map { day <= $0 } ?? true }

  /// The form on the wire: `{id, name, specialty, facilityId, facilityName}`.
  package func json(facilityName: String?) -> JSON {
    [
      "id": .string(id), "name": .string(name), "specialty": .string(specialty.rawValue),
      "facilityId": .string(facility), "facilityName": .orNull(facilityName),
    ]
  }
}

/// A regular weekly time at which a practitioner can be booked.
package struct ScheduleSession: Sendable, Equatable {
  package var id: String
  package var practitioner: String
  /// 1 = Monday … 7 = Sunday, of the day on which it begins.
  package var weekday: Int
  /// Minutes of the civil day in Viet Nam, multiples of 5. `endMinute` beyond 1440 runs past midnight, up to 2880.
  package var startMinute: Int64
  package var endMinute: Int64
  /// The step of the grid on which slots are offered, from `startMinute` on; a multiple of 5.
  package var visitMinutes: Int64
  /// First and last day on which it may begin, both included.
  package var validFrom: CalendarDay?
  package var validTo: CalendarDay?
  /// 1 = every week, 2 = every second …; `weekOffset` says which, see `CalendarDay.weekNumber`.
  package var everyWeeks: Int
  package var weekOffset: Int

  package init(
    id: String, practitioner: String, weekday: Int, startMinute: Int64, endMinute: Int64, visitMinutes: Int64,
    validFrom: CalendarDay? = nil, validTo: CalendarDay? = nil, everyWeeks: Int = 1, weekOffset: Int = 0
  ) {
    self.id = id
    self.practitioner = practitioner
    self.weekday = weekday
    self.startMinute = startMinute
    self.endMinute = endMinute
    self.visitMinutes = visitMinutes
    self.validFrom = validFrom
    self.validTo = validTo
    self.everyWeeks = everyWeeks
    self.weekOffset = weekOffset
  }
}

/// An ambulance, or another car that carries patients.
package struct Vehicle: Sendable, Equatable {
  package var id: String
  package var label: String
  /// The code of the facility it belongs to.
  package var facility: String
  package var kind: String

  package init(id: String, label: String, facility: String, kind: String) {
    self.id = id
    self.label = label
    self.facility = facility
    self.kind = kind
  }

  /// The form on the wire: `{id, label, facilityId, kind}`.
  package var json: JSON {
    ["id": .string(id), "label": .string(label), "facilityId": .string(facility), "kind": .string(kind)]
  }
}

/// What an import or the demo loads in one transaction.
package struct DirectoryBatch: Sendable, Equatable {
  package var facilities: [Facility]
  package var practitioners: [Practitioner]
  package var sessions: [ScheduleSession]
  package var vehicles: [Vehicle]

  package init(
    facilities: [Facility] = [], practitioners: [Practitioner] = [], sessions: [ScheduleSession] = [],
    vehicles: [Vehicle] = []
  ) {
    self.facilities = facilities
    self.practitioners = practitioners
    self.sessions = sessions
    self.vehicles = vehicles
  }
}
