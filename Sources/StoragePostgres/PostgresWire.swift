import CPostgres
import Domain
import Foundation

/// libpq's connection: what is sent to the server and what it answers, with a deadline on every wait. Used by the one
/// thread that owns it.
final class PostgresWire {
  private let handle: OpaquePointer
  private let answerSeconds: Double

  /// Connects to the first host of the URI that can write. Blocks for `Limits.connectSeconds` a host at most.
  init(_ settings: PostgresSettings) throws {
    let keywords = settings.keywords
    let names = keywords.map { strdup($0.name) } + [nil]
    let values = keywords.map { strdup($0.value) } + [nil]
    defer { for pointer in names + values { free(pointer) } }
    let connected = names.map { UnsafePointer($0) }.withUnsafeBufferPointer { names in
      values.map { UnsafePointer($0) }.withUnsafeBufferPointer {
        PQconnectdbParams(names.baseAddress, $0.baseAddress, 1)
      }
    }
    guard let connected else { throw PostgresFailure(connection: nil, "connect") }
    handle = connected
    answerSeconds = settings.statementSeconds + Limits.answerMarginSeconds
    guard PQstatus(handle) == CONNECTION_OK else { throw lost("connect") }
    guard PQserverVersion(handle) >= 150_000 else {
      throw PostgresFailure(lost: "PostgreSQL 15 or newer is needed", "connect")
    }
    guard PQparameterStatus(handle, "server_encoding").map({ String(cString: $0) }) == "UTF8" else {
      throw PostgresFailure(lost: "the database must have the encoding UTF8", "connect")
    }
    PQsetNoticeProcessor(handle, { _, _ in }, nil)
  }

  deinit { PQfinish(handle) }

  var isInTransaction: Bool { PQtransactionStatus(handle) != PQTRANS_IDLE }

  var hasFailed: Bool { PQtransactionStatus(handle) == PQTRANS_INERROR }

  /// Throws when the server has closed the connection while nobody used it: a transaction that only writes would learn
  /// it at its commit, and then not know whether it was kept.
  func requireOpen() throws {
    // Its last words come first, then the end.
    for _ in 0..<4 {
      var poll = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
      guard Glibc.poll(&poll, 1, 0) > 0 else { return }
      guard PQconsumeInput(handle) == 1, PQstatus(handle) == CONNECTION_OK else { throw lost("begin") }
    }
    throw lost("begin")
  }

  func failure(_ result: OpaquePointer?, _ statement: String) -> PostgresFailure {
    var failure = PostgresFailure(result, statement)
    if PQstatus(handle) != CONNECTION_OK { failure.isConnectionLost = true }
    return failure
  }

  func lost(_ what: String) -> PostgresFailure { PostgresFailure(connection: handle, what) }

  // MARK: Outside the pipeline

  func enterPipeline() throws {
    guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else { throw lost("enter the pipeline") }
  }

  /// Runs text in the simple protocol. Nothing may be on its way.
  func script(_ text: String) throws {
    let isPipelined = PQpipelineStatus(handle) != PQ_PIPELINE_OFF
    if isPipelined {
      guard PQexitPipelineMode(handle) == 1, PQsetnonblocking(handle, 0) == 0 else { throw lost("leave the pipeline") }
    }
    let result = PQexec(handle, text)
    defer { PQclear(result) }
    if isPipelined { try enterPipeline() }
    let status = PQresultStatus(result)
    guard status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK else { throw failure(result, text) }
  }

  // MARK: Sending

  /// Two answers come: that it was prepared, and its description.
  func prepare(_ text: String, as name: String) throws {
    guard PQsendPrepare(handle, name, text, 0, nil) == 1, PQsendDescribePrepared(handle, name) == 1 else {
      throw lost(text)
    }
  }

  func execute(_ name: String, _ parameters: PostgresParameters, _ statement: String) throws {
    let isSent = parameters.withPointers { pointers in
      PQsendQueryPrepared(handle, name, Int32(pointers.count), pointers, parameters.lengths, parameters.formats, 1)
    }
    guard isSent == 1 else { throw lost(statement) }
  }

  /// Marks the end of what is sent together, and sends it.
  func synchronize() throws {
    guard PQpipelineSync(handle) == 1 else { throw lost("send") }
    try flush(until: answerDeadline)
  }

  private func flush(until deadline: Date) throws {
    while true {
      let state = PQflush(handle)
      if state == 0 { return }
      guard state == 1 else { throw lost("send") }
      // The server may want its answers read before it takes more.
      try wait(for: Int16(POLLIN | POLLOUT), until: deadline)
      guard PQconsumeInput(handle) == 1 else { throw lost("receive") }
    }
  }

  // MARK: Receiving

  var answerDeadline: Date { Date(timeIntervalSinceNow: answerSeconds) }

  /// The next answer; nil between those of two statements.
  func next(_ deadline: Date) throws -> OpaquePointer? {
    while PQisBusy(handle) == 1 {
      try flush(until: deadline)
      try wait(for: Int16(POLLIN), until: deadline)
      guard PQconsumeInput(handle) == 1 else { throw lost("receive") }
    }
    let result = PQgetResult(handle)
    if result == nil, PQstatus(handle) != CONNECTION_OK { throw lost("receive") }
    return result
  }

  private func wait(for events: Int16, until deadline: Date) throws {
    while true {
      var poll = pollfd(fd: PQsocket(handle), events: events, revents: 0)
      let milliseconds = Int32(max(0, deadline.timeIntervalSinceNow * 1000).rounded(.up))
      let ready = Glibc.poll(&poll, 1, milliseconds)
      if ready > 0 { return }
      if ready < 0, errno == EINTR { continue }
      throw PostgresFailure(lost: "no answer within \(Int(answerSeconds)) s", "receive")
    }
  }

  // MARK: Notifications

  struct Notification {
    let backend: Int32
    let payload: String
  }

  /// Waits for notifications, for a byte in `wake`, or for the time to pass; then returns what came.
  func notifications(orWake wake: Int32, within milliseconds: Int32) throws -> [Notification] {
    var polls = [
      pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0),
      pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
    ]
    let known = taken()
    guard known.isEmpty else { return known }
    _ = Glibc.poll(&polls, 2, milliseconds)
    guard PQconsumeInput(handle) == 1 else { throw lost("listen") }
    return taken()
  }

  private func taken() -> [Notification] {
    var taken: [Notification] = []
    while let notification = PQnotifies(handle) {
      taken.append(
        Notification(backend: notification.pointee.be_pid, payload: String(cString: notification.pointee.extra)))
      PQfreemem(notification)
    }
    return taken
  }
}
