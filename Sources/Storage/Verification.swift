package import Coordinator
import Domain

/// What `hoichan verify` found.
package struct VerificationReport: Sendable, Equatable {
  /// Rows that were checked.
  package var events = 0
  /// Those of them that the feed does not offer any more.
  package var archivedEvents = 0
  package var anchors = 0
  package var accessEntries = 0
  package var bookedConsults = 0
  package var outcomes = 0
  package var signatures = 0
  /// Where the log ends: what to write down elsewhere and give to a later `verify --head`.
  package var head: (seq: Int64, chain: [UInt8]) = (0, SQLTransaction.genesis)
  /// In plain sentences; at most `Limits.verifiedProblems`, the rest is counted.
  package private(set) var problems: [String] = []
  package private(set) var problemCount = 0

  package var isSound: Bool { problemCount == 0 }

  mutating func add(_ problem: String) {
    problemCount += 1
    if problems.count < Limits.verifiedProblems { problems.append(problem) }
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.events == right.events && left.archivedEvents == right.archivedEvents && left.anchors == right.anchors
      && left.accessEntries == right.accessEntries && left.bookedConsults == right.bookedConsults
      && left.outcomes == right.outcomes && left.signatures == right.signatures && left.head == right.head
      && left.problems == right.problems && left.problemCount == right.problemCount
  }
}

extension Store {
  /// Checks the whole database in one snapshot, beside a running server.
  package func verify(
    secrets: Secrets, head: (seq: Int64, chain: [UInt8])? = nil
  ) async throws -> VerificationReport {
    try await settle()
    return try await read { transaction in
      guard let tables = transaction as? SQLTransaction else { throw StoreFailure("this store has no tables") }
      return try tables.verify(secrets: secrets, head: head)
    }
  }
}

extension SQLTransaction {
  /// Follows both chains from their beginning, and holds anchors, claims, appointments and outcomes against them.
  ///
  /// `head` is a position that was noted outside the database: a log that was cut off behind its last anchor is told
  /// from a whole one only by it.
  package func verify(secrets: Secrets, head: (seq: Int64, chain: [UInt8])?) throws -> VerificationReport {
    var report = VerificationReport()
    var events = ChainWalk(log: "log", row: "event")
    var access = ChainWalk(log: "access log", row: "access log entry")
    for anchor in try anchors() {
      report.anchors += 1
      let isEvents = anchor.log == .events
      if secrets.anchor(anchor.log, seq: anchor.seq, chain: anchor.chain) != anchor.hmac {
        let row = isEvents ? events.row : access.row
        report.add("The anchor at \(row) \(anchor.seq) was not sealed with this deployment's key.")
      }
      let name = "the anchor of \(anchor.sealedAt.text)"
      if isEvents {
        events.expect(anchor.chain, at: anchor.seq, name)
      } else {
        access.expect(anchor.chain, at: anchor.seq, name)
      }
    }
    if let head { events.expect(head.chain, at: head.seq, "the given head") }
    try verifyEvents(&events, &report)
    try verifyAccessLog(&access, &report)
    try verifyClaims(&report)
    try verifyOutcomes(&report)
    return report
  }

  private func verifyEvents(_ walk: inout ChainWalk, _ report: inout VerificationReport) throws {
    // The archive is the beginning of the same chain.
    try verifyEvents(&walk, &report, archivedEvents(after:limit:))
    report.archivedEvents = report.events
    try verifyEvents(&walk, &report, events(after:limit:))
    walk.end(&report)
    report.head = (walk.seq, walk.chain)
  }

  private func verifyEvents(
    _ walk: inout ChainWalk, _ report: inout VerificationReport,
    _ read: (_ after: Int64, _ limit: Int) throws -> [EventRecord]
  ) throws {
    while true {
      let page = try read(walk.seq, Limits.verifiedPage)
      for event in page {
        walk.step(to: event.seq, event.chain, event.canonicalBytes, &report)
        try verifySignature(of: event, &report)
        report.events += 1
      }
      if page.count < Limits.verifiedPage { break }
    }
  }

