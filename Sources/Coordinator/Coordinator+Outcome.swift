package import Domain

extension Coordinator {
  /// The specialist concludes: the first version of the outcome.
  package func conclude(_ call: Call, consult id: String, _ body: JSON) async throws -> Answer {
    let conclusion = try Conclusion(json: body)
    let answer = try await writeOutcome(call, id, .conclude) { machine, now in
      (try machine.conclude(now: now), conclusion)
    }
    // A written opinion gives its appointment's time back.
    timesChanged(nil)
    return answer
  }

  /// The specialist corrects a signed outcome: a new version, with its reason.
  package func amend(_ call: Call, consult id: String, _ body: JSON) async throws -> Answer {
    let conclusion = try Conclusion(json: body)
    guard let reason = conclusion.reason, !reason.isBlank else {
      throw Rejection.invalid("/reason", "required", "An amendment says why.")
    }
    return try await writeOutcome(call, id, .amend) { machine, now in (try machine.amend(now: now), conclusion) }
  }

  private func writeOutcome(
    _ call: Call, _ id: String, _ transition: ConsultTransition,
    _ decide: @escaping @Sendable (inout ConsultMachine, Instant) throws -> (ConsultMove, Conclusion)
  ) async throws -> Answer {
    let directory = try await directory.get()
    let caller = call.caller
    return try await write(call) { tx, now in
      var consult = try Self.load(tx, id, call, transition, now: now)
      var machine = consult.machine
      let before = consult
      let (move, conclusion) = try decide(&machine, now)
      var outcomes = try tx.outcomes(of: id)
      guard outcomes.count < Limits.amendments else {
        throw Rejection(.tooMany, "This outcome was amended too often.", retryAfter: 3600)
      }
      let version = Int64(outcomes.count + 1)
      let practitioner = consult.practitioner ?? caller.personId
      let outcome = Outcome(
        consult: id, version: version,
        document: try conclusion.document(of: consult, version: version, by: practitioner, at: now), concludedAt: now,
        concludedBy: practitioner)
      try tx.insert(outcome)
      outcomes.append(outcome)
      consult.state = move.to
      consult.appointment = machine.appointment
      consult.endedAt = consult.endedAt ?? now
      if move.freesClaims { try Self.freeClaims(tx, before, as: move.to, now: now) }
      try tx.update(&consult)
      try tx.append(
        consult.event(move.event, by: caller) { data in
          data.version = version
          data.disposition = conclusion.disposition
        }, at: now)
      if move.freesClaims { try tx.append(Self.scheduleChanged(practitioner, directory, by: caller), at: now) }
      try tx.log([AccessEntry(reading: consult, by: caller, at: now)].compactMap { $0 })
      let (written, versions, reasons) = (consult, outcomes, try tx.reasons(of: id))
      return .ok(
        try written.json(for: caller, directory, outcomes: versions, reasons: reasons, now: now),
        version: written.version)
    }
  }

  /// The specialist signs the latest version: who, when, and the SHA-256 of its canonical document.
  package func sign(_ call: Call, consult id: String) async throws -> Answer {
    let caller = call.caller
    return try await write(call) { tx, now in
      var consult = try Self.load(tx, id, call, .sign, now: now)
      var machine = consult.machine
      let move = try machine.sign(now: now)
      guard var outcome = try tx.outcomes(of: id).last else { throw Rejection.notFound }
      let signature = Outcome.Signature(
        sha256: Secrets.hex(Secrets.sha256(outcome.document)), signedBy: consult.practitioner ?? caller.personId,
        signedAt: now)
      outcome.signature = signature
      try tx.sign(outcome)
      consult.state = move.to
      try tx.update(&consult)
      try tx.append(
        consult.event(move.event, by: caller) { data in
          data.version = outcome.version
          data.disposition = outcome.disposition
          data.sha256 = signature.sha256
        }, at: now)
      let version = outcome.version
      return .ok(
        [
          "version": .int(version), "sha256": .string(signature.sha256),
          "signedBy": .string(signature.signedBy), "signedAt": .instant(now),
        ], version: consult.version)
    }
  }
}
