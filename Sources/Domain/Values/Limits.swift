/// Every bound on an input, a queue or a cache, in one place. A thing that is not bounded here is a fault.
package enum Limits {
  // JSON documents.
  package static let jsonDepth = 16
  package static let jsonMembers = 256
  /// Largest request body in bytes; CSV imports are read from disk and have their own bound.
  package static let bodyBytes = 256 * 1024

  // Texts, in Unicode scalars.
  package static let name = 200
  package static let shortText = 500
  package static let longText = 10_000
  package static let idempotencyKey = 200

  // CSV imports.
  package static let csvBytes = 64 * 1024 * 1024
  package static let csvRows = 500_000
  package static let csvColumns = 50
  /// Problems that are listed before an import gives up reading.
  package static let csvProblems = 1_000

  // Lists.
  package static let pageDefault = 50
  package static let pageMax = 500
  package static let slotsMax = 2_000
  package static let alternatives = 5
  package static let searchDays = 100
  package static let positionsPerCall = 500
  package static let positionsKept = 20_000
  package static let diagnoses = 13
  package static let issues = 50
  package static let grantsPerPerson = 50
  package static let linksPerTrip = 20
  package static let amendments = 100

  // Appointments, in minutes; a cell is the unit of claimed time.
  package static let cellMinutes: Int64 = 5
  package static let visitMinutes: ClosedRange<Int64> = 5...480
  package static let bookingHorizonDays: Int64 = 400

  // Storage.
  package static let groupCommit = 256
  package static let rerunsOfLostRace = 10
  package static let writeQueue = 4_096
  package static let readQueue = 4_096
  package static let readConnections = 4
  package static let walCheckpointPages: Int32 = 8_192
  package static let walRestartMilliseconds = 20
  package static let busyTimeoutMilliseconds = 5_000
  package static let deadlinesPerPass = 200
  /// Rows that `verify` reads at once, and problems that it lists.
  package static let verifiedPage = 1_000
  package static let verifiedProblems = 100
  /// Events that go to the archive in one transaction.
  package static let archivedBatch = 500
  /// Rows that `copy` carries over in one transaction.
  package static let copiedPage = 1_000

  // PostgreSQL and its nodes (docs/SCALING.md).
  /// One more than the node has cores, within these: few that each carry several transactions at once outdo many.
  package static let writeConnections = 3...8
  /// Transactions that are run as one when many wait, how long one waits for that, and such a group for a lock.
  package static let groupedWrites = 16
  package static let groupMilliseconds = 3
  package static let groupLockMilliseconds = 50
  package static let connectSeconds = 3
  /// After so long a statement is given up by the server, and whoever waits for a connection is refused.
  package static let statementSeconds = 5.0
  /// How much longer an answer is waited for: a server that hangs gives nothing up.
  package static let answerMarginSeconds = 2.0
  /// How long a reader of the log waits for what was committed before.
  package static let settleSeconds = 3.0
  /// The leader renews its lease three times as often; the next one leads so long after its death.
  package static let leaseMilliseconds = 2_000
  package static let sequencedBatch = 500
  /// Batches begin no closer to one another: each costs a commit, and what comes in between goes with the next.
  package static let sequencedMilliseconds = 20
  /// Rows that went through the outbox before what they left there is cleared away.
  package static let outboxVacuumRows = 10_000
  package static let heartbeatMilliseconds = 1_000
  /// Messages that wait to be told to other nodes.
  package static let nodeMessages = 20_000

  // The feed.
  /// Events that the ring holds at most, however much memory it is given.
  package static let ringEvents = 1_000_000
  /// What the ring's events may take, unless it is set: in bytes, some 10,000 usual events.
  package static let feedMemory = 40 * 1024 * 1024
  /// What may wait for subscribers who do not read, unless it is set: in bytes, some 1,800 of them.
  package static let feedBacklog = 256 * 1024 * 1024
  /// What may be set of both, in mebibytes.
  package static let feedMemoryMebibytes = 1...16_384
  /// Commits whose events wait to be shown without reading them again.
  package static let heardStretches = 64
  /// Pages of events that are kept ready for streams, of all filters together.
  package static let streamPages = 64
  package static let replayPage = 500
  package static let scannedPages = 20
  package static let cursorBytes = 100
  package static let filterTerms = 50
  package static let feedSockets = 20_000
  /// How long a request for a page may wait for an event, in seconds, and how many may wait.
  package static let pageWaitSeconds: Int64 = 25
  package static let waitingPages = 5_000

  // Webhooks (docs/WEBHOOKS.md).
  package static let webhooks = 100
  /// Bytes of an address.
  package static let webhookURL = 2_000
  /// Events that are read at a time for one of them.
  package static let webhookPage = 100
  /// Who delivers says so five times as often; the next one does so long after its death.
  package static let webhookLeaseMilliseconds: Int64 = 5_000

  // The call.
  package static let roomMembers = 8
  package static let undelivered = 256
  package static let signalBytes = 64 * 1024
  package static let chatText = 2_000

  // People.
  package static let password: ClosedRange<Int> = 10...200
  package static let sessionsPerPerson = 50
  package static let scryptQueue = 64
  package static let cachedSessions = 10_000
}
