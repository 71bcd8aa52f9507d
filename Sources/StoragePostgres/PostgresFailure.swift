import CPostgres
import Coordinator
import Storage

/// What PostgreSQL answered instead of doing it, or that it did not answer. Holds no values, so it may be logged.
struct PostgresFailure: Error, CustomStringConvertible {
  /// SQLSTATE; empty when the connection failed.
  var state: String
  var message: String
  var statement: String
  /// Nobody knows how far the server came: the connection cannot be used any more.
  var isConnectionLost: Bool

  /// The transaction lost against another, and may win when it runs again.
  var isLostRace: Bool {
    switch state {
    case "40001", "40P01", "23505": true
    default: false
    }
  }

  /// The same for whoever asked the store.
  var asStoreFailure: StoreFailure {
    let kind: StoreFailure.Kind =
      switch state {
      case _ where isConnectionLost: .unreachable
      case "57014", "55P03": .slow
      case "53100", "53200": .full
      default: .failed
      }
    return StoreFailure(description, kind)
  }

  /// The server ends every connection, or refuses new ones: it stops, starts, or was replaced by its standby.
  private static let endings: Set<String> = ["57P01", "57P02", "57P03", "57P05", "53300", "25006", "08006", "08003"]

  /// - Parameter result: what the server said of a statement.
  init(_ result: OpaquePointer?, _ statement: String) {
    func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
    state = field(Int32(UInt8(ascii: "C"))) ?? ""
    message = field(Int32(UInt8(ascii: "M"))) ?? String(cString: PQresultErrorMessage(result))
    self.statement = String(statement.prefix(120))
    isConnectionLost = state.isEmpty || Self.endings.contains(state)
  }

  /// - Parameter connection: what was lost, or never was.
  init(connection: OpaquePointer?, _ what: String) {
    self.init(lost: connection.map { String(cString: PQerrorMessage($0)) } ?? "out of memory", what)
  }

  init(lost message: String, _ what: String) {
    state = ""
    // libpq says a sentence for each host that it tried.
    self.message = message.split(separator: "\n").joined(separator: "; ")
    statement = String(what.prefix(120))
    isConnectionLost = true
  }

  /// A value that cannot be sent, or a column that cannot be read: a mistake on this side.
  init(mismatch message: String, _ statement: String) {
    state = "42804"
    self.message = message
    self.statement = String(statement.prefix(120))
    isConnectionLost = false
  }

  var description: String {
    "PostgreSQL \(state.isEmpty ? "connection" : state): \(message) in: \(statement)"
  }
}
