package import Coordinator
package import Domain
package import HTTPTypes
package import Hummingbird
package import Logging

/// What a handler is given: everything decoded and checked against the endpoint's declaration.
package struct EndpointRequest: Sendable {
  /// The request as it came, for upgrades and streams.
  package let raw: Request
  package let context: AppContext
  /// Who asks; always there unless the endpoint is open, a capability or for the machine itself.
  package let signedIn: Caller?
  package let client: ClientAddress
  /// The session or token that came with the request: to sign out, or to be seen again by a socket.
  package let credential: Credential?
  package let parameters: [(name: String, value: String)]
  package let query: JSON.Members
  /// `.null` when the endpoint takes no body, or an optional one was left out.
  package let body: JSON
  /// The body as it came, for hashes over it.
  package let bodyBytes: [UInt8]
  package let settings: ServerSettings
  var idempotency: Call.Idempotency?

  package var headers: HTTPFields { raw.headers }
  package var logger: Logger { context.logger }

  /// Who asks.
  /// - Throws: `unauthenticated`; it can't for an endpoint that is `signedIn`.
  package var caller: Caller {
    get throws(Rejection) {
      guard let signedIn else { throw .unauthenticated }
      return signedIn
    }
  }

  /// Who asks and how, for a use case: with the idempotency key and the version that `If-Match` names.
  /// - Throws: `unauthenticated`; it can't for an endpoint that is `signedIn`.
  package var call: Call {
    get throws(Rejection) {
      Call(try caller, idempotency: idempotency, ifMatch: EntityTag.expectedVersion(headers[.ifMatch]))
    }
  }

  /// A parameter of the path; UUIDs in lower case.
  package subscript(parameter: String) -> String {
    guard let found = parameters.first(where: { $0.name == parameter }) else {
      preconditionFailure("'\(parameter)' is not in the endpoint's path")
    }
    return found.value
  }

  /// The language for whoever reads the answer.
  package var language: Language { Language(query: raw.uri.query, headers: headers) }

  // MARK: Query parameters, already checked

  package func text(_ name: String) -> String? { query[name]?.string }
  package func integer(_ name: String) -> Int64? { query[name]?.int }
  package func number(_ name: String) -> Double? { query[name]?.number }
  package func instant(_ name: String) -> Instant? { query[name]?.string.flatMap(Instant.init) }
  package func list(_ name: String) -> [String] { query[name]?.array?.compactMap(\.string) ?? [] }
  package func choice<Value: RawRepresentable>(_ name: String, _: Value.Type = Value.self) -> Value?
  where Value.RawValue == String {
    query[name]?.string.flatMap(Value.init(rawValue:))
  }
  package var limit: Int { Int(integer("limit") ?? Int64(Limits.pageDefault)) }
}

/// What a request shows to be let in.
package struct Credential: Sendable, Equatable {
  package enum Source: Sendable { case cookie, bearer }
  package var token: String
  package var source: Source

  /// A bearer token outranks the cookie, since only a program sends one.
  package init?(_ headers: HTTPFields) {
    if let header = headers[.authorization] {
      guard Self.isBearer(header.utf8) else { return nil }
      token = String(header.dropFirst(7).trimmed)
      source = .bearer
    } else if let cookie = Cookies.value(of: Cookies.session, in: headers) {
      token = cookie
      source = .cookie
    } else {
      return nil
    }
    guard !token.isEmpty, token.utf8.count <= Limits.shortText else { return nil }
  }

  /// `Bearer `, in any case.
  private static func isBearer(_ header: String.UTF8View) -> Bool {
    header.count > 7 && zip(header, "bearer ".utf8).allSatisfy { $0 == $1 || $0 | 0x20 == $1 }
  }
}
