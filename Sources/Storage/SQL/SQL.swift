import Coordinator
package import Domain
import Synchronization

/// A statement, written once in the dialect that SQLite and PostgreSQL share, with parameters `$1`, `$2`, ….
///
/// Statements are static values; the number that each is given indexes a connection's prepared handles, so that
/// running one looks nothing up.
package struct SQL: Sendable {
  package let text: String
  package let index: Int

  /// What a statement says for the database's own clock, in milliseconds since 1970: nodes may disagree about theirs.
  package static let databaseNow = "database_now()"

  private static let counter = Atomic<Int>(0)

  /// Make it once, as a `static let`: every call takes a number and, on each connection, a prepared handle.
  package init(_ text: StaticString) { self.init(dynamic: "\(text)") }

  /// For statements about tables that are known only when they are met: names, never values.
  package init(dynamic text: String) {
    self.text = text
    index = Self.counter.add(1, ordering: .relaxed).oldValue
  }
}

/// A parameter. Instants go as their milliseconds, booleans as 0 and 1, documents as JSON text.
package enum SQLValue: Sendable, Equatable {
  case null
  case int(Int64)
  case double(Double)
  case text(String)
  case blob([UInt8])

  package static func orNull(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
  package static func orNull(_ value: Int64?) -> SQLValue { value.map { .int($0) } ?? .null }
  package static func orNull(_ value: Double?) -> SQLValue { value.map { .double($0) } ?? .null }
  package static func orNull(_ value: Instant?) -> SQLValue { value.map { .int($0.milliseconds) } ?? .null }
  package static func orNull(_ value: CalendarDay?) -> SQLValue { value.map { .int($0.number) } ?? .null }
  package static func bool(_ value: Bool) -> SQLValue { .int(value ? 1 : 0) }
  package static func instant(_ value: Instant) -> SQLValue { .int(value.milliseconds) }
}

/// A row while it is being read; columns count from 0.
package protocol SQLRow {
  func isNull(_ column: Int) -> Bool
  func int(_ column: Int) -> Int64
  func double(_ column: Int) -> Double
  func text(_ column: Int) -> String
  func blob(_ column: Int) -> [UInt8]
}

extension SQLRow {
  package func optionalInt(_ column: Int) -> Int64? { isNull(column) ? nil : int(column) }
  package func optionalDouble(_ column: Int) -> Double? { isNull(column) ? nil : double(column) }
  package func optionalText(_ column: Int) -> String? { isNull(column) ? nil : text(column) }
  package func bool(_ column: Int) -> Bool { int(column) != 0 }
  package func instant(_ column: Int) -> Instant { Instant(milliseconds: int(column)) }
  package func optionalInstant(_ column: Int) -> Instant? { optionalInt(column).map { Instant(milliseconds: $0) } }
  package func optionalDay(_ column: Int) -> CalendarDay? { optionalInt(column).map { CalendarDay(number: $0) } }
}

/// An engine's connection inside an open transaction. Used by one thread, and never kept.
package protocol SQLConnection: AnyObject {
  /// Runs a statement that gives no rows; returns how many rows it changed.
  @discardableResult
  func run(_ sql: SQL, _ values: [SQLValue]) throws -> Int

  /// Runs a statement and reads its rows.
  func rows<T>(_ sql: SQL, _ values: [SQLValue], _ read: (any SQLRow) throws -> T) throws -> [T]

  /// Runs a statement whose rows and count nobody asks for. An engine may send it along with what follows: it is
  /// refused here, at a later statement, or by the commit.
  func post(_ sql: SQL, _ values: [SQLValue]) throws

  /// The same, where so many rows have to change; otherwise the refusal is thrown, here or later.
  func post(_ sql: SQL, _ values: [SQLValue], changing count: Int, otherwise refusal: any Error) throws

  /// A table's columns, in their order.
  func columns(of table: String) throws -> [SQLColumn]

  /// Runs text as it is: migrations only.
  func script(_ text: String) throws

  /// Whether nobody else can write while this transaction is open: then it gives the rows of the logs their numbers
  /// itself. Otherwise they go to an outbox, and a sequencer numbers what was committed.
  var isOnlyWriter: Bool { get }
}

extension SQLConnection {
  /// Exactly one row has to change: it is there in the version that was read.
  package func postOne(_ sql: SQL, _ values: [SQLValue]) throws {
    try post(sql, values, changing: 1, otherwise: StaleVersion())
  }

  package func first<T>(_ sql: SQL, _ values: [SQLValue], _ read: (any SQLRow) throws -> T) throws -> T? {
    try rows(sql, values, read).first
  }
}

/// A row of the database holds what no release ever wrote.
package struct CorruptRow: Error, CustomStringConvertible {
  package var description: String
  init(_ table: String, _ detail: String) { description = "\(table): \(detail)" }
}
