import Coordinator
import Crypto
import Domain
import Foundation
import Logging
import Metrics
import Storage
import Synchronization

/// Gives what was committed its place in the log: one node at a time, by a lease with a fencing term.
///
/// Transactions commit in another order than they take numbers, so they put events into an outbox, and the leader
/// numbers what it sees there, in batches: each batch renews the lease and writes the log in one transaction, so that
/// a leader that lost the lease writes nothing. A later event of a subject is written by a transaction that saw the
/// earlier one committed, so the outbox's own numbers keep their order.
final class Sequencer: Sendable {
  private enum Step { case leads, follows(until: Double), stopped }

  private let settings: PostgresSettings
  private let node: String
  private let logger: Logger
  private let logged: @Sendable (LogStretch) -> Void
  private let leads = Atomic<Bool>(false)
  private let isStarted = Atomic<Bool>(false)
  private let isStopped = Atomic<Bool>(false)
  private let wake = DispatchSemaphore(value: 0)
  private let isWoken = Atomic<Bool>(false)
  private let ended = DispatchSemaphore(value: 0)
  private let gauge = Gauge(label: "sequencer.leader")
  private let counter = Counter(label: "sequencer.numbered")

  init(_ settings: PostgresSettings, node: String, logger: Logger, logged: @escaping @Sendable (LogStretch) -> Void) {
    // A leader that sleeps inside its transaction holds the lease's row: the server ends it before others wait long.
    self.settings = settings.with(
      "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET idle_in_transaction_session_timeout = \(Limits.leaseMilliseconds / 2); "
        + "SET lock_timeout = \(Limits.leaseMilliseconds)")
    self.node = node
    self.logger = logger
    self.logged = logged
  }

  var isLeader: Bool { leads.load(ordering: .relaxed) }

  func start() {
    isStarted.store(true, ordering: .relaxed)
    let thread = Thread { [self] in
      work()
      ended.signal()
    }
    thread.name = "hoichan-sequencer"
    thread.stackSize = 4 << 20
    thread.start()
  }

  /// Something waits in the outbox.
  func nudge() {
    if !isWoken.exchange(true, ordering: .acquiringAndReleasing) { wake.signal() }
  }

  func stop() {
    guard isStarted.load(ordering: .relaxed) else { return }
    isStopped.store(true, ordering: .relaxed)
    nudge()
    ended.wait()
  }

  private func work() {
    while !isStopped.load(ordering: .relaxed) {
      do {
        let connection = try PostgresConnection(settings)
        while !isStopped.load(ordering: .relaxed) {
          if let leader = try Leader(connection, node: node) {
            lead(true)
            logger.info("this node numbers events", metadata: ["term": "\(leader.term)"])
            try serve(leader)
          } else {
            pause(milliseconds: try Leader.patience(connection))
          }
        }
      } catch is LeaseLost {
        logger.warning("another node numbers events now")
      } catch {
        if isLeader { logger.error("events cannot be numbered; trying again", metadata: ["error": "\(error)"]) }
        lead(false)
        pause(milliseconds: Int.random(in: 200...500))
      }
      lead(false)
    }
  }

  private func serve(_ leader: Leader) throws {
    while true {
      let begun = ContinuousClock.now
      let stretch = try leader.number()
      let count = stretch.events.count
      if count > 0 {
        counter.increment(by: count)
        logged(stretch)
      }
      if isStopped.load(ordering: .relaxed) { return try leader.resign() }
      guard count < Limits.sequencedBatch else { continue }
      pause(milliseconds: Limits.leaseMilliseconds / 3)
      let early = begun + .milliseconds(Limits.sequencedMilliseconds) - .now
      if early > .zero { usleep(UInt32(early / .microseconds(1))) }
    }
  }

  private func lead(_ leads: Bool) {
    self.leads.store(leads, ordering: .relaxed)
    gauge.record(leads ? 1 : 0)
  }

  private func pause(milliseconds: Int) {
    _ = wake.wait(timeout: .now() + .milliseconds(milliseconds))
    // Before looking: who nudges from now on wants another look.
    isWoken.store(false, ordering: .sequentiallyConsistent)
  }
}

/// Another node has taken the lease.
struct LeaseLost: Error {}

/// The holder of the lease in one term.
final class Leader {
  let term: Int64
  private let connection: PostgresConnection
  private let node: String
  private var sinceVacuum = 0
  private var head: (seq: Int64, chain: [UInt8])
  private var accessHead: (seq: Int64, chain: [UInt8])

  /// Nil while another holds it.
  init?(_ connection: PostgresConnection, node: String) throws {
    let values: [SQLValue] = [.text(node), .int(Int64(Limits.leaseMilliseconds))]
    guard let term = try connection.first(SQLs.take, values, { $0.int(0) }) else { return nil }
    self.term = term
    self.connection = connection
    self.node = node
    // Nobody else writes the logs from here on.
    let tables = SQLTransaction(connection)
    head = try tables.logHead()
    accessHead = try tables.accessLogHead() ?? (0, SQLTransaction.genesis)
  }

  /// For how long the lease still holds, by the database's clock, in milliseconds; a second at most.
  static func patience(_ connection: PostgresConnection) throws -> Int {
    let left = try connection.first(SQLs.left, []) { $0.int(0) } ?? 0
    return Int(max(10, min(left + 10, 1_000)))
  }

