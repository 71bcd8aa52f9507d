package import Coordinator
package import Domain
package import HTTPTypes
package import Hummingbird

/// What a handler answers.
package struct EndpointResponse: Sendable {
  package enum Body: Sendable {
    case none
    case bytes([UInt8])
    /// Written piece by piece: Server-Sent Events, files.
    case stream(ResponseBody)
  }

  package var status: HTTPResponse.Status
  package var headers: HTTPFields = [:]
  package var body: Body
  /// The version of the thing that the body shows: becomes the `ETag`.
  package var version: Int64?

  package init(_ status: HTTPResponse.Status, headers: HTTPFields = [:], body: Body = .none, version: Int64? = nil) {
    self.status = status
    self.headers = headers
    self.body = body
    self.version = version
  }

  package static func json(
    _ value: JSON, _ status: HTTPResponse.Status = .ok, version: Int64? = nil, location: String? = nil
  ) -> EndpointResponse {
    json(bytes: value.bytes, status, version: version, location: location)
  }

  /// What a use case answered.
  package init(_ answer: Answer, location: String? = nil) {
    var headers: HTTPFields = [:]
    if answer.body != nil { headers[.contentType] = "application/json" }
    if answer.status == .created, let location { headers[.location] = location }
    let status: HTTPResponse.Status =
      switch answer.status {
      case .ok: .ok
      case .created: .created
      case .noContent: .noContent
      }
    self.init(status, headers: headers, body: answer.body.map { .bytes($0) } ?? .none, version: answer.version)
  }

  /// For documents that exist as JSON text already.
  package static func json(
    bytes: [UInt8], _ status: HTTPResponse.Status = .ok, version: Int64? = nil, location: String? = nil
  ) -> EndpointResponse {
    var headers: HTTPFields = [.contentType: "application/json"]
    if let location { headers[.location] = location }
    return .init(status, headers: headers, body: .bytes(bytes), version: version)
  }

  package static func page(items: [JSON], next: String?) -> EndpointResponse {
    .json(["items": .array(items), "next": .orNull(next)])
  }

  package static func text(_ text: String, type: String) -> EndpointResponse {
    .init(.ok, headers: [.contentType: type], body: .bytes(Array(text.utf8)))
  }

  package static func html(_ text: String, _ status: HTTPResponse.Status = .ok) -> EndpointResponse {
    .init(status, headers: [.contentType: "text/html; charset=utf-8"], body: .bytes(Array(text.utf8)))
  }

  /// Sends a browser elsewhere, with a GET.
  package static func redirect(to location: String) -> EndpointResponse {
    .init(.seeOther, headers: [.location: location])
  }

  package static let noContent = EndpointResponse(.noContent)

  package func setting(_ name: HTTPField.Name, _ value: String) -> EndpointResponse {
    var response = self
    response.headers[name] = value
    return response
  }
}
