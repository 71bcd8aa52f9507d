import Coordinator
import Domain
import Storage
import Testing

/// `verify` finds nothing wrong with what use cases write, and each thing that is changed behind their back.
@Suite struct VerificationTests {
  private static let secrets = Secrets(key: Array(repeating: 7, count: 32))

  /// A booked consult, one that was declined, one that was cancelled and a signed one; anchors; reads.
  static func fill(_ store: any Store) async throws {
    try await store.write { tx in
      _ = try booked("c1", .scheduled, hour: 0, tx)
      var cancelled = try booked("c2", .scheduled, hour: 1, tx)
      try tx.free(holder: "c2", keeping: nil)
      try tx.endAppointment("a-c2", state: "cancelled", at: Fixture.now)
      cancelled.state = .cancelled
      cancelled.appointment = nil
      try tx.update(&cancelled)
      try tx.insert(Fixture.consult("c3"))
      try tx.append(Fixture.draft(.consultRequested, "consults/c3"), at: Fixture.now)
    }
    try await seal(store)
    try await store.write { tx in
      var signed = try booked("c4", .inProgress, hour: 2, tx)
      for version in 1...2 {
        var outcome = Outcome(
          consult: "c4", version: Int64(version), document: Array("document \(version)".utf8),
          concludedAt: Fixture.now, concludedBy: "bs-01")
        try tx.insert(outcome)
        let sha256 = Secrets.hex(Secrets.sha256(outcome.document))
        outcome.signature = .init(sha256: sha256, signedBy: "bs-01", signedAt: Fixture.now)
        try tx.sign(outcome)
        var draft = Fixture.draft(.consultSigned, "consults/c4")
        draft.data.consultId = "c4"
        draft.data.version = Int64(version)
        draft.data.sha256 = sha256
        try tx.append(draft, at: Fixture.now)
      }
      signed.state = .signed
      try tx.update(&signed)
      try tx.log([Fixture.access("p1"), Fixture.access("p2")])
    }
    try await seal(store)
    try await store.write { tx in
      try tx.append(Fixture.draft(.consultRequested, "consults/c5"), at: Fixture.now)
      try tx.log([Fixture.access("p3")])
    }
    try await store.settle()
  }

  private static func booked(
    _ id: String, _ state: ConsultState, hour: Int64, _ tx: any StoreTransaction
  ) throws -> Consult {
    var consult = Fixture.consult(id)
    try tx.insert(consult)
    let appointment = Fixture.appointment("a-" + id, start: Fixture.start + .hours(hour), minutes: 25)
    try tx.claim(
      resource: "bs-01", cells: Cell.range(start: appointment.start, minutes: 25), holder: id, kind: "appointment",
      expiresAt: nil, now: Fixture.now, otherwise: StoreFailure("taken"))
    try tx.insert(appointment, consult: id, by: "p1", at: Fixture.now)
    consult.appointment = appointment
    consult.practitioner = "bs-01"
    consult.serving = "38901"
    consult.state = state
    try tx.update(&consult)
    try tx.append(Fixture.draft(.consultScheduled, "consults/" + id), at: Fixture.now)
    return consult
  }

  /// Seals the logs as far as they are numbered.
  private static func seal(_ store: any Store) async throws {
    try await store.settle()
    try await store.write { try $0.sealHeads(secrets, at: Fixture.now) }
  }

  private static func sound(_ engine: Engine) async throws -> VerificationReport {
    try await engine.withStore { store async throws in
      try await fill(store)
      return try await store.verify(secrets: secrets)
    }
  }

  @Test(arguments: Engine.allCases) func aSoundDatabase(engine: Engine) async throws {
    let report = try await Self.sound(engine)
    #expect(report.problems == [])
    #expect(report.isSound)
    #expect(report.events == 7 && report.head.seq == 7)
    #expect(report.anchors == 3 && report.accessEntries == 3)
    #expect(report.bookedConsults == 2 && report.outcomes == 2 && report.signatures == 2)
  }

