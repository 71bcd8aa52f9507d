import Crypto
import Foundation
package import HTTPTypes
package import NIOCore
import NIOHTTP1

/// The opening handshake (RFC 6455, section 4.2) as a route sees it: the request has come through the router and its
/// middleware like any other, and `accept` is the last thing the route does.
package enum WebSocketUpgrade {
  /// Why a request can't become a WebSocket.
  package enum Refusal: Error, Equatable {
    /// Not a WebSocket handshake, or another version of it: 426 with `refusalHeaders`.
    case upgradeRequired(String)
    /// A handshake that breaks the RFC: 400.
    case malformed(String)
    /// The server is stopping: 503.
    case unavailable
  }

  /// Belong on a 426 (RFC 6455, section 4.4; RFC 9110, section 15.5.22).
  package static let refusalHeaders: HTTPFields = [
    .upgrade: "websocket", .connection: "Upgrade", .secWebSocketVersion: "13",
  ]

  /// Validates the handshake, arms the connection, and returns the headers of the 101 that the route must answer, with
  /// no body. When it has gone out, `delegate` is called on the channel's event loop and the socket is its. If another
  /// answer goes out instead, nothing happens: `delegate` is let go uncalled.
  package static func accept(
    _ request: HTTPRequest, on channel: any Channel, subprotocols: [String] = [], limits: SocketLimits = SocketLimits(),
    delegate: @escaping @Sendable (Socket) -> any SocketDelegate
  ) async throws -> HTTPFields {
    let key = try validate(request)
    let subprotocol = choose(from: subprotocols, offered: request.headerFields[values: .secWebSocketProtocol])
    let extensions = request.headerFields[values: .secWebSocketExtensions]
    let deflate = try limits.deflate ? PermessageDeflate.choose(from: extensions) : nil
    let pending = PendingSocket(limits: limits, subprotocol: subprotocol, deflate: deflate, makeDelegate: delegate)
    try await channel.eventLoop.submit {
      guard let handler = try? channel.pipeline.syncOperations.handler(type: UpgradeHandler.self) else {
        throw Refusal.upgradeRequired("this connection can't be upgraded")
      }
      try handler.accept(pending)
    }.get()

    var headers: HTTPFields = [
      .upgrade: "websocket", .connection: "Upgrade", .secWebSocketAccept: acceptValue(for: key),
    ]
    headers[.secWebSocketProtocol] = subprotocol
    headers[.secWebSocketExtensions] = deflate?.answer
    return headers
  }

  /// The request's key, if it is a handshake of version 13. Whether it came by HTTP/1.1 and without a body, the
  /// connection's handler knows.
  static func validate(_ request: HTTPRequest) throws(Refusal) -> String {
    let fields = request.headerFields
    guard tokens(fields[values: .upgrade]).contains("websocket"),
      tokens(fields[values: .connection]).contains("upgrade")
    else {
      throw .upgradeRequired("a WebSocket handshake is expected here")
    }
    guard request.method == .get else { throw .malformed("a WebSocket handshake is a GET") }
    let versions = fields[values: .secWebSocketVersion]
    guard versions == ["13"] else { throw .upgradeRequired("WebSocket version 13 is expected") }
    let keys = fields[values: .secWebSocketKey]
    guard keys.count == 1, let key = keys.first, isKey(key) else {
      throw .malformed("Sec-WebSocket-Key is not sixteen bytes in base64")
    }
    return key
  }

  /// Sixteen bytes in base64: 22 digits and two signs of padding.
  private static func isKey(_ key: String) -> Bool {
    key.utf8.count == 24 && Data(base64Encoded: key)?.count == 16
  }

  /// Section 4.2.2, step 5.
  static func acceptValue(for key: String) -> String {
    let digest = Insecure.SHA1.hash(data: Data((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
    return Data(digest).base64EncodedString()
  }

  /// The first the client offers that we know; none is no failure, the client decides then.
  private static func choose(from known: [String], offered: [String]) -> String? {
    let offered = offered.flatMap { $0.split(separator: ",") }.map { trim($0) }
    return offered.first { known.contains($0) }
  }

  private static func tokens(_ values: [String]) -> [String] {
    values.flatMap { $0.split(separator: ",") }.map { trim($0).lowercased() }
  }

  private static func trim(_ token: Substring) -> String {
    token.trimmingCharacters(in: .whitespaces)
  }
}

/// What waits for its 101.
struct PendingSocket: Sendable {
  let limits: SocketLimits
  var subprotocol: String?
  var deflate: PermessageDeflate?
  let makeDelegate: @Sendable (Socket) -> any SocketDelegate
}
