package import Domain
package import HTTPTypes

/// One route, declared once: from this list come the router, `/openapi.json` and the test that every role has an
/// authorization case for every route.
package struct Endpoint: Sendable {
  package typealias Handler = @Sendable (EndpointRequest) async throws -> EndpointResponse

  /// The chapters of the API's description.
  package enum Tag: String, Sendable, CaseIterable {
    case session, directory, consults, trips, events, people, operations, pages
  }

  /// Who may come in at all. What they may do to one thing is decided in `Domain`, by the Coordinator.
  package enum Access: Sendable {
    /// Nobody signs in.
    case open
    /// Nobody needs to sign in, but whoever has is known.
    case optional
    /// A session or a token; and, where it needs no knowledge of the thing, the action.
    case signedIn(Action? = nil)
    /// As `signedIn`; a request for a socket may show a ticket instead, which the handler redeems.
    case socket
    /// The secret in the path is the permission.
    case capability
    /// The machine itself, or a token: for `/metrics`.
    case loopbackOrToken
  }

  package struct Options: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// `Idempotency-Key` is honoured.
    package static let idempotent = Options(rawValue: 1)
    /// Answers carry an `ETag`; a GET honours `If-None-Match`.
    package static let etag = Options(rawValue: 2)
    /// A change honours `If-Match`.
    package static let ifMatch = Options(rawValue: 4)
    /// The body may be left out.
    package static let optionalBody = Options(rawValue: 8)
    /// Not in `/openapi.json`: pages and files.
    package static let undocumented = Options(rawValue: 16)
    /// Not counted against the caller's address: health checks.
    package static let unthrottled = Options(rawValue: 32)
    /// Refusals are shown as a page, and a missing sign-in leads to the sign-in page.
    package static let page = Options(rawValue: 64)
  }

  package var method: HTTPRequest.Method
  /// `/api/v1/consults/{id}`; also the route's name in logs and metrics.
  package let path: String
  /// The names in braces, in their order.
  package let parameterNames: [String]
  /// `operationId`.
  package var id: String
  package var tag: Tag
  package var summary: String
  package var note: String?
  package var access: Access
  /// Shapes of the path's parameters; those not named here are UUIDs.
  package var parameters: [String: Schema]
  package var query: [QueryParameter]
  package var body: Schema?
  package var bodyLimit: Int
  package var answers: [Reply]
  /// Reasons for refusal of this route's own, beside those that follow from its declaration.
  package var rejections: [Rejection.Code]
  package var options: Options
  package var handler: Handler

  package init(
    _ method: HTTPRequest.Method, _ path: String, _ id: String, _ tag: Tag, _ summary: String, note: String? = nil,
    access: Access = .signedIn(), parameters: [String: Schema] = [:], query: [QueryParameter] = [],
    body: Schema? = nil, bodyLimit: Int = Limits.bodyBytes, answers: [Reply], rejections: [Rejection.Code] = [],
    options: Options = [], handler: @escaping Handler
  ) {
    self.method = method
    self.path = path
    parameterNames = path.split(separator: "{").dropFirst().compactMap {
      $0.split(separator: "}").first.map(String.init)
    }
    self.id = id
    self.tag = tag
    self.summary = summary
    self.note = note
    self.access = access
    self.parameters = parameters
    self.query = query
    self.body = body
    self.bodyLimit = bodyLimit
    self.answers = answers
    self.rejections = rejections
    self.options = options
    self.handler = handler
  }

  package func schema(ofParameter name: String) -> Schema { parameters[name] ?? .uuid }

  package var isWrite: Bool { method != .get && method != .head }
}

/// A parameter of the query string. Lists are written with commas.
package struct QueryParameter: Sendable {
  package var name: String
  package var schema: Schema
  package var isRequired: Bool
  package var note: String?

  package init(_ name: String, _ schema: Schema, required: Bool = false, _ note: String? = nil) {
    self.name = name
    self.schema = schema
    self.isRequired = required
    self.note = note
  }

  package static let limit = QueryParameter("limit", .integer(1...Int64(Limits.pageMax)), "How many at most.")
  package static let after = QueryParameter("after", .string(1...Limits.shortText), "The `next` of the page before.")
  package static let search = QueryParameter("q", .string(0...Limits.name), "Searches names, without diacritics.")
}

/// A documented answer.
package struct Reply: Sendable {
  package var status: HTTPResponse.Status
  package var note: String
  package var content: [(type: String, schema: Schema)]
  package var headers: [String: String] = [:]

  package static func json(_ status: HTTPResponse.Status, _ schema: Schema, _ note: String) -> Reply {
    .init(status: status, note: note, content: [("application/json", schema)])
  }

  package static func json(_ schema: Schema, _ note: String) -> Reply { .json(.ok, schema, note) }

  package static func text(_ type: String, _ note: String) -> Reply {
    .init(status: .ok, note: note, content: [(type, .string)])
  }

  package static func empty(_ status: HTTPResponse.Status, _ note: String) -> Reply {
    .init(status: status, note: note, content: [])
  }

  package static func empty(_ note: String) -> Reply { .empty(.noContent, note) }

  package func or(_ type: String, _ schema: Schema) -> Reply {
    var answer = self
    answer.content.append((type, schema))
    return answer
  }

  package func header(_ name: String, _ note: String) -> Reply {
    var answer = self
    answer.headers[name] = note
    return answer
  }
}
