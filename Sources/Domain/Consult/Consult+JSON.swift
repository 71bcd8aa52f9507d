extension ConsultRequest {
  /// Reads the body of `POST /consults`, or the stored document, which has the same shape. The route has already
  /// held it against the schema; what is checked here are the forms and the rules between members.
  ///
  /// A document that was stored once is read again whatever later releases would refuse: `isStored`.
  package init(json: JSON, on day: CalendarDay, isStored: Bool = false) throws(Rejection) {
    var problems: [Rejection.Field] = []
    let patient = Patient(json: json["patient"] ?? .object(.init()))
    let vitals = json["vitals"].map { Vitals(json: $0, at: "/vitals", faults: &problems) }
    guard let specialty = json["specialty"]?.string.flatMap(Specialty.init(rawValue:)),
      let urgency = json["urgency"]?.string.flatMap(Urgency.init(rawValue:)),
      let mode = json["mode"]?.string.flatMap(ConsultMode.init(rawValue:)),
      let situation = json["situation"]?.string, let request = json["request"]?.string
    else { throw .invalid("", "required", "specialty, urgency, mode, situation and request are needed.") }
    var consent: Consent?
    if let given = json["consent"] {
      guard let basis = given["basis"]?.string.flatMap(Consent.Basis.init(rawValue:)),
        let at = given["at"]?.string.flatMap(Instant.init)
      else { throw .invalid("/consent", "invalid", "A consent has a basis and a time.") }
      consent = Consent(basis: basis, at: at)
    }
    if !isStored {
      problems += patient.problems(from: json["patient"], on: day)
      if situation.isBlank { problems.append(.init("/situation", "length", "Write what happens to the patient.")) }
      if request.isBlank { problems.append(.init("/request", "length", "Write what you ask.")) }
      guard problems.isEmpty else { throw Rejection(.invalid, "The input is not valid.", fields: problems) }
    }
    self.init(
      specialty: specialty, urgency: urgency, urgencyReason: json["urgencyReason"]?.string, mode: mode,
      patient: patient, situation: situation, background: json["background"]?.string,
      assessment: json["assessment"]?.string, request: request, vitals: vitals, pregnant: json["pregnant"]?.bool,
      consent: consent, on: day)
  }

  /// The shape in which a request is stored, and in which the station sent it.
  package var json: JSON {
    .compact([
      "specialty": .string(specialty.rawValue), "urgency": .string(urgency.rawValue),
      "urgencyReason": urgencyReason.map { .string($0) }, "mode": .string(mode.rawValue), "patient": patient.json,
      "situation": .string(situation), "background": background.map { .string($0) },
      "assessment": assessment.map { .string($0) }, "request": .string(request), "vitals": vitals?.json,
      "pregnant": pregnant.map { .bool($0) }, "consent": consent?.json,
    ])
  }
}

extension Patient {
  package init(json: JSON) {
    self.init(
      name: json["name"]?.string, birthDate: json["birthDate"]?.string.flatMap(CalendarDay.init),
      sex: json["sex"]?.string.flatMap(Sex.init(rawValue:)), personalId: json["personalId"]?.string,
      insuranceNumber: json["insuranceNumber"]?.string, phone: json["phone"]?.string,
      temporary: json["temporary"]?.bool ?? false)
  }

  /// What a new patient may not be; `json` is what this one was read from.
  package func problems(from json: JSON?, on day: CalendarDay) -> [Rejection.Field] {
    var problems: [Rejection.Field] = []
    if name?.isBlank ?? true, !temporary {
      problems.append(.init("/patient/name", "required", "A patient has a name, or is temporary."))
    }
    if birthDate == nil, json?["birthDate"] != nil {
      problems.append(.init("/patient/birthDate", "format", "This is no day, such as 1961-03-08."))
    }
    if let birthDate, birthDate > day {
      problems.append(.init("/patient/birthDate", "range", "The birth date is in the future."))
    }
    if let personalId, PersonalID(personalId) == nil {
      problems.append(.init("/patient/personalId", "format", "This is no personal id, old card or passport number."))
    }
    if let insuranceNumber, InsuranceNumber(insuranceNumber) == nil {
      problems.append(.init("/patient/insuranceNumber", "format", "This is no health insurance number."))
    }
    if let phone, PhoneNumber(phone) == nil {
      problems.append(.init("/patient/phone", "format", "This is no telephone number."))
    }
    return problems
  }
}

extension Consult {
  /// The wire form for this caller: members that the caller may not see are left out.
  package func json(
    for caller: Caller, vehicles: [String] = [], stationName: String?, practitionerName: String?, outcomes: [Outcome],
    reasons: [ConsultReason] = [], now: Instant
  ) throws(CorruptDocument) -> JSON {
    let request = try document.request()
    let scope = scope(vehicles: vehicles)
    let clinical = caller.may(.readClinical(scope)) == .allowed
    let identity = caller.may(.readPatient(scope)) == .allowed
    let advice = caller.may(.readAdvice(scope)) == .allowed
    func written(_ text: String?) -> JSON? { clinical ? text.map { .string($0) } : nil }
    let allowed = machine.allowed(now: now).filter { caller.may(.move($0, scope)) == .allowed }
    return .compact([
      "id": .string(id), "version": .int(version), "state": .string(state.rawValue),
      "specialty": .string(specialty.rawValue), "urgency": .string(urgency.rawValue),
      "urgencyReason": written(request.urgencyReason), "mode": .string(mode.rawValue), "stationId": .string(station),
      "stationName": .orNull(stationName), "requestedAt": .instant(requestedAt), "dueAt": .instant(dueAt),
      "overdue": .bool(overdue), "patient": identity ? request.patient.json : nil,
      "situation": written(request.situation), "background": written(request.background),
      "assessment": written(request.assessment), "request": written(request.request),
      "vitals": clinical ? request.vitals?.json : nil, "news2": clinical ? (request.news2?.json ?? .null) : nil,
      "pregnant": clinical ? request.pregnant.map { .bool($0) } : nil,
      "consent": clinical ? request.consent?.json : nil,
      "practitionerId": .orNull(practitioner), "practitionerName": .orNull(practitionerName),
      "appointment": appointment?.json ?? .null, "startedAt": startedAt.map { .instant($0) },
      "endedAt": endedAt.map { .instant($0) },
      "outcome": outcomes.last.map { clinical ? $0.json : advice ? $0.adviceJSON : .null } ?? .null,
      "outcomes": .array(outcomes.map(\.summaryJSON)),
      "reasons": clinical && !reasons.isEmpty ? .array(reasons.map(\.json)) : nil,
      "allowed": .strings(allowed.map(\.rawValue)),
    ])
  }
}

extension String {
  /// Nothing but white space.
  package var isBlank: Bool { allSatisfy(\.isWhitespace) }
}