  /// The log holds the SHA-256 of what was signed, so that a changed document is found even if its hash was changed too.
  private func verifySignature(of event: EventRecord, _ report: inout VerificationReport) throws {
    guard event.type == EventType.consultSigned.rawValue, let data = try? JSON(parsing: event.data),
      let consult = data["consultId"]?.string, let version = data["version"]?.int
    else { return }
    let outcome = try outcome(of: consult, version: version)
    if outcome?.signature?.sha256 != data["sha256"]?.string {
      report.add(
        "Version \(version) of the outcome of consult \(consult) is not what event \(event.seq) says was signed.")
    }
    report.signatures += 1
  }

  private func verifyAccessLog(_ walk: inout ChainWalk, _ report: inout VerificationReport) throws {
    while true {
      let page = try accessChain(after: walk.seq, limit: Limits.verifiedPage)
      for row in page {
        walk.step(to: row.entry.seq, row.chain, Self.canonical(row.entry, row.bucket), &report)
        report.accessEntries += 1
      }
      if page.count < Limits.verifiedPage { break }
    }
    walk.end(&report)
  }

  /// Claims against appointments, both ways.
  private func verifyClaims(_ report: inout VerificationReport) throws {
    var after = SQLValue.null
    while true {
      let page = try connection.rows(VerificationSQL.booked, [after, .int(Int64(Limits.verifiedPage))]) { row in
        (
          id: row.text(0), practitioner: row.optionalText(1), appointment: row.text(2), start: row.instant(3),
          end: row.instant(4), claimed: row.int(5), held: row.int(6), agrees: row.int(7)
        )
      }
      for row in page {
        report.bookedConsults += 1
        let wanted = Int64(Cell.range(start: row.start, end: row.end).count)
        if row.claimed != wanted {
          report.add(
            "Consult \(row.id) has \(row.claimed) of the \(wanted) cells of its appointment with \(row.practitioner ?? "nobody")."
          )
        }
        if row.held != row.claimed {
          report.add("Consult \(row.id) holds \(row.held - row.claimed) cells outside its appointment.")
        }
        if row.agrees != 1 {
          report.add("The appointment \(row.appointment) of consult \(row.id) says something else.")
        }
      }
      guard page.count == Limits.verifiedPage, let last = page.last else { break }
      after = .text(last.id)
    }
    let limit = SQLValue.int(Int64(Limits.verifiedProblems))
    for (holder, resource, cells) in try connection.rows(
      VerificationSQL.orphans, [limit], { ($0.text(0), $0.text(1), $0.int(2)) })
    {
      report.add("\(cells) cells of \(resource) are claimed for \(holder), which has no appointment.")
    }
    for (id, consult) in try connection.rows(VerificationSQL.stale, [limit], { ($0.text(0), $0.text(1)) }) {
      report.add("The appointment \(id) is booked, but consult \(consult) does not have it.")
    }
  }

  private func verifyOutcomes(_ report: inout VerificationReport) throws {
    var (consult, version) = ("", Int64(0))
    var signed = 0
    while true {
      let page = try connection.rows(
        VerificationSQL.outcomes, [.text(consult), .int(version), .int(Int64(Limits.verifiedPage))]
      ) { (consult: $0.text(0), version: $0.int(1), document: $0.blob(2), sha256: $0.optionalText(3)) }
      for row in page {
        report.outcomes += 1
        let name = "version \(row.version) of the outcome of consult \(row.consult)"
        let expected = row.consult == consult ? version + 1 : 1
        if row.version != expected { report.add("There is a \(name), but none with the number \(expected).") }
        if let sha256 = row.sha256 {
          signed += 1
          if sha256 != Secrets.hex(Secrets.sha256(row.document)) {
            report.add("The signature of \(name) belongs to another document.")
          }
        }
        (consult, version) = (row.consult, row.version)
      }
      if page.count < Limits.verifiedPage { break }
    }
    if signed != report.signatures {
      report.add("\(signed) outcomes are signed, but the log holds \(report.signatures) signatures.")
    }
    let limit = SQLValue.int(Int64(Limits.verifiedProblems))
    for (id, state) in try connection.rows(VerificationSQL.unsigned, [limit], { ($0.text(0), $0.text(1)) }) {
      report.add("Consult \(id) is \(state), but the latest version of its outcome says otherwise.")
    }
  }
}

