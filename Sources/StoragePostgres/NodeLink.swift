import Coordinator
import Domain
import Foundation
import Logging
import Metrics
import Storage
import Synchronization

/// One connection that listens to the other nodes and tells them things, outside every business transaction. What is
/// said is not written to the disk before it is heard: a signal of a call must be quick, and means nothing later.
final class NodeLink: Peers {
  private struct State {
    var outgoing: [(message: PeerMessage, to: String?)] = []
    /// Hints wait for one another a little while, and are said once.
    var hints: [PeerMessage] = []
    var nudges = false
    var registration: (address: String, version: String)?
    var isDraining = false
    /// Whether the others can know of this node.
    var isKnown = false
    var isStopped = false
    var connectedAt: ContinuousClock.Instant?
  }

  let node = UUIDv7.make(at: .system)
  private let settings: PostgresSettings
  private let logger: Logger
  private let changed: @Sendable (StoreChange) -> Void
  private let messages = Listeners<(PeerMessage, String)>()
  private let outbox = Listeners<Void>()
  private let state = Mutex(State())
  private let ended = DispatchSemaphore(value: 0)
  /// A pipe: a byte in it interrupts the thread's waiting.
  private let wakeRead: Int32
  private let wakeWrite: Int32
  private let counter = Counter(label: "node.messages")

