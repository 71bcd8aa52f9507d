/// Why something that was asked for is not done. A closed list: each reason has one stable code, one HTTP status
/// (in `Server`) and one sentence in each language. Anything else that goes wrong is a fault, logged and not shown.
package struct Rejection: Error, Sendable, Equatable {
  /// The codes of CONTRACT "HTTP".
  package enum Code: String, Sendable, CaseIterable {
    case malformed, unauthenticated, forbidden
    case notFound = "not-found"
    case methodNotAllowed = "method-not-allowed"
    case slotTaken = "slot-taken"
    case illegalTransition = "illegal-transition"
    case idTaken = "id-taken"
    case idempotencyInProgress = "idempotency-in-progress"
    case cursorGap = "cursor-gap"
    case linkEnded = "link-ended"
    case preconditionFailed = "precondition-failed"
    case tooLarge = "too-large"
    case unsupportedMediaType = "unsupported-media-type"
    case invalid
    case outsideSchedule = "outside-schedule"
    case idempotencyKeyReused = "idempotency-key-reused"
    case upgradeRequired = "upgrade-required"
    case tooMany = "too-many"
    case unavailable
  }

  /// One wrong member of an input: a JSON Pointer (RFC 6901) or a parameter's name, a code and a sentence.
  package struct Field: Sendable, Equatable {
    package var pointer: String
    package var code: String
    package var detail: String
    package init(_ pointer: String, _ code: String, _ detail: String) {
      self.pointer = pointer
      self.code = code
      self.detail = detail
    }
  }

  package var code: Code
  /// What is wrong in this case, for a person; never holds patient data or secrets.
  package var detail: String
  package var fields: [Field] = []
  /// Further members of the problem document: `alternatives`, `state`, `allowed`, `reason`, `oldest`, `head`.
  package var extra: JSON.Members = .init()
  /// Seconds for `Retry-After`.
  package var retryAfter: Int64?

  package init(
    _ code: Code, _ detail: String, fields: [Field] = [], extra: JSON.Members = .init(), retryAfter: Int64? = nil
  ) {
    self.code = code
    self.detail = detail
    self.fields = fields
    self.extra = extra
    self.retryAfter = retryAfter
  }
}

extension Rejection: CustomStringConvertible {
  /// One line of a log.
  package var description: String {
    fields.reduce("\(code.rawValue): \(detail)") { "\($0) \($1.pointer) \($1.code): \($1.detail)" }
  }
}

extension Rejection {
  package static let notFound = Rejection(.notFound, "There is nothing here that you may see.")
  package static let forbidden = Rejection(.forbidden, "You may see this, but not do this.")
  package static let unauthenticated = Rejection(.unauthenticated, "Sign in first.")
  package static let preconditionFailed = Rejection(
    .preconditionFailed, "It was changed by someone else since you read it. Read it again.")

  package static func invalid(_ pointer: String, _ code: String, _ detail: String) -> Rejection {
    .init(.invalid, "The input is not valid.", fields: [.init(pointer, code, detail)])
  }

  package static func illegalTransition(_ event: String, state: String, allowed: [String]) -> Rejection {
    .init(
      .illegalTransition, "'\(event)' is not possible in the state '\(state)'.",
      extra: .init([("state", .string(state)), ("allowed", .strings(allowed))]))
  }
}
