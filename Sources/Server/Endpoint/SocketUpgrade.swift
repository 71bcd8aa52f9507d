import Domain
import HTTPTypes
import HummingbirdCore
package import Realtime

/// Turns a request into a WebSocket: what routes of sockets have in common.
package enum SocketUpgrade {
  /// Whether the client asks for a WebSocket at all.
  package static func isAsked(_ request: EndpointRequest) -> Bool { isAsked(request.headers) }

  static func isAsked(_ headers: HTTPFields) -> Bool {
    headers[.upgrade]?.lowercased().split(separator: ",").contains { $0.trimmed == "websocket" } ?? false
  }

  /// Must be the last thing a handler does; the delegate is made on the socket's event loop when the 101 is out.
  /// - Throws: `upgradeRequired`, `malformed` or `unavailable`.
  package static func accept(
    _ request: EndpointRequest, subprotocol: String, limits: SocketLimits,
    delegate: @escaping @Sendable (Socket) -> any SocketDelegate
  ) async throws -> EndpointResponse {
    do {
      let headers = try await WebSocketUpgrade.accept(
        request.raw.head, on: request.context.channel, subprotocols: [subprotocol], limits: limits, delegate: delegate)
      return EndpointResponse(.switchingProtocols, headers: headers)
    } catch let refusal as WebSocketUpgrade.Refusal {
      switch refusal {
      case .upgradeRequired(let detail): throw Rejection(.upgradeRequired, "No WebSocket: \(detail).")
      case .malformed(let detail): throw Rejection(.malformed, "No WebSocket: \(detail).")
      case .unavailable: throw Rejection(.unavailable, "The server is stopping.", retryAfter: 5)
      }
    }
  }
}
