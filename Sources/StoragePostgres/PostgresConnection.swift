import CPostgres
import Coordinator
import Domain
import Foundation
import Storage

/// One connection, used by the one thread that owns it. Always in libpq's pipeline mode: what nobody waits for is
/// sent along with what somebody does, so that a booking takes two round trips, not eight.
final class PostgresConnection: SQLConnection {
  private struct Prepared {
    let name: String
    let parameters: [Oid]
    let columns: [Oid]
  }

  /// What was sent and not yet answered.
  private enum Sent {
    case statement(SQL)
    /// So many rows have to change that this is not thrown.
    case counted(SQL, otherwise: any Error)
    /// Of a statement that is being prepared.
    case preparation(SQL)

    var sql: SQL {
      switch self {
      case .statement(let sql), .counted(let sql, _), .preparation(let sql): sql
      }
    }
  }

  private let wire: PostgresWire
  private var prepared: [Prepared?] = []
  /// The same statements in the form that fails unless so many rows change.
  private var preparedCounted: [Prepared?] = []
  private var sent: [Sent] = []
  /// Whether a round trip was begun whose answers nobody has read yet.
  private var owesAnswers = false
  private var parameters = PostgresParameters()
  /// How many statements that may change something were sent so far.
  private(set) var writes = 0

  /// Connects to the first host of the URI that can write. Blocks for `Limits.connectSeconds` a host at most.
  init(_ settings: PostgresSettings) throws {
    wire = try PostgresWire(settings)
    try script(settings.session)
    try wire.enterPipeline()
  }

  var isOnlyWriter: Bool { false }

  // MARK: Statements

  @discardableResult
  func run(_ sql: SQL, _ values: [SQLValue]) throws -> Int {
    writes += 1
    try send(.statement(sql), sql, values)
    return try roundTrip { result, _ in Self.changed(result) } ?? 0
  }

  func post(_ sql: SQL, _ values: [SQLValue]) throws {
    writes += 1
    try send(.statement(sql), sql, values)
  }

  /// Fails in the server when fewer or more rows change, so that a commit can be sent right behind it.
  func post(_ sql: SQL, _ values: [SQLValue], changing count: Int, otherwise refusal: any Error) throws {
    writes += 1
    try send(.counted(sql, otherwise: refusal), sql, values + [.int(Int64(count))])
  }

  func rows<T>(_ sql: SQL, _ values: [SQLValue], _ read: (any SQLRow) throws -> T) throws -> [T] {
    let types = try prepare(sql).columns
    try send(.statement(sql), sql, values)
    return try roundTrip { result, _ in
      try (0..<PQntuples(result)).map { try read(PostgresRow(result: result, row: $0, types: types)) }
    } ?? []
  }

  func columns(of table: String) throws -> [SQLColumn] {
    try rows(Self.columns, [.text(table)]) { row in
      let kind: SQLColumn.Kind
      switch PostgresType(rawValue: Oid(truncatingIfNeeded: row.int(1))) {
      case .int8, .int4, .int2: kind = .int
      case .float8: kind = .double
      case .bytea: kind = .blob
      default: kind = .text
      }
      return SQLColumn(name: row.text(0), kind: kind, keyPosition: row.isNull(2) ? nil : Int(row.int(2)))
    }
  }

  private static let columns = SQL(
    """
    SELECT CAST(a.attname AS TEXT), CAST(a.atttypid AS BIGINT),
      (SELECT k.place FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k (attribute, place)
        WHERE i.indrelid = a.attrelid AND i.indisprimary AND k.attribute = a.attnum)
    FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
    """)

  /// Runs text in the simple protocol, which takes several statements at once: outside the pipeline.
  func script(_ text: String) throws {
    try finish()
    try wire.script(PostgresSchema.translate(text))
  }

  // MARK: Transactions

  /// Sends the statement along; `ends` waits until it and all before it were answered.
  func begin(_ sql: SQL) throws {
    try finish()
    try wire.requireOpen()
    try post(sql, [])
  }

  /// Whether the server has refused something in the open transaction, as far as its answers were read.
  var hasFailed: Bool { wire.hasFailed }

  /// Throws also when the server answers a commit with a rollback.
  func commit() throws {
    try send(.statement(Self.commit), Self.commit, [])
    let answer = try roundTrip { result, _ in String(cString: PQcmdStatus(result)) }
    guard answer == "COMMIT" else {
      throw PostgresFailure(mismatch: "the transaction had failed before", "COMMIT")
    }
  }

  /// Ends a transaction that wrote nothing; what the server answers is read when the connection is used next.
  func endRead() throws {
    // What nobody has waited for is refused here: a read must not seem to have written.
    _ = try roundTrip { _, _ in }
    try send(.statement(Self.commit), Self.commit, [])
    try wire.synchronize()
    owesAnswers = true
  }

