/// Why a WebSocket ended (RFC 6455, section 7.4).
package struct CloseCode: RawRepresentable, Hashable, Sendable {
  package let rawValue: UInt16

  package init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  package static let normal = CloseCode(rawValue: 1000)
  package static let goingAway = CloseCode(rawValue: 1001)
  package static let protocolError = CloseCode(rawValue: 1002)
  package static let unsupportedData = CloseCode(rawValue: 1003)
  /// Never on the wire: the peer's close frame had no code.
  package static let noStatus = CloseCode(rawValue: 1005)
  /// Never on the wire: the connection went without a close frame.
  package static let abnormal = CloseCode(rawValue: 1006)
  package static let invalidPayload = CloseCode(rawValue: 1007)
  package static let policyViolation = CloseCode(rawValue: 1008)
  package static let tooBig = CloseCode(rawValue: 1009)
  package static let internalError = CloseCode(rawValue: 1011)

  package static let signInEnded = CloseCode(rawValue: 4401)
  package static let notAllowed = CloseCode(rawValue: 4403)
  package static let tooSlow = CloseCode(rawValue: 4408)
  package static let gap = CloseCode(rawValue: 4410)
  package static let tooMany = CloseCode(rawValue: 4429)

  /// Whether the code may stand in a close frame. 1004, 1005, 1006 and 1015 are reserved for local use; 1012 to 1014
  /// were registered after the RFC; 3000 to 4999 belong to libraries and applications.
  package var mayBeSent: Bool {
    switch rawValue {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}

/// How a socket ended, as its delegate is told.
package struct SocketClosure: Hashable, Sendable {
  package enum Origin: Hashable, Sendable {
    /// The peer sent a close frame.
    case peer
    /// We closed: on request, for a protocol failure, for silence or for shutdown.
    case server
    /// The connection broke, or ended without a close frame.
    case network
  }

  package let origin: Origin
  package let code: CloseCode
  package let reason: String

  package init(origin: Origin, code: CloseCode, reason: String) {
    self.origin = origin
    self.code = code
    self.reason = reason
  }
}
