/// A time that is booked for a consult.
package struct Appointment: Sendable, Equatable {
  package var id: String
  package var practitioner: String
  package var start: Instant
  package var end: Instant

  package init(id: String, practitioner: String, start: Instant, end: Instant) {
    self.id = id
    self.practitioner = practitioner
    self.start = start
    self.end = end
  }

  package var json: JSON {
    ["practitionerId": .string(practitioner), "start": .instant(start), "end": .instant(end)]
  }
}

/// A request for specialist advice and what became of it.
package struct Consult: Sendable, Equatable {
  package var id: String
  /// Counts every change; the `ETag`.
  package var version: Int64
  package var state: ConsultState
  package var specialty: Specialty
  package var urgency: Urgency
  package var mode: ConsultMode
  package var station: String
  package var practitioner: String?
  /// The practitioner's facility.
  package var serving: String?
  package var appointment: Appointment?
  package var requestedAt: Instant
  /// When somebody must have answered; past it a request is overdue.
  package var dueAt: Instant
  package var overdue: Bool
  package var startedAt: Instant?
  package var endedAt: Instant?
  package var createdBy: String
  /// What the station wrote; it does not change after the request.
  package var document: ConsultDocument
  /// SHA-256 of the request's body, by which a repeated `id` is told from a taken one.
  package var bodyHash: [UInt8]

  package init(
    id: String, version: Int64 = 1, state: ConsultState = .requested, station: String, practitioner: String? = nil,
    serving: String? = nil, appointment: Appointment? = nil, requestedAt: Instant, dueAt: Instant,
    overdue: Bool = false, startedAt: Instant? = nil, endedAt: Instant? = nil, createdBy: String,
    specialty: Specialty, urgency: Urgency, mode: ConsultMode, document: ConsultDocument, bodyHash: [UInt8]
  ) {
    self.id = id
    self.version = version
    self.state = state
    self.specialty = specialty
    self.urgency = urgency
    self.mode = mode
    self.station = station
    self.practitioner = practitioner
    self.serving = serving
    self.appointment = appointment
    self.requestedAt = requestedAt
    self.dueAt = dueAt
    self.overdue = overdue
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.createdBy = createdBy
    self.document = document
    self.bodyHash = bodyHash
  }

  /// A new one.
  package init(
    id: String, station: String, requestedAt: Instant, dueAt: Instant, createdBy: String, request: ConsultRequest,
    bodyHash: [UInt8]
  ) {
    self.init(
      id: id, station: station, requestedAt: requestedAt, dueAt: dueAt, createdBy: createdBy,
      specialty: request.specialty, urgency: request.urgency, mode: request.mode,
      document: ConsultDocument(request, on: requestedAt.day), bodyHash: bodyHash)
  }

  package var machine: ConsultMachine { ConsultMachine(state: state, mode: mode, appointment: appointment) }

  package func scope(vehicles: [String] = []) -> ConsultScope {
    ConsultScope(
      station: station, specialty: specialty, practitioner: practitioner, serving: serving, vehicles: vehicles)
  }

  /// Whether its appointment's cells are claimed: from booking on, until it is declined, cancelled or missed.
  package var holdsClaims: Bool { appointment != nil && state != .cancelled && state != .noShow }

  package var subject: String { "consults/\(id)" }
  package var facilities: [String] { [station] + (serving.map { $0 == station ? [] : [$0] } ?? []) }

  /// The consult as it was answered when it was requested: what repeating its `id` gives again.
  package var asRequested: Consult {
    Consult(
      id: id, station: station, requestedAt: requestedAt, dueAt: dueAt, createdBy: createdBy, specialty: specialty,
      urgency: urgency, mode: mode, document: document, bodyHash: bodyHash)
  }
}

