import NIOCore
import NIOHTTP1

/// What a connection answers on its own, before any route: a problem document (RFC 9457), then it closes. The texts are
/// constants without anything that JSON would have to escape.
struct ConnectionProblem: Error, Equatable {
  let status: Int
  let title: String
  let code: String
  let detail: String
  var retryAfter: Int?

  static func malformed(_ detail: String) -> ConnectionProblem {
    ConnectionProblem(status: 400, title: "Bad Request", code: "malformed", detail: detail)
  }

  static let headersTooLarge = ConnectionProblem(
    status: 431, title: "Request Header Fields Too Large", code: "too-large",
    detail: "The request's line and headers are too long or too many.")

  static let tooSlow = ConnectionProblem(
    status: 408, title: "Request Timeout", code: "request-timeout",
    detail: "The request's headers did not arrive in time.")

  static let tooManyFromAddress = ConnectionProblem(
    status: 429, title: "Too Many Requests", code: "too-many",
    detail: "This address holds as many connections as it may.", retryAfter: 5)

  static let tooManyConnections = ConnectionProblem(
    status: 503, title: "Service Unavailable", code: "unavailable",
    detail: "The server holds as many connections as it may.", retryAfter: 5)

  static func malformed(_ error: HTTPParserError) -> ConnectionProblem {
    error == .headerOverflow ? headersTooLarge : malformed("The request is not valid HTTP/1.1.")
  }

  private init(status: Int, title: String, code: String, detail: String, retryAfter: Int? = nil) {
    self.status = status
    self.title = title
    self.code = code
    self.detail = detail
    self.retryAfter = retryAfter
  }

  var body: ByteBuffer {
    ByteBuffer(
      string: #"{"type":"about:blank","title":"\#(title)","status":\#(status),"code":"\#(code)","detail":"\#(detail)"}"#
    )
  }

  var head: HTTPResponseHead {
    var headers: HTTPHeaders = [
      "Content-Type": "application/problem+json", "Content-Length": String(body.readableBytes), "Connection": "close",
      "Cache-Control": "no-store",
    ]
    if let retryAfter { headers.add(name: "Retry-After", value: String(retryAfter)) }
    return HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: status, reasonPhrase: title), headers: headers)
  }
}