  @Test(arguments: Engine.allCases) func anEmptyDatabase(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let report = try await store.verify(secrets: Self.secrets)
      #expect(report.isSound && report.events == 0 && report.head.seq == 0)
      // Its head can be given to a later call.
      try await Self.fill(store)
      #expect(try await store.verify(secrets: Self.secrets, head: report.head).isSound)
    }
  }

  /// What was done to the database, and words that the only problem must hold.
  private struct Damage: Sendable, CustomStringConvertible {
    var sql: [SQL]
    var problems: [String]
    var description: String { sql.map(\.text).joined(separator: "; ") }
    init(_ sql: SQL..., problems: String...) {
      self.sql = sql
      self.problems = problems
    }
  }

  private static let damages = [
    Damage(SQL("UPDATE event SET data = '{}' WHERE seq = 2"), problems: "Event 2 does not fit the chain"),
    Damage(SQL("UPDATE event SET actor = 'x' WHERE seq = 7"), problems: "Event 7 does not fit the chain"),
    Damage(SQL("UPDATE event SET time = time + 1 WHERE seq = 1"), problems: "Event 1 does not fit the chain"),
    Damage(
      SQL("UPDATE event SET chain = (SELECT chain FROM event WHERE seq = 1) WHERE seq = 6"),
      problems: "Event 6 does not fit the chain", "Event 6 has another chain than the anchor", "Event 7 does not fit"),
    Damage(
      SQL("DELETE FROM event WHERE seq = 2"), problems: "Event 2 is missing", "Event 3 does not fit the chain"),
    Damage(
      SQL("DELETE FROM event WHERE seq IN (1, 2)"), problems: "Event 1 to 2 are missing", "Event 3 does not fit"),
    Damage(
      SQL("DELETE FROM event WHERE seq >= 6"), problems: "ends at event 5", "2 outcomes are signed"),
    Damage(SQL("UPDATE anchor SET hmac = chain WHERE seq = 3"), problems: "anchor at event 3 was not sealed"),
    Damage(
      SQL("UPDATE access_log SET person = 'x' WHERE seq = 2"), problems: "Access log entry 2 does not fit"),
    Damage(
      SQL("DELETE FROM access_log WHERE seq = 2"),
      problems: "Access log entry 2 is missing", "Access log entry 3 does not fit"),
    Damage(
      SQL("DELETE FROM access_log WHERE seq > 1"), problems: "The access log ends at access log entry 1, but the anchor"
    ),
    Damage(
      SQL("UPDATE access_log SET chain = (SELECT chain FROM access_log WHERE seq = 1) WHERE seq = 2"),
      problems: "Access log entry 2 does not fit", "Access log entry 2 has another chain than the anchor",
      "Access log entry 3 does not fit"),
    Damage(
      SQL("UPDATE anchor SET hmac = chain WHERE log = 'access'"),
      problems: "anchor at access log entry 2 was not sealed"),
    Damage(
      SQL("DELETE FROM claim WHERE holder_id = 'c1' AND cell = (SELECT min(cell) FROM claim)"),
      problems: "Consult c1 has 4 of the 5 cells"),
    Damage(
      SQL("UPDATE claim SET resource_id = 'bs-02' WHERE holder_id = 'c1'"),
      problems: "Consult c1 has 0 of the 5 cells", "Consult c1 holds 5 cells outside"),
    Damage(
      SQL("UPDATE claim SET expires_at = 9000000000000 WHERE holder_id = 'c1'"),
      problems: "Consult c1 has 0 of the 5 cells", "Consult c1 holds 5 cells outside"),
    Damage(
      SQL("UPDATE claim SET cell = cell + 1 WHERE holder_id = 'c4' AND cell = (SELECT max(cell) FROM claim)"),
      problems: "Consult c4 has 4 of the 5 cells", "Consult c4 holds 1 cells outside"),
    Damage(
      SQL("INSERT INTO claim (resource_id, cell, holder_id, kind) VALUES ('bs-01', 5, 'c3', 'appointment')"),
      problems: "1 cells of bs-01 are claimed for c3"),
    Damage(
      SQL("UPDATE consult SET state = 'cancelled' WHERE id = 'c1'"), problems: "5 cells of bs-01 are claimed for c1",
      "appointment a-c1 is booked"),
    Damage(
      SQL("UPDATE appointment SET end_at = end_at + 1 WHERE id = 'a-c1'"),
      problems: "appointment a-c1 of consult c1 says something else"),
    Damage(
      SQL("UPDATE appointment SET state = 'moved' WHERE id = 'a-c4'"),
      problems: "appointment a-c4 of consult c4 says something else"),
    Damage(
      SQL("UPDATE appointment SET state = 'booked' WHERE id = 'a-c2'"), problems: "appointment a-c2 is booked"),
    Damage(
      SQL(
        """
        UPDATE outcome SET document = (SELECT body_hash FROM consult_document WHERE consult = 'c1') WHERE version = 1
        """),
      problems: "signature of version 1 of the outcome of consult c4 belongs to another"),
    // Somebody who also changes the hash is found by the log.
    Damage(
      SQL(
        """
        UPDATE outcome SET document = (SELECT body_hash FROM consult_document WHERE consult = 'c1'),
          sha256 = '039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81' WHERE version = 2
        """), problems: "Version 2 of the outcome of consult c4 is not what event 6 says"),
    Damage(
      SQL("UPDATE outcome SET sha256 = NULL, signed_by = NULL, signed_at = NULL WHERE version = 2"),
      problems: "Version 2 of the outcome of consult c4 is not", "1 outcomes are signed", "Consult c4 is signed, but"),
    Damage(
      SQL("DELETE FROM outcome WHERE version = 1"), problems: "Version 1 of the outcome", "none with the number 1",
      "1 outcomes are signed"),
    Damage(SQL("UPDATE consult SET state = 'concluded' WHERE id = 'c4'"), problems: "Consult c4 is concluded, but"),
    Damage(SQL("UPDATE consult SET state = 'concluded' WHERE id = 'c1'"), problems: "Consult c1 is concluded, but"),
  ]

  @Test(arguments: Engine.allCases, damages.indices)
  func aDamagedDatabase(engine: Engine, index: Int) async throws {
    let damage = Self.damages[index]
    try await engine.withStore { store async throws in
      try await Self.fill(store)
      for sql in damage.sql { try await store.run(sql) }
      let report = try await store.verify(secrets: Self.secrets)
      #expect(!report.isSound)
      #expect(report.problemCount == report.problems.count)
      #expect(report.problems.count == damage.problems.count, "\(damage): \(report.problems)")
      for words in damage.problems {
        #expect(report.problems.contains { $0.contains(words) }, "\(damage): \(report.problems) should say \(words)")
      }
    }
  }

  @Test(arguments: Engine.allCases) func anotherKey(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await Self.fill(store)
      let report = try await store.verify(secrets: Secrets(key: Array(repeating: 8, count: 32)))
      #expect(report.problems.count == 3)
    }
  }

  /// A log that lost its end behind the last anchor is whole in itself: only a head that was noted elsewhere tells.
  @Test(arguments: Engine.allCases) func aNotedHead(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await Self.fill(store)
      let head = try await store.verify(secrets: Self.secrets).head
      #expect(try await store.verify(secrets: Self.secrets, head: head).isSound)
      try await store.run(SQL("DELETE FROM event WHERE seq = 7"))
      #expect(try await store.verify(secrets: Self.secrets).isSound)
      let report = try await store.verify(secrets: Self.secrets, head: head)
      #expect(report.problems.count == 1 && report.problems[0].contains("the given head is at 7"))
      // Another event in its place. The sequencer of several nodes remembers where the log ended.
      try await store.write { try $0.append(Fixture.draft(.consultRequested, "consults/other"), at: Fixture.now) }
      let replaced = try await store.verify(secrets: Self.secrets, head: head)
      let words = engine == .sqlite ? "Event 7 has another chain than the given head" : "Event 7 is missing"
      #expect(replaced.problems.first?.contains(words) == true)
    }
  }

  @Test(arguments: Engine.allCases) func listsSomeAndCountsAll(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.write { tx in for _ in 0..<1_500 { try tx.append(Fixture.draft(), at: Fixture.now) } }
      try await store.settle()
      try await store.run(SQL("UPDATE event SET actor = 'x'"))
      let report = try await store.verify(secrets: Self.secrets)
      #expect(report.problems.count == Limits.verifiedProblems)
      #expect(report.problemCount == 1_500 && report.events == 1_500)
    }
  }
}