  /// Numbers a batch of what is in the outbox, and renews the lease; returns the events as they stand in the log.
  func number() throws -> LogStretch {
    do {
      try connection.begin(SQLs.begin)
      try connection.postOne(SQLs.renew, [.text(node), .int(term), .int(Int64(Limits.leaseMilliseconds))])
      let limit = SQLValue.int(Int64(Limits.sequencedBatch))
      // A row of the log as it will be, but for its number: in that place stands the outbox's.
      let events = try connection.rows(SQLs.events, [limit], SQLTransaction.event)
      // Two nodes may each have found that a row is new while the log got it from a third.
      try connection.post(SQLs.clearKnown, [])
      let entries = try connection.rows(SQLs.entries, [limit]) { try SQLTransaction.entry($0) }
      let stretch = try append(events)
      let accessHead = try append(entries)
      try connection.commit()
      if let last = stretch.events.last { head = (last.seq, last.chain) }
      self.accessHead = accessHead
      try clear(events.count + entries.count)
      return stretch
    } catch {
      try? connection.rollback()
      throw error is StaleVersion ? LeaseLost() : error
    }
  }

  /// Every row is removed soon after it came. Automatic vacuuming looks once a minute: by then each batch would walk
  /// over hundreds of thousands of places in the index where something has been. It is not waited for.
  private func clear(_ count: Int) throws {
    sinceVacuum += count
    guard sinceVacuum >= Limits.outboxVacuumRows else { return }
    sinceVacuum = 0
    try connection.script("VACUUM (SKIP_LOCKED, TRUNCATE FALSE) event_outbox, access_outbox")
  }

  private func append(_ events: [EventRecord]) throws -> LogStretch {
    var stretch = LogStretch(after: head, [])
    guard let last = events.last.map({ SQLValue.int($0.seq) }) else { return stretch }
    var head = head
    var chains: [UInt8] = []
    for var event in events {
      event.seq = head.seq + 1
      event.chain = SQLTransaction.chain(after: head.chain, event.canonicalBytes)
      head = (event.seq, event.chain)
      chains += event.chain
      stretch.append(event)
    }
    try connection.post(SQLs.appendEvents, [last, .int(stretch.seq), .blob(chains)])
    try connection.post(SQLs.clearEvents, [last])
    try connection.post(SQLs.tell, [.text(NodeMessages.logged(by: node))])
    return stretch
  }

  private func append(
    _ entries: [(entry: AccessEntry, bucket: Int64, chain: [UInt8])]
  ) throws -> (seq: Int64, chain: [UInt8]) {
    var head = accessHead
    guard let last = entries.last.map({ SQLValue.int($0.entry.seq) }) else { return head }
    var chains: [UInt8] = []
    for (entry, bucket, _) in entries {
      var entry = entry
      entry.seq = head.seq + 1
      head = (entry.seq, SQLTransaction.chain(after: head.chain, SQLTransaction.canonical(entry, bucket)))
      chains += head.chain
    }
    try connection.post(SQLs.appendEntries, [last, .int(accessHead.seq), .blob(chains)])
    try connection.post(SQLs.clearEntries, [last])
    return head
  }

  /// Lets the next one lead at once.
  func resign() throws { try connection.run(SQLs.resign, [.text(node), .int(term)]) }

  private enum SQLs {
    /// All statements of a batch see the same rows of the outbox, so that its last one's number names them all.
    static let begin = SQL("BEGIN ISOLATION LEVEL REPEATABLE READ")
    static let take = SQL(
      """
      UPDATE lease SET holder = $1, term = term + 1, until_at = database_now() + $2
      WHERE name = 'sequencer' AND (until_at <= database_now() OR holder = $1) RETURNING term
      """)
    static let left = SQL("SELECT until_at - database_now() FROM lease WHERE name = 'sequencer'")
    static let renew = SQL(
      """
      UPDATE lease SET until_at = database_now() + $3 WHERE name = 'sequencer' AND holder = $1 AND term = $2
      """)
    static let resign = SQL(
      "UPDATE lease SET until_at = 0, holder = '' WHERE name = 'sequencer' AND holder = $1 AND term = $2")
    static let events = SQL(
      """
      SELECT id, event_id, type, time, subject, facilities, specialty, actor, data, CAST('' AS BYTEA)
      FROM event_outbox ORDER BY id LIMIT $1
      """)
    static let appendEvents = SQL(
      """
      INSERT INTO event (seq, id, type, time, subject, facilities, specialty, actor, data, chain)
      SELECT CAST($2 AS BIGINT) + n, event_id, type, time, subject, facilities, specialty, actor, data,
        substr(CAST($3 AS BYTEA), CAST(n * 32 - 31 AS INTEGER), 32)
      FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM event_outbox WHERE id <= $1) batch
      """)
    static let clearEvents = SQL("DELETE FROM event_outbox WHERE id <= $1")
    static let clearKnown = SQL(
      """
      DELETE FROM access_outbox o WHERE EXISTS (
        SELECT 1 FROM access_log l WHERE l.person = o.person AND l.subject = o.subject AND l.action = o.action
          AND l.bucket = o.bucket)
      """)
    static let entries = SQL(
      """
      SELECT id, at, bucket, person, person_name, action, subject, facility, CAST('' AS BYTEA)
      FROM access_outbox ORDER BY id LIMIT $1
      """)
    static let appendEntries = SQL(
      """
      INSERT INTO access_log (seq, at, bucket, person, person_name, action, subject, facility, chain)
      SELECT CAST($2 AS BIGINT) + n, at, bucket, person, person_name, action, subject, facility,
        substr(CAST($3 AS BYTEA), CAST(n * 32 - 31 AS INTEGER), 32)
      FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM access_outbox WHERE id <= $1) batch
      """)
    static let clearEntries = SQL("DELETE FROM access_outbox WHERE id <= $1")
    static let tell = SQL("SELECT 1 FROM (SELECT pg_notify('hoichan', $1)) told")
  }
}
