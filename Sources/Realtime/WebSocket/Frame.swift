package import NIOCore

/// The opcodes of RFC 6455, section 5.2; all others are reserved and refused.
package enum Opcode: UInt8, Sendable {
  case continuation = 0x0
  case text = 0x1
  case binary = 0x2
  case close = 0x8
  case ping = 0x9
  case pong = 0xA

  /// Control frames may stand between the fragments of a message (section 5.5).
  package var isControl: Bool { rawValue >= 0x8 }
}

/// A whole message of the peer, its fragments joined; a text's bytes are valid UTF-8.
package enum SocketMessage: Equatable, Sendable {
  case text(ByteBuffer)
  case binary(ByteBuffer)
}

/// What a decoder found.
package enum FrameEvent: Equatable, Sendable {
  case message(SocketMessage)
  case ping(ByteBuffer)
  case pong(ByteBuffer)
  /// Code and reason of the peer's close frame; `CloseCode.noStatus` when it had none.
  case close(CloseCode, reason: String)
}

/// The peer broke the protocol or a limit: the connection has to be failed with this code (section 7.1.7).
package struct ProtocolFailure: Error, Equatable {
  package let code: CloseCode
  package let reason: String

  package init(_ code: CloseCode, _ reason: String) {
    self.code = code
    self.reason = reason
  }
}

/// What one kind of socket may take in and hold back.
package struct SocketLimits: Hashable, Sendable {
  /// Bytes of one inbound frame's payload; more is 1009.
  package var frame: Int
  /// Bytes of one inbound message, all fragments together; more is 1009.
  package var message: Int
  /// Bytes that may wait for a peer that does not read; more is 4408.
  package var pending: Int
  /// A peer that was silent for so long is pinged.
  package var quiet: TimeAmount
  /// A ping unanswered for so long, by any byte at all, means that the peer is gone.
  package var pongTimeout: TimeAmount
  /// How long a peer may take to answer our close frame.
  package var closeTimeout: TimeAmount
  /// Whether permessage-deflate (RFC 7692) is agreed on with clients who offer it.
  package var deflate: Bool

  package init(
    frame: Int = 64 * 1024, message: Int = 64 * 1024, pending: Int = 4 * 1024 * 1024,
    quiet: TimeAmount = .seconds(20), pongTimeout: TimeAmount = .seconds(60), closeTimeout: TimeAmount = .seconds(5),
    deflate: Bool = true
  ) {
    self.frame = frame
    self.message = message
    self.pending = pending
    self.quiet = quiet
    self.pongTimeout = pongTimeout
    self.closeTimeout = closeTimeout
    self.deflate = deflate
  }
}