  func rollback() throws {
    try finish()
    guard wire.isInTransaction else { return }
    try run(Self.rollback, [])
  }

  /// Reads what is still to come; failures of it concern nobody any more.
  private func finish() throws {
    do { _ = try roundTrip { _, _ in } } catch let failure as PostgresFailure where !failure.isConnectionLost {
    } catch let failure as PostgresFailure {
      throw failure
    } catch {}
  }

  private static let commit = SQL("COMMIT")
  private static let rollback = SQL("ROLLBACK")

  // MARK: The pipeline

  private func prepare(_ sql: SQL) throws -> Prepared {
    if sql.index < prepared.count, let known = prepared[sql.index] { return known }
    while prepared.count <= sql.index { prepared.append(nil) }
    let made = try prepare(sql, as: "s\(sql.index)", PostgresSchema.translateStatement(sql.text))
    prepared[sql.index] = made
    return made
  }

  /// - Parameter number: of the parameter that says how many rows have to change: behind the statement's own.
  private func prepareCounted(_ sql: SQL, _ number: Int) throws -> Prepared {
    if sql.index < preparedCounted.count, let known = preparedCounted[sql.index] { return known }
    while preparedCounted.count <= sql.index { preparedCounted.append(nil) }
    let check = "SELECT 1 / CASE WHEN count(*) = $\(number) THEN 1 ELSE 0 END FROM changed"
    let text = "WITH changed AS (\(PostgresSchema.translateStatement(sql.text)) RETURNING 1) \(check)"
    let made = try prepare(sql, as: "c\(sql.index)", text)
    preparedCounted[sql.index] = made
    return made
  }

  private func prepare(_ sql: SQL, as name: String, _ text: String) throws -> Prepared {
    try settleOwed()
    try wire.prepare(text, as: name)
    sent += [.preparation(sql), .preparation(sql)]
    let described = try roundTrip { result, _ in
      Prepared(
        name: name, parameters: (0..<PQnparams(result)).map { PQparamtype(result, $0) },
        columns: (0..<PQnfields(result)).map { PQftype(result, $0) })
    }
    guard let described else { throw wire.lost(sql.text) }
    if let type = PostgresType.unreadable(described.parameters + described.columns) {
      throw PostgresFailure(mismatch: "type \(type) is not used here", sql.text)
    }
    return described
  }

  private func send(_ kind: Sent, _ sql: SQL, _ values: [SQLValue]) throws {
    let statement = if case .counted = kind { try prepareCounted(sql, values.count) } else { try prepare(sql) }
    try settleOwed()
    try parameters.set(values, statement.parameters, sql.text)
    try wire.execute(statement.name, parameters, sql.text)
    sent.append(kind)
  }

  private func settleOwed() throws { if owesAnswers { try finish() } }

  /// Waits for the answers to all that was sent, and reads the last one.
  ///
  /// Throws the first failure; the server passed over everything behind it.
  private func roundTrip<T>(_ read: (OpaquePointer, SQL) throws -> T) throws -> T? {
    if !owesAnswers {
      if sent.isEmpty { return nil }
      try wire.synchronize()
    }
    owesAnswers = false
    let deadline = wire.answerDeadline
    let expected = sent
    sent.removeAll(keepingCapacity: true)
    var failed: (any Error)?
    var value: T?
    for (index, item) in expected.enumerated() {
      while let result = try wire.next(deadline) {
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
          guard failed == nil, index == expected.count - 1 else { continue }
          do { value = try read(result, item.sql) } catch { failed = error }
        case PGRES_PIPELINE_ABORTED: continue
        default:
          let failure = wire.failure(result, item.sql.text)
          if case .counted(_, let refusal) = item, failure.state == Self.divisionByZero {
            failed = failed ?? refusal
          } else {
            failed = failed ?? failure
          }
        }
      }
    }
    // The mark at the end.
    let mark = try wire.next(deadline)
    defer { PQclear(mark) }
    guard PQresultStatus(mark) == PGRES_PIPELINE_SYNC else { throw wire.lost("receive") }
    if let failed { throw failed }
    return value
  }

  private static let divisionByZero = "22012"

  private static func changed(_ result: OpaquePointer) -> Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

  /// Waits for notifications, for a byte in `wake`, or for the time to pass; then returns what came.
  func notifications(orWake wake: Int32, within milliseconds: Int32) throws -> [PostgresWire.Notification] {
    try settleOwed()
    return try wire.notifications(orWake: wake, within: milliseconds)
  }
}
