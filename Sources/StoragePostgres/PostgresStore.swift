package import Coordinator
import Domain
import Foundation
package import Logging
package import Storage
import Synchronization

/// The engine for several nodes: a pool of connections, a sequencer that numbers what was committed, and a link to
/// the other nodes (docs/ARCHITECTURE.md "Storage").
package final class PostgresStore: Store {
  private let readers: PostgresPool
  let writers: PostgresPool
  private let sequencer: Sequencer
  private let link: NodeLink
  private let listeners = Listeners<StoreChange>()
  private let watch: Watch
  private let settings: PostgresSettings
  private let numbered = NumberedSignal()
  private let isClosed = Atomic<Bool>(false)

  package static let metricDescriptions = [
    (label: "storage.transactions", help: "Transactions that were tried."),
    (label: "storage.reruns", help: "Transactions that were run again: a lost race, or a lost connection."),
    (label: "sequencer.leader", help: "1 on the node that numbers events."),
    (label: "sequencer.numbered", help: "Events that this node has numbered."),
    (label: "node.messages", help: "Messages to other nodes."),
  ]

  /// Connects, making the tables and bringing them up to date where needed. Blocks: call it at start.
  /// - Parameter migrations: the schema that this release knows.
  /// - Throws: `DatabaseUnreachable` when it may be there later.
  package init(
    _ settings: PostgresSettings, logger: Logger, migrations: [Migration] = Migrations.all
  ) throws {
    self.settings = settings
    do {
      let applied = try PostgresSchema.migrate(PostgresConnection(settings), migrations)
      for migration in applied {
        logger.info("schema brought up to date", metadata: ["migration": "\(migration.number) \(migration.name)"])
      }
    } catch let failure as PostgresFailure {
      guard failure.isConnectionLost else { throw failure.asStoreFailure }
      throw DatabaseUnreachable(description: "\(failure)")
    }
    let link = try NodeLink(settings, logger: logger, changed: listeners.tell)
    let sequencer = Sequencer(settings, node: link.node, logger: logger) { [listeners] stretch in
      listeners.tell(.logged(stretch))
    }
    link.onOutbox { [weak sequencer] in sequencer?.nudge() }
    self.link = link
    self.sequencer = sequencer
    let outage = Outage(logger: logger)
    readers = PostgresPool(
      settings, .read, connections: Limits.readConnections, outage: outage, logger: logger)
    // What is written is found by its key: a plan that is made anew for each value costs more than it saves.
    writers = PostgresPool(
      settings.with("SET plan_cache_mode = force_generic_plan"), .write,
      connections: Self.writeConnections, outage: outage, logger: logger
    ) { [listeners] hasOutgoing in
      listeners.tell(.committed)
      guard hasOutgoing else { return }
      if sequencer.isLeader { sequencer.nudge() } else { link.nudgeSequencer() }
    }
    listeners.add { [numbered] change in if case .logged = change { numbered.fire() } }
    watch = Watch([readers, writers])
    readers.start()
    writers.start()
    link.start()
    sequencer.start()
    watch.start()
  }

  deinit { close() }

  private static var writeConnections: Int {
    min(
      max(ProcessInfo.processInfo.activeProcessorCount + 1, Limits.writeConnections.lowerBound),
      Limits.writeConnections.upperBound)
  }

  /// Lets what waits be written and ends the threads; safe to call twice.
  package func close() {
    guard !isClosed.exchange(true, ordering: .sequentiallyConsistent) else { return }
    writers.stop()
    readers.stop()
    watch.stop()
    sequencer.stop()
    link.stop()
  }

  package func read<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    try await translated { try await withCheckedThrowingContinuation { self.readers.add(TransactionJob(body, $0)) } }
  }

  package func write<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T {
    try await translated { try await withCheckedThrowingContinuation { self.writers.add(TransactionJob(body, $0)) } }
  }

  private func translated<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    do { return try await body() } catch let failure as PostgresFailure { throw failure.asStoreFailure }
  }

  package func onChange(_ body: @escaping @Sendable (StoreChange) -> Void) { listeners.add(body) }

  package var peers: any Peers { link }

  /// After a write that was not kept only another write can tell whether writing works again; when there was no room,
  /// only one that needs some.
  package func check() async throws {
    if writers.isFull {
      try await write { transaction in
        guard let tables = transaction as? SQLTransaction else { return }
        try tables.connection.script(Self.needsRoom)
      }
      writers.foundRoom()
    } else if writers.lastFailed {
      try await write { try $0.setMeta("written", Instant.system.text) }
    } else {
      _ = try await read { try $0.meta("epoch") }
    }
  }

  /// A megabyte in new pages, which go away with the transaction.
  private static let needsRoom = """
    CREATE TEMP TABLE room ON COMMIT DROP AS SELECT md5(n::text) AS filling FROM generate_series(1, 16000) n
    """

  package func settle() async throws {
    let last = try await waiting(SettleSQL.last, nil)
    guard let last else { return }
    let deadline = ContinuousClock.now + .seconds(Limits.settleSeconds)
    if sequencer.isLeader { sequencer.nudge() } else { link.nudgeSequencer() }
    while .now < deadline {
      let wakes = numbered.next()
      guard try await waiting(SettleSQL.isThere, last) != nil else { return }
      // Woken by the next batch; what is missed is repaired by looking again.
      await numbered.wait(for: wakes, atMost: .milliseconds(250))
    }
  }

  private func waiting(_ sql: SQL, _ id: (Int64, Int64)?) async throws -> (Int64, Int64)? {
    try await read { transaction in
      guard let tables = transaction as? SQLTransaction else { return nil }
      let values = id.map { [SQLValue.int($0.0), .int($0.1)] } ?? []
      return try tables.connection.first(sql, values) { row -> (Int64, Int64)? in
        row.isNull(0) && row.isNull(1) ? nil : (row.int(0), row.int(1))
      } ?? nil
    }
  }

  private enum SettleSQL {
    static let last = SQL("SELECT (SELECT max(id) FROM event_outbox), (SELECT max(id) FROM access_outbox)")
    static let isThere = SQL(
      """
      SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT) WHERE EXISTS (SELECT 1 FROM event_outbox WHERE id = CAST($1 AS BIGINT))
        OR EXISTS (SELECT 1 FROM access_outbox WHERE id = CAST($2 AS BIGINT))
      """)
  }

  // MARK: The database as a whole

  /// Runs statements that are no part of the product's own: what an operator, a test or a benchmark asks for.
  package static func script(_ text: String, _ settings: PostgresSettings) throws {
    do { try PostgresConnection(settings).script(text) } catch let failure as PostgresFailure {
      throw failure.asStoreFailure
    }
  }

  /// Removes every table. Refuses while a node serves them.
  package static func remove(_ settings: PostgresSettings) throws {
    do {
      let connection = try PostgresConnection(settings)
      try refuseNodes(connection)
      try PostgresSchema.remove(connection)
    } catch let failure as PostgresFailure {
      throw failure.asStoreFailure
    }
  }

  /// Throws when a node serves this database.
  package static func requireNoNodes(_ settings: PostgresSettings) throws {
    do { try refuseNodes(PostgresConnection(settings)) } catch let failure as PostgresFailure {
      throw failure.asStoreFailure
    }
  }

  static func refuseNodes(_ connection: PostgresConnection) throws {
    let hasNodes = SQL("SELECT 1 WHERE to_regclass('node') IS NOT NULL")
    guard try connection.first(hasNodes, [], { $0.int(0) }) != nil else { return }
    if let address = try connection.first(NodeTable.live, [], { $0.text(1) }) {
      throw StoreFailure("the node at \(address) serves this database; stop it first")
    }
  }
}

/// Nobody answers where the database should be, or it takes no connections now.
package struct DatabaseUnreachable: Error, CustomStringConvertible {
  package var description: String
}

/// Looks twice a second for transactions that wait too long: the threads may all hang in a database that does.
private final class Watch: Sendable {
  private let pools: [PostgresPool]
  private let isStopped = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)

  init(_ pools: [PostgresPool]) { self.pools = pools }

  func start() {
    let thread = Thread { [self] in
      while isStopped.wait(timeout: .now() + .milliseconds(500)) == .timedOut {
        for pool in pools { pool.refuseOld() }
      }
      ended.signal()
    }
    thread.name = "hoichan-watch"
    thread.start()
  }

  func stop() {
    isStopped.signal()
    ended.wait()
  }
}
