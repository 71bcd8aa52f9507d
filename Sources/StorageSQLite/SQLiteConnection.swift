import GRDBSQLite
import Storage

/// One connection's prepared statements, used by the one thread that owns it.
///
/// GRDB opens and configures the connection; the statements are SQLite's own, indexed by the statement's number,
/// since GRDB's cost 2–10 % of a booking (docs/decisions/0002).
final class SQLiteConnection: SQLConnection {
  private let handle: OpaquePointer
  private var prepared: [OpaquePointer?] = []

  init(handle: OpaquePointer) { self.handle = handle }

  /// Finalizes every statement: to be called before GRDB closes the connection.
  func close() {
    for statement in prepared { sqlite3_finalize(statement) }
    prepared = []
  }

  /// Whether no transaction is open: after an error, whether SQLite rolled everything back by itself.
  var isAutocommit: Bool { sqlite3_get_autocommit(handle) != 0 }

  /// Counts every row that this connection ever wrote, also those that were rolled back.
  var totalChanges: Int64 { sqlite3_total_changes64(handle) }

  @discardableResult
  func run(_ sql: SQL, _ values: [SQLValue]) throws -> Int {
    let statement = try prepare(sql)
    defer { sqlite3_reset(statement) }
    try bind(statement, values)
    var code = sqlite3_step(statement)
    while code == SQLITE_ROW { code = sqlite3_step(statement) }
    guard code == SQLITE_DONE else { throw failure(code, sql.text) }
    return Int(sqlite3_changes(handle))
  }

  func rows<T>(_ sql: SQL, _ values: [SQLValue], _ read: (any SQLRow) throws -> T) throws -> [T] {
    let statement = try prepare(sql)
    defer { sqlite3_reset(statement) }
    try bind(statement, values)
    var result: [T] = []
    while true {
      let code = sqlite3_step(statement)
      if code == SQLITE_DONE { return result }
      guard code == SQLITE_ROW else { throw failure(code, sql.text) }
      result.append(try read(SQLiteRow(statement: statement)))
    }
  }

  func post(_ sql: SQL, _ values: [SQLValue]) throws { try run(sql, values) }

  func post(_ sql: SQL, _ values: [SQLValue], changing count: Int, otherwise refusal: any Error) throws {
    guard try run(sql, values) == count else { throw refusal }
  }

  var isOnlyWriter: Bool { true }

  func columns(of table: String) throws -> [SQLColumn] {
    try rows(Self.columns, [.text(table)]) { row in
      let kind: SQLColumn.Kind
      switch row.text(1) {
      case "INTEGER": kind = .int
      case "REAL": kind = .double
      case "BLOB": kind = .blob
      default: kind = .text
      }
      return SQLColumn(name: row.text(0), kind: kind, keyPosition: row.int(2) == 0 ? nil : Int(row.int(2)))
    }
  }

  private static let columns = SQL("SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid")

  func script(_ text: String) throws {
    let code = sqlite3_exec(handle, Self.translate(text), nil, nil, nil)
    guard code == SQLITE_OK else { throw failure(code, text) }
  }

  /// The few types whose names differ. An `INTEGER PRIMARY KEY` is SQLite's row number itself, and a clustered table
  /// has no second tree.
  static func translate(_ text: String) -> String {
    text.replacing("BIGINT NOT NULL PRIMARY KEY", with: "INTEGER NOT NULL PRIMARY KEY").replacing(
      "BIGINT", with: "INTEGER"
    ).replacing("BYTEA", with: "BLOB").replacing("DOUBLE PRECISION", with: "REAL").replacing(
      "/* clustered */", with: "WITHOUT ROWID")
  }

