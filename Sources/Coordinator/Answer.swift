package import Domain

/// What a use case answers: made inside its transaction, so that a kept answer is exactly the one that was given.
package struct Answer: Sendable, Equatable {
  package enum Status: Int, Sendable { case ok = 200, created = 201, noContent = 204 }

  package var status: Status
  /// For the `ETag`.
  package var version: Int64?
  /// JSON text; nil for 204.
  package var body: [UInt8]?
  /// Whether it was kept from an earlier call with the same key.
  package var isReplay = false

  package init(_ status: Status, version: Int64? = nil, body: [UInt8]?) {
    self.status = status
    self.version = version
    self.body = body
  }

  package static func ok(_ json: JSON, version: Int64? = nil) -> Answer {
    .init(.ok, version: version, body: json.bytes)
  }
  package static func created(_ json: JSON, version: Int64? = nil) -> Answer {
    .init(.created, version: version, body: json.bytes)
  }
  package static let noContent = Answer(.noContent, body: nil)

  /// A list's page (CONTRACT "HTTP").
  package static func list(_ items: [JSON], next: String?) -> Answer {
    .ok(["items": .array(items), "next": .orNull(next)])
  }
}

/// What a transaction will answer, rendered once it is known who needs it: the writer's thread is the narrowest place
/// of all, so that documents are written elsewhere, unless the transaction itself has to keep them.
struct AnswerDraft: Sendable {
  var status: Answer.Status
  var version: Int64?
  var json: (@Sendable () throws -> JSON)?

  static func ok(
    _ json: @escaping @Sendable @autoclosure () throws -> JSON, version: Int64? = nil
  ) -> AnswerDraft { .init(status: .ok, version: version, json: json) }

  static func created(
    _ json: @escaping @Sendable @autoclosure () throws -> JSON, version: Int64? = nil
  ) -> AnswerDraft { .init(status: .created, version: version, json: json) }

  static let noContent = AnswerDraft(status: .noContent)

  func rendered() throws -> Answer { Answer(status, version: version, body: try json?().bytes) }
}

/// Who asks, and how: what every use case is given beside its input.
package struct Call: Sendable {
  /// `Idempotency-Key` of a write, scoped to the caller, method and path.
  package struct Idempotency: Sendable, Equatable {
    package static let lifetime = Span.hours(24)
    package var scope: String
    package var key: String
    package var bodyHash: [UInt8]
    package init(scope: String, key: String, bodyHash: [UInt8]) {
      self.scope = scope
      self.key = key
      self.bodyHash = bodyHash
    }
  }

  package var caller: Caller
  package var idempotency: Idempotency?
  /// `If-Match`.
  package var ifMatch: Int64?

  package init(_ caller: Caller, idempotency: Idempotency? = nil, ifMatch: Int64? = nil) {
    self.caller = caller
    self.idempotency = idempotency
    self.ifMatch = ifMatch
  }

  /// Refuses a write that was made against an older version.
  package func check(version: Int64) throws(Rejection) {
    if let ifMatch, ifMatch != version { throw .preconditionFailed }
  }
}