/// What the station wrote, as it is stored: most moves decide without it, so it is parsed when somebody is shown it.
package struct ConsultDocument: Sendable, Equatable {
  package let text: String
  /// When it was written: ages count to this day.
  private let day: CalendarDay

  package init(_ request: ConsultRequest, on day: CalendarDay) { self.init(stored: request.json.text, on: day) }

  package init(stored text: String, on day: CalendarDay) {
    self.text = text
    self.day = day
  }

  /// - Throws: when no release ever wrote such a text.
  package func request() throws(CorruptDocument) -> ConsultRequest {
    do { return try ConsultRequest(json: JSON(parsing: text), on: day, isStored: true) } catch {
      throw CorruptDocument(description: "a consult's document is broken: \(error)")
    }
  }
}

package struct CorruptDocument: Error, CustomStringConvertible { package let description: String }

/// What the station writes when it asks (SBAR: situation, background, assessment, request).
package struct ConsultRequest: Sendable, Equatable {
  package var specialty: Specialty
  package var urgency: Urgency
  package var urgencyReason: String?
  package var mode: ConsultMode
  package var patient: Patient
  package var situation: String
  package var background: String?
  package var assessment: String?
  package var request: String
  package var vitals: Vitals?
  package var pregnant: Bool?
  package var consent: Consent?
  package var news2: News2?

  package init(
    specialty: Specialty, urgency: Urgency, urgencyReason: String?, mode: ConsultMode, patient: Patient,
    situation: String, background: String?, assessment: String?, request: String, vitals: Vitals?, pregnant: Bool?,
    consent: Consent?, on day: CalendarDay
  ) {
    self.specialty = specialty
    self.urgency = urgency
    self.urgencyReason = urgencyReason
    self.mode = mode
    self.patient = patient
    self.situation = situation
    self.background = background
    self.assessment = assessment
    self.request = request
    self.vitals = vitals
    self.pregnant = pregnant
    self.consent = consent
    news2 = vitals.flatMap { News2($0, birthDate: patient.birthDate, on: day, pregnant: pregnant ?? false) }
  }
}

/// Why somebody declined or cancelled: kept with the record, and out of the events.
package struct ConsultReason: Sendable, Equatable {
  package var transition: ConsultTransition
  package var at: Instant
  package var actor: String
  package var reason: String

  package init(transition: ConsultTransition, at: Instant, actor: String, reason: String) {
    self.transition = transition
    self.at = at
    self.actor = actor
    self.reason = reason
  }

  package var json: JSON {
    ["transition": .string(transition.rawValue), "at": .instant(at), "reason": .string(reason)]
  }
}

/// On what the patient's data may be used: consent, or an emergency.
package struct Consent: Sendable, Equatable {
  package enum Basis: String, Sendable, CaseIterable { case consent, emergency }
  package var basis: Basis
  package var at: Instant
  package init(basis: Basis, at: Instant) {
    self.basis = basis
    self.at = at
  }
  package var json: JSON { ["basis": .string(basis.rawValue), "at": .instant(at)] }
}

/// Who the consult is about: named, or temporary until somebody knows.
package struct Patient: Sendable, Equatable {
  package var name: String?
  package var birthDate: CalendarDay?
  package var sex: Sex?
  package var personalId: String?
  package var insuranceNumber: String?
  package var phone: String?
  package var temporary: Bool

  package init(
    name: String?, birthDate: CalendarDay?, sex: Sex?, personalId: String?, insuranceNumber: String?, phone: String?,
    temporary: Bool
  ) {
    self.name = name
    self.birthDate = birthDate
    self.sex = sex
    self.personalId = personalId
    self.insuranceNumber = insuranceNumber
    self.phone = phone
    self.temporary = temporary
  }

  package var json: JSON {
    .compact([
      "name": name.map { .string($0) }, "birthDate": birthDate.map { .string($0.text) },
      "sex": sex.map { .string($0.rawValue) }, "personalId": personalId.map { .string($0) },
      "insuranceNumber": insuranceNumber.map { .string($0) }, "phone": phone.map { .string($0) },
      "temporary": temporary ? true : nil,
    ])
  }
}
