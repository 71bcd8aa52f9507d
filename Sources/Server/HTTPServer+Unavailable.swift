import Domain
import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
package import ServiceLifecycle

extension HTTPServer {
  /// A server that can say only why it cannot serve: 503 to everything but `/livez`.
  package static func unavailable(
    _ settings: ServerSettings, _ reason: String, logger: Logger
  ) throws -> some Service {
    let responder = CallbackResponder<AppContext> { request, _ in
      if request.uri.path == "/livez" {
        return Response(
          status: .ok, headers: [.contentType: "application/json"],
          body: .init(byteBuffer: ByteBuffer(string: "{\"status\":\"ok\"}")))
      }
      let language = Language(query: request.uri.query, headers: request.headers)
      let problem = Problem(Rejection(.unavailable, reason, retryAfter: 2), language: language)
      return Response(
        status: problem.status, headers: problem.headers,
        body: .init(byteBuffer: ByteBuffer(bytes: problem.document.bytes)))
    }
    return try application(responder, settings, logger: logger)
  }
}