/// What only `verify` asks. An appointment's claims never expire, so one that does is not counted.
private enum VerificationSQL {
  static let booked = SQL(
    """
    SELECT c.id, c.practitioner, c.appointment_id, c.start_at, c.end_at,
      (SELECT count(*) FROM claim WHERE claim.holder_id = c.id AND claim.kind = 'appointment'
        AND claim.expires_at IS NULL AND claim.resource_id = c.practitioner AND claim.cell >= c.start_at / 300000
        AND claim.cell < (c.end_at + 299999) / 300000),
      (SELECT count(*) FROM claim WHERE claim.holder_id = c.id AND claim.kind = 'appointment'),
      (SELECT count(*) FROM appointment a WHERE a.id = c.appointment_id AND a.consult = c.id AND a.state = 'booked'
        AND a.practitioner = c.practitioner AND a.start_at = c.start_at AND a.end_at = c.end_at)
    FROM consult c
    WHERE c.appointment_id IS NOT NULL AND c.state NOT IN ('cancelled', 'noShow')
      AND (CAST($1 AS TEXT) IS NULL OR c.id > $1)
    ORDER BY c.id LIMIT $2
    """)
  static let orphans = SQL(
    """
    SELECT claim.holder_id, claim.resource_id, count(*) FROM claim
    WHERE claim.kind = 'appointment' AND NOT EXISTS (
      SELECT 1 FROM consult c WHERE c.id = claim.holder_id AND c.appointment_id IS NOT NULL
        AND c.state NOT IN ('cancelled', 'noShow'))
    GROUP BY claim.holder_id, claim.resource_id ORDER BY claim.holder_id, claim.resource_id LIMIT $1
    """)
  static let stale = SQL(
    """
    SELECT a.id, a.consult FROM appointment a
    WHERE a.state = 'booked' AND NOT EXISTS (
      SELECT 1 FROM consult c WHERE c.id = a.consult AND c.appointment_id = a.id
        AND c.state NOT IN ('cancelled', 'noShow'))
    ORDER BY a.id LIMIT $1
    """)
  static let outcomes = SQL(
    """
    SELECT consult, version, document, sha256 FROM outcome
    WHERE (consult, version) > ($1, $2) ORDER BY consult, version LIMIT $3
    """)
  /// Signed exactly when the latest version is; a consult that was concluded has a version at all.
  static let unsigned = SQL(
    """
    SELECT c.id, c.state FROM consult c
    LEFT JOIN outcome o ON o.consult = c.id
      AND o.version = (SELECT max(latest.version) FROM outcome latest WHERE latest.consult = c.id)
    WHERE c.state IN ('concluded', 'signed', 'amended')
      AND (o.version IS NULL OR (c.state = 'signed') <> (o.sha256 IS NOT NULL))
    ORDER BY c.id LIMIT $1
    """)
}

/// Follows a chained log from its beginning, and holds it against what was sealed of it.
private struct ChainWalk {
  /// What the log is called, and a row of it.
  let log: String
  let row: String
  private var seals: [Int64: [(chain: [UInt8], name: String)]] = [:]
  private(set) var seq: Int64 = 0
  private(set) var chain = SQLTransaction.genesis

  init(log: String, row: String) {
    self.log = log
    self.row = row
  }

  /// What the log must hold at a number.
  mutating func expect(_ chain: [UInt8], at seq: Int64, _ name: String) {
    seals[seq, default: []].append((chain, name))
  }

  /// The next row, as it is stored: `bytes` is what its chain covers.
  mutating func step(to next: Int64, _ stored: [UInt8], _ bytes: [UInt8], _ report: inout VerificationReport) {
    let name = row.prefix(1).uppercased() + row.dropFirst()
    if next != seq + 1 {
      report.add(
        next == seq + 2 ? "\(name) \(seq + 1) is missing." : "\(name) \(seq + 1) to \(next - 1) are missing.")
    }
    if SQLTransaction.chain(after: chain, bytes) != stored {
      report.add("\(name) \(next) does not fit the chain: it, or one before it, was changed or removed.")
    }
    for seal in seals[next] ?? [] where seal.chain != stored {
      report.add("\(name) \(next) has another chain than \(seal.name): the \(log) was rewritten.")
    }
    // Goes on from what is stored, so that one changed row is one problem.
    (seq, chain) = (next, stored)
  }

  func end(_ report: inout VerificationReport) {
    for (beyond, seals) in seals.sorted(by: { $0.key < $1.key }) where beyond > seq {
      for seal in seals {
        report.add("The \(log) ends at \(row) \(seq), but \(seal.name) is at \(beyond): its end was cut off.")
      }
    }
  }
}
