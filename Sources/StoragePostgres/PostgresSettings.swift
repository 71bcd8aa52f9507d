import Domain

/// How every connection is made: the operator's URI, and what this program needs beside it.
package struct PostgresSettings: Sendable {
  /// A libpq URI, which may name several hosts.
  package var uri: String
  /// After so long the server gives a statement up.
  package var statementSeconds: Double
  /// What the server shows beside the connection.
  package var name: String
  /// `SET` statements of one kind of connection.
  var more = ""

  package init(
    uri: String, name: String = "hoichan", statementSeconds: Double = Limits.statementSeconds
  ) {
    self.uri = uri
    self.name = name
    self.statementSeconds = statementSeconds
  }

  /// In rising precedence: what the URI may change, the URI, what it may not.
  var keywords: [(name: String, value: String)] {
    [
      ("connect_timeout", "\(Limits.connectSeconds)"), ("keepalives_idle", "5"), ("keepalives_interval", "2"),
      ("keepalives_count", "3"), ("tcp_user_timeout", "\(Int(Limits.statementSeconds) * 1000)"),
      ("application_name", name), ("dbname", uri), ("target_session_attrs", "read-write"), ("client_encoding", "UTF8"),
    ]
  }

  /// Not as start-up options: a pooler between would refuse them.
  var session: String {
    let milliseconds = Int(statementSeconds * 1000)
    return "SET statement_timeout = \(milliseconds); SET idle_in_transaction_session_timeout = \(milliseconds * 2); "
      + "SET default_transaction_isolation = 'read committed'; SET synchronous_commit = on; "
      + "SET standard_conforming_strings = on; \(more)"
  }

  /// The same with further `SET` statements.
  func with(_ more: String) -> PostgresSettings {
    var copy = self
    copy.more = more
    return copy
  }
}
