/// What a specialist concluded: one version of it. The canonical document is made once, when it is written; those
/// bytes are what is hashed and signed, and they are kept as they are.
package struct Outcome: Sendable, Equatable {
  package struct Issue: Sendable, Equatable {
    package var question: String
    package var conclusion: String
    package init(question: String, conclusion: String) {
      self.question = question
      self.conclusion = conclusion
    }
    var json: JSON { ["question": .string(question), "conclusion": .string(conclusion)] }
  }

  package struct Signature: Sendable, Equatable {
    package var sha256: String
    package var signedBy: String
    package var signedAt: Instant
    package init(sha256: String, signedBy: String, signedAt: Instant) {
      self.sha256 = sha256
      self.signedBy = signedBy
      self.signedAt = signedAt
    }
  }

  package var consult: String
  package var version: Int64
  /// The canonical document: UTF-8 JSON.
  package var document: [UInt8]
  package var concludedAt: Instant
  /// The practitioner.
  package var concludedBy: String
  package var signature: Signature?

  package init(
    consult: String, version: Int64, document: [UInt8], concludedAt: Instant, concludedBy: String,
    signature: Signature? = nil
  ) {
    self.consult = consult
    self.version = version
    self.document = document
    self.concludedAt = concludedAt
    self.concludedBy = concludedBy
    self.signature = signature
  }

  private var content: JSON { (try? JSON(parsing: document)) ?? .null }

  package var disposition: Disposition? { content["disposition"]?.string.flatMap(Disposition.init(rawValue:)) }

  package var json: JSON {
    let content = content
    return .compact([
      "version": .int(version), "summary": content["summary"], "diagnoses": content["diagnoses"],
      "disposition": content["disposition"], "recommendation": content["recommendation"],
      "issues": content["issues"] ?? [], "followUpAt": content["followUpAt"], "reason": content["reason"],
      "concludedAt": .instant(concludedAt), "concludedBy": .string(concludedBy), "signature": signatureJSON,
    ])
  }

  /// What an ambulance crew may read.
  var adviceJSON: JSON {
    let content = content
    return .compact([
      "version": .int(version), "disposition": content["disposition"], "recommendation": content["recommendation"],
    ])
  }

  var summaryJSON: JSON {
    [
      "version": .int(version), "sha256": .orNull(signature?.sha256), "signedBy": .orNull(signature?.signedBy),
      "signedAt": .orNull(signature?.signedAt),
    ]
  }

  package var signatureJSON: JSON {
    guard let signature else { return .null }
    return [
      "sha256": .string(signature.sha256), "signedBy": .string(signature.signedBy),
      "signedAt": .instant(signature.signedAt),
    ]
  }
}

/// What the specialist writes to conclude; an amendment also gives its reason.
package struct Conclusion: Sendable, Equatable {
  package var summary: String
  package var diagnoses: [Diagnosis]
  package var disposition: Disposition
  package var recommendation: String
  package var issues: [Outcome.Issue]
  package var followUpAt: Instant?
  package var reason: String?

  /// Reads a body and checks the rules between members: exactly one main diagnosis, up to twelve others. What cannot
  /// be read is refused and never left out: a follow-up date that got lost is a patient whom nobody sees again.
  package init(json: JSON) throws(Rejection) {
    var problems: [Rejection.Field] = []
    summary = Self.text(json, "summary", &problems)
    recommendation = Self.text(json, "recommendation", &problems)
    let disposition = json["disposition"]?.string.flatMap(Disposition.init(rawValue:))
    if disposition == nil { problems.append(.init("/disposition", "required", "Say what is to be done.")) }
    diagnoses = Self.diagnoses(json["diagnoses"]?.array ?? [], &problems)
    let issues = json["issues"]?.array ?? []
    if issues.count > Limits.issues {
      problems.append(.init("/issues", "length", "At most \(Limits.issues) issues are answered."))
    }
    self.issues = issues.enumerated().map { index, item in
      Outcome.Issue(
        question: Self.text(item, "question", at: "/issues/\(index)", &problems),
        conclusion: Self.text(item, "conclusion", at: "/issues/\(index)", &problems))
    }
    followUpAt = json["followUpAt"]?.string.flatMap(Instant.init)
    if json["followUpAt"] != nil, followUpAt == nil {
      problems.append(.init("/followUpAt", "format", "This is not a time."))
    }
    reason = json["reason"]?.string
    guard problems.isEmpty, let disposition else {
      throw Rejection(.invalid, "The input is not valid.", fields: problems)
    }
    self.disposition = disposition
  }

  private static func text(
    _ json: JSON, _ name: String, at pointer: String = "", _ problems: inout [Rejection.Field]
  ) -> String {
    if let text = json[name]?.string, !text.isBlank { return text }
    problems.append(.init("\(pointer)/\(name)", "required", "This must be written."))
    return ""
  }

  private static func diagnoses(_ items: [JSON], _ problems: inout [Rejection.Field]) -> [Diagnosis] {
    var diagnoses: [Diagnosis] = []
    for (index, item) in items.enumerated() {
      if let code = item["code"]?.string.flatMap(ICD10.init) {
        diagnoses.append(Diagnosis(code: code.text, main: item["main"]?.bool ?? false))
      } else {
        problems.append(.init("/diagnoses/\(index)/code", "format", "This is not an ICD-10 code, such as I21.0."))
      }
    }
    if items.count > Limits.diagnoses {
      problems.append(.init("/diagnoses", "length", "One main diagnosis and at most 12 others."))
    } else if diagnoses.count == items.count, diagnoses.count(where: \.main) != 1 {
      problems.append(.init("/diagnoses", "main", "Exactly one diagnosis is the main one."))
    }
    if Set(diagnoses.map(\.code)).count != diagnoses.count {
      problems.append(.init("/diagnoses", "unique", "A code is there twice."))
    }
    return diagnoses
  }

  /// The canonical document of a version: fixed members in a fixed order, so that it always has the same bytes.
  package func document(
    of consult: Consult, version: Int64, by practitioner: String, at now: Instant
  ) throws(CorruptDocument) -> [UInt8] {
    let request = try consult.document.request()
    return JSON.compact([
      "consultId": .string(consult.id), "version": .int(version), "stationId": .string(consult.station),
      "practitionerId": .string(practitioner), "specialty": .string(consult.specialty.rawValue),
      "mode": .string(consult.mode.rawValue), "patient": request.patient.json,
      "requestedAt": .instant(consult.requestedAt), "startedAt": consult.startedAt.map { .instant($0) },
      "situation": .string(request.situation), "request": .string(request.request),
      "summary": .string(summary), "diagnoses": .array(diagnoses.map(\.json)),
      "disposition": .string(disposition.rawValue), "recommendation": .string(recommendation),
      "issues": .array(issues.map(\.json)), "followUpAt": followUpAt.map { .instant($0) },
      "reason": reason.map { .string($0) }, "concludedAt": .instant(now),
    ]).bytes
  }
}
