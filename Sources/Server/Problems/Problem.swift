package import Domain
package import HTTPTypes
import Realtime

/// A problem document (RFC 9457): the only form in which anything is refused.
package struct Problem: Sendable {
  package var status: HTTPResponse.Status
  package var headers: HTTPFields
  package var document: JSON

  static let contentType = "application/problem+json"

  /// - Parameter language: of the title; the detail is English, for whoever writes the client.
  package init(_ rejection: Rejection, language: Language) {
    status = rejection.code.status
    headers = [.contentType: Self.contentType, .cacheControl: "no-store"]
    // `Retry-After` is promised with these two; a second is the least that can be said.
    let retryAfter =
      rejection.retryAfter ?? (rejection.code == .tooMany || rejection.code == .unavailable ? 1 : nil)
    if let retryAfter { headers[.retryAfter] = String(max(1, retryAfter)) }
    if rejection.code == .unauthenticated { headers[.wwwAuthenticate] = "Bearer realm=\"hoichan\"" }
    if rejection.code == .upgradeRequired {
      for field in WebSocketUpgrade.refusalHeaders { headers[field.name] = field.value }
    }
    document = Self.document(
      code: rejection.code.rawValue, title: rejection.code.title(language), status: status, detail: rejection.detail,
      fields: rejection.fields, extra: rejection.extra)
  }

  /// A fault of ours: it shows the request's id, by which the log tells the rest, and nothing else.
  package init(faultIn request: String, language: Language) {
    status = .internalServerError
    headers = [.contentType: Self.contentType, .cacheControl: "no-store"]
    let title =
      switch language {
      case .vi: "Máy chủ gặp lỗi"
      case .en: "The server made a mistake"
      }
    document = Self.document(
      code: "internal", title: title, status: status, detail: "The mistake is in the log under the request's id.",
      extra: .init([("requestId", .string(request))]))
  }

  private static func document(
    code: String, title: String, status: HTTPResponse.Status, detail: String, fields: [Rejection.Field] = [],
    extra: JSON.Members
  ) -> JSON {
    var members = JSON.Members([
      ("type", .string("/problems/\(code)")), ("title", .string(title)), ("status", .int(Int64(status.code))),
      ("code", .string(code)), ("detail", .string(detail)),
    ])
    if !fields.isEmpty {
      members["errors"] = .array(
        fields.map { ["pointer": .string($0.pointer), "code": .string($0.code), "detail": .string($0.detail)] })
    }
    for item in extra.items where members[item.name] == nil { members[item.name] = item.value }
    return .object(members)
  }

  package static let schema = Schema.object {
    Schema.Member.required("type", .string, "Where the code is explained.")
    Schema.Member.required("title", .string, "The code in words, in the asked language (vi, en).")
    Schema.Member.required("status", .integer)
    Schema.Member.required("code", .choice(Rejection.Code.allCases.map(\.rawValue) + ["internal"]))
    Schema.Member.required("detail", .string)
    Schema.Member.sometimes(
      "errors",
      .array(
        .object {
          Schema.Member.required("pointer", .string, "A JSON Pointer into the body, or a parameter's name.")
          Schema.Member.required("code", .string)
          Schema.Member.required("detail", .string)
        }))
    Schema.Member.sometimes("requestId", .string)
    Schema.Member.sometimes("state", .string, "With `illegal-transition`.")
    Schema.Member.sometimes("allowed", .array(.string), "With `illegal-transition`.")
    Schema.Member.sometimes("alternatives", .array(.any), "With `slot-taken`: free slots.")
    Schema.Member.sometimes("reason", .string, "With `cursor-gap`.")
    Schema.Member.sometimes("oldest", .string.orNull, "With `cursor-gap`.")
    Schema.Member.sometimes("head", .string.orNull, "With `cursor-gap`.")
  }.named("Problem")
}