  init(_ settings: PostgresSettings, logger: Logger, changed: @escaping @Sendable (StoreChange) -> Void) throws {
    self.settings = settings.with("SET synchronous_commit = off")
    self.logger = logger
    self.changed = changed
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw StoreFailure("no pipe: \(String(cString: strerror(errno)))") }
    (wakeRead, wakeWrite) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
  }

  deinit {
    close(wakeRead)
    close(wakeWrite)
  }

  // MARK: From any thread

  func tell(_ message: PeerMessage, to node: String?) {
    if message.isHint, node == nil {
      let isFirst = state.withLock { state in
        let isFirst = state.hints.isEmpty && !state.nudges
        if state.hints.count < Limits.nodeMessages, !state.hints.contains(message) { state.hints.append(message) }
        return isFirst
      }
      if isFirst { wake() }
      return
    }
    let isFull = state.withLock { state in
      guard state.outgoing.count < Limits.nodeMessages else { return true }
      state.outgoing.append((message, node))
      return false
    }
    if isFull {
      logger.error("a message to other nodes is lost: too many wait", metadata: ["kind": "\(message.kind.rawValue)"])
    } else {
      wake()
    }
  }

  func onMessage(_ body: @escaping @Sendable (PeerMessage, _ from: String) -> Void) {
    messages.add { body($0.0, $0.1) }
  }

  /// Called when another node has put events into the outbox.
  func onOutbox(_ body: @escaping @Sendable () -> Void) { outbox.add { body() } }

  /// The leader, on another node, shall look into the outbox.
  func nudgeSequencer() {
    let isFirst = state.withLock { state in
      defer { state.nudges = true }
      return !state.nudges && state.hints.isEmpty
    }
    if isFirst { wake() }
  }

  var knowsWhoIsGone: Bool {
    let since = state.withLock { $0.connectedAt }
    return since.map { .now - $0 > .milliseconds(3 * Limits.heartbeatMilliseconds) } ?? false
  }

  func check() throws {
    let (isDraining, isKnown) = state.withLock { ($0.isDraining, $0.isKnown) }
    if isDraining { throw Rejection(.unavailable, "it is stopping") }
    if !isKnown { throw Rejection(.unavailable, "the other nodes do not know of it yet") }
  }

  func register(address: String, version: String) {
    state.withLock { $0.registration = (address, version) }
    wake()
  }

  func drain() {
    state.withLock { $0.isDraining = true }
    wake()
  }

  func start() {
    let thread = Thread { [self] in
      work()
      ended.signal()
    }
    thread.name = "hoichan-link"
    thread.start()
  }

  /// Says what waits, and that this node is gone.
  func stop() {
    state.withLock { $0.isStopped = true }
    wake()
    ended.wait()
  }

  private func wake() {
    var byte: UInt8 = 1
    // A full pipe wakes too.
    _ = write(wakeWrite, &byte, 1)
  }

  // MARK: The thread

  private var isStopped: Bool { state.withLock { $0.isStopped } }

  private func work() {
    var tries = 0
    while !isStopped {
      do {
        let connection = try PostgresConnection(settings)
        try connection.script("LISTEN hoichan")
        tries = 0
        state.withLock { $0.connectedAt = .now }
        // Nobody knows what was said meanwhile.
        changed(.changedElsewhere)
        changed(.logged(nil))
        try follow(connection)
      } catch {
        state.withLock { ($0.connectedAt, $0.isKnown) = (nil, false) }
        tries += 1
        if tries == 1 { logger.error("the other nodes are not heard", metadata: ["error": "\(error)"]) }
        if !isStopped { Thread.sleep(forTimeInterval: Outage.pause(tries)) }
      }
    }
  }

  private func follow(_ connection: PostgresConnection) throws {
    var nextBeat = ContinuousClock.now
    var nextHint = ContinuousClock.now
    while true {
      let isLast = isStopped
      let hasHinted = try send(connection, hints: nextHint <= .now || isLast)
      if hasHinted { nextHint = .now + .milliseconds(Limits.sequencedMilliseconds) }
      if isLast { return try leave(connection) }
      if nextBeat <= .now {
        try beat(connection)
        nextBeat = .now + .milliseconds(Limits.heartbeatMilliseconds)
      }
      let next = state.withLock { $0.nudges || !$0.hints.isEmpty } ? min(nextBeat, nextHint) : nextBeat
      let left = (next - .now) / .milliseconds(1)
      for notification in try connection.notifications(orWake: wakeRead, within: Int32(max(1, left))) {
        try receive(notification, connection)
      }
      drainPipe()
    }
  }

  private func drainPipe() {
    var bytes = [UInt8](repeating: 0, count: 256)
    while read(wakeRead, &bytes, bytes.count) == bytes.count {}
  }

  /// Sends what waits, and hints when it is their time; returns whether there were any. They are said seldom: each
  /// notification is a transaction, and what comes in between goes with the next.
  private func send(_ connection: PostgresConnection, hints: Bool) throws -> Bool {
    typealias Waiting = ([(message: PeerMessage, to: String?)], [PeerMessage], Bool)
    let (signals, known, nudges) = state.withLock { state -> Waiting in
      let signals = state.outgoing
      state.outgoing = []
      guard hints else { return (signals, [], false) }
      defer { (state.hints, state.nudges) = ([], false) }
      return (signals, state.hints, state.nudges)
    }
    let outgoing = signals + known.map { (message: $0, to: nil) }
    guard !outgoing.isEmpty || nudges else { return false }
    do {
      try tell(outgoing, nudges, connection)
    } catch {
      // A hint is as true on the next connection: nobody else would tell the others of a session that has ended.
      state.withLock { $0.hints = known + $0.hints }
      throw error
    }
    return hints
  }

  private func tell(
    _ outgoing: [(message: PeerMessage, to: String?)], _ nudges: Bool, _ connection: PostgresConnection
  ) throws {
    counter.increment(by: outgoing.count)
    var lines = nudges ? [NodeMessages.encode(.outbox)] : []
    for (message, to) in outgoing {
      let line = NodeMessages.encode(.message(message, to: to))
      guard line.utf8.count > NodeMessages.payloadBytes - node.utf8.count - 1 else {
        lines.append(line)
        continue
      }
      let id = UUIDv7.make(at: .system)
      try connection.run(SQLs.keep, [.text(id), .text(line)])
      lines.append(NodeMessages.encode(.stored(id, to: to)))
    }
    var payload = node
    for line in lines {
      if payload.utf8.count + line.utf8.count + 1 > NodeMessages.payloadBytes {
        try connection.post(SQLs.tell, [.text(payload)])
        payload = node
      }
      payload += "\n" + line
    }
    _ = try connection.rows(SQLs.tell, [.text(payload)]) { _ in }
  }

  private func receive(_ notification: PostgresWire.Notification, _ connection: PostgresConnection) throws {
    guard let (from, lines) = NodeMessages.split(notification.payload), from != node else { return }
    for line in lines { try receive(NodeMessages.decode(line), from: from, connection) }
  }

  private func receive(_ line: NodeMessages.Line?, from: String, _ connection: PostgresConnection) throws {
    switch line {
    case .logged: changed(.logged(nil))
    case .outbox: outbox.tell(())
    case .message(let message, let to): if to == nil || to == node { messages.tell((message, from)) }
    case .stored(let id, let to):
      guard to == nil || to == node else { return }
      // It is gone when the database has crashed in between, as is whoever waits for it.
      if let text = try connection.first(SQLs.kept, [.text(id)], { $0.text(0) }) {
        try receive(NodeMessages.decode(text), from: from, connection)
      }
    case nil: break
    }
  }

  /// Says that this node lives, and clears what was heard by everybody.
  private func beat(_ connection: PostgresConnection) throws {
    let (registration, isDraining) = state.withLock { ($0.registration, $0.isDraining) }
    guard let registration else { return }
    try connection.run(
      NodeTable.beat,
      [
        .text(node), .text(registration.address), .text(registration.version),
        .text(isDraining ? "draining" : "serving"),
      ])
    try connection.run(SQLs.clear, [])
    state.withLock { $0.isKnown = true }
  }

  private func leave(_ connection: PostgresConnection) throws {
    try connection.run(NodeTable.leave, [.text(node)])
    try connection.run(NodeTable.forget, [])
  }

  private enum SQLs {
    static let tell = SQL("SELECT 1 FROM (SELECT pg_notify('hoichan', $1)) told")
    static let keep = SQL("INSERT INTO node_message (id, at, body) VALUES ($1, database_now(), $2)")
    static let kept = SQL("SELECT body FROM node_message WHERE id = $1")
    static let clear = SQL("DELETE FROM node_message WHERE at < database_now() - 60000")
  }
}