  private func prepare(_ sql: SQL) throws -> OpaquePointer {
    if sql.index < prepared.count, let statement = prepared[sql.index] { return statement }
    while prepared.count <= sql.index { prepared.append(nil) }
    var statement: OpaquePointer?
    let text = Self.numbered(sql.text)
    let code = sqlite3_prepare_v3(
      handle, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
    guard code == SQLITE_OK, let statement else { throw failure(code, sql.text) }
    prepared[sql.index] = statement
    return statement
  }

  /// `$1` is a *name* in SQLite; `?1` is the first parameter.
  private static func numbered(_ text: String) -> String {
    text.replacing("$", with: "?").replacing(
      SQL.databaseNow, with: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")
  }

  private func bind(_ statement: OpaquePointer, _ values: [SQLValue]) throws {
    for (offset, value) in values.enumerated() {
      let index = Int32(offset + 1)
      let code: Int32
      switch value {
      case .null: code = sqlite3_bind_null(statement, index)
      case .int(let value): code = sqlite3_bind_int64(statement, index, value)
      case .double(let value): code = sqlite3_bind_double(statement, index, value)
      case .text(var value):
        code = try value.withUTF8 { bytes in
          // PostgreSQL stores none, so SQLite may not seem to.
          if bytes.contains(0) {
            throw SQLiteFailure(code: SQLITE_MISMATCH, message: "U+0000 in a text", statement: "parameter \(index)")
          }
          return bytes.withMemoryRebound(to: CChar.self) {
            sqlite3_bind_text(statement, index, $0.baseAddress ?? Self.empty, Int32($0.count), transient)
          }
        }
      case .blob(let value):
        code = value.withUnsafeBytes {
          $0.isEmpty
            ? sqlite3_bind_zeroblob(statement, index, 0)
            : sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), transient)
        }
      }
      guard code == SQLITE_OK else { throw failure(code, "parameter \(index)") }
    }
  }

  /// An empty text still needs an address, or SQLite would bind NULL. Written here, once, and only read from then on, so
  /// that every thread may.
  private nonisolated(unsafe) static let empty: UnsafePointer<CChar> = {
    let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
    pointer.initialize(to: 0)
    return UnsafePointer(pointer)
  }()

  private func failure(_ code: Int32, _ what: String) -> SQLiteFailure {
    SQLiteFailure(
      code: sqlite3_extended_errcode(handle), message: String(cString: sqlite3_errmsg(handle)),
      statement: String(what.prefix(120)))
  }
}

/// SQLite's `SQLITE_TRANSIENT`: it copies what it is given. A number in a pointer's place, never followed nor changed.
private nonisolated(unsafe) let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

/// What SQLite answered instead of doing it. Holds no values, so it may be logged.
struct SQLiteFailure: Error, CustomStringConvertible {
  var code: Int32
  var message: String
  var statement: String

  /// Somebody else inserted the same key first.
  var isUniqueViolation: Bool { code == SQLITE_CONSTRAINT_PRIMARYKEY_CODE || code == SQLITE_CONSTRAINT_UNIQUE_CODE }

  var description: String { "SQLite \(code): \(message) in: \(statement)" }
}

// The extended codes are macros that Swift does not import: SQLITE_CONSTRAINT (19) | n << 8.
private let SQLITE_CONSTRAINT_PRIMARYKEY_CODE: Int32 = 19 | 6 << 8
private let SQLITE_CONSTRAINT_UNIQUE_CODE: Int32 = 19 | 8 << 8

private struct SQLiteRow: SQLRow {
  let statement: OpaquePointer

  func isNull(_ column: Int) -> Bool { sqlite3_column_type(statement, Int32(column)) == SQLITE_NULL }
  func int(_ column: Int) -> Int64 { sqlite3_column_int64(statement, Int32(column)) }
  func double(_ column: Int) -> Double { sqlite3_column_double(statement, Int32(column)) }

  func text(_ column: Int) -> String {
    guard let bytes = sqlite3_column_text(statement, Int32(column)) else { return "" }
    let count = Int(sqlite3_column_bytes(statement, Int32(column)))
    return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  }

  func blob(_ column: Int) -> [UInt8] {
    guard let bytes = sqlite3_column_blob(statement, Int32(column)) else { return [] }
    return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(statement, Int32(column)))))
  }
}
