package import Domain

/// A row of the access log: who looked at what.
package struct AccessEntry: Sendable, Equatable {
  package var seq: Int64
  package var at: Instant
  package var person: String
  package var personName: String
  /// `read`, `sign-in`, `sign-in-failed`, `sign-out`, `grant`.
  package var action: String
  package var subject: String
  package var facility: String?

  package init(
    seq: Int64 = 0, at: Instant, person: String, personName: String, action: String, subject: String, facility: String?
  ) {
    self.seq = seq
    self.at = at
    self.person = person
    self.personName = personName
    self.action = action
    self.subject = subject
    self.facility = facility
  }

  package var json: JSON {
    [
      "seq": .int(seq), "at": .instant(at), "personId": .string(person), "personName": .string(personName),
      "action": .string(action), "subject": .string(subject), "facility": .orNull(facility),
    ]
  }
}

package protocol EventStore {
  /// Numbers, chains and keeps the event, in this transaction.
  func append(_ event: EventDraft, at now: Instant) throws
  /// Events after a number, oldest first.
  func events(after seq: Int64, limit: Int) throws -> [EventRecord]
  func event(seq: Int64) throws -> EventRecord?
  func logBounds() throws -> LogBounds
  /// Moves the events up to a number from the log to the archive, where only the audit finds them; how many there were.
  /// The newest one must stay: the next is chained to it.
  func archiveEvents(through seq: Int64) throws -> Int
  /// What was archived after a number, oldest first.
  func archivedEvents(after seq: Int64, limit: Int) throws -> [EventRecord]

  /// One row per person, record and five minutes: what is there already is not written again.
  func log(_ entries: [AccessEntry]) throws
  /// Which of these would be new rows.
  func unlogged(_ entries: [AccessEntry]) throws -> [AccessEntry]
  func accessLog(person: String?, subject: String?, facilities: Set<String>, page: Page) throws -> [AccessEntry]
  /// The number and chain of the newest entry; nil when there is none.
  func accessLogHead() throws -> (seq: Int64, chain: [UInt8])?
  /// Entries after a number, oldest first, with their chain: what `verify` walks.
  func accessChain(after seq: Int64, limit: Int) throws -> [(entry: AccessEntry, bucket: Int64, chain: [UInt8])]
}

package protocol DeadlineStore {
  /// One deadline of a kind for a subject: a later call moves it.
  func setDeadline(_ kind: Deadline.Kind, subject: String, at: Instant) throws
  func clearDeadline(_ kind: Deadline.Kind, subject: String) throws
  /// Removes it if it is still due: false when somebody else has fired it, or moved it, since it was read.
  func takeDeadline(_ deadline: Deadline, now: Instant) throws -> Bool
  func dueDeadlines(now: Instant, limit: Int) throws -> [Deadline]
  func nextDeadline() throws -> Instant?
}

/// Something that must happen at a time: a row, so that a restart loses none.
package struct Deadline: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    /// A request that nobody answered within its urgency's time.
    case consultOverdue = "consult.overdue"
    /// A vehicle under way that sends no position.
    case tripStale = "trip.stale"
    /// Sessions, tickets and idempotency keys that have ended are removed.
    case housekeeping
    /// The chain's head is sealed.
    case seal
  }

  package var kind: Kind
  package var subject: String
  package var at: Instant

  package init(kind: Kind, subject: String, at: Instant) {
    self.kind = kind
    self.subject = subject
    self.at = at
  }
}

/// An answer that was given to an idempotent write.
package struct KeptAnswer: Sendable, Equatable {
  package var bodyHash: [UInt8]
  package var answer: Answer
  package init(bodyHash: [UInt8], answer: Answer) {
    self.bodyHash = bodyHash
    self.answer = answer
  }
}

package protocol IdempotencyStore {
  func keptAnswer(scope: String, key: String, now: Instant) throws -> KeptAnswer?
  /// Throws `StaleVersion` when an answer is kept already that still holds.
  func keep(_ answer: KeptAnswer, scope: String, key: String, until: Instant, now: Instant) throws
}

package protocol MetaStore {
  /// A deployment-wide fact: `epoch`, `created`, `demo`.
  func meta(_ name: String) throws -> String?
  func setMeta(_ name: String, _ value: String) throws
  /// The first who says it decides; returns what holds.
  func settleMeta(_ name: String, _ value: String) throws -> String
  /// Removes what has ended: sessions, tickets, kept answers, expired claims.
  func removeEnded(now: Instant) throws
  func seal(_ anchor: Anchor) throws
  /// The event log's first, each log's oldest first.
  func anchors() throws -> [Anchor]
}

/// The logs whose rows are chained to one another.
package enum ChainedLog: String, Sendable, CaseIterable { case events, access }

/// A chain's head at a time, sealed with a key that is not in the database.
package struct Anchor: Sendable, Equatable {
  package var log: ChainedLog
  package var seq: Int64
  package var chain: [UInt8]
  package var sealedAt: Instant
  package var hmac: [UInt8]

  package init(log: ChainedLog, seq: Int64, chain: [UInt8], sealedAt: Instant, hmac: [UInt8]) {
    self.log = log
    self.seq = seq
    self.chain = chain
    self.sealedAt = sealedAt
    self.hmac = hmac
  }
}
