/// Why a subscriber ended, or was refused: the label `reason` of the metric, and a word of the administrator's page.
enum FeedEnd: String, CaseIterable, Sendable {
  /// The client closed it.
  case left
  /// The connection broke, or showed no sign of life.
  case lost
  case signedOut, notAllowed
  /// It took nothing for too long, or held more than a socket may.
  case tooSlow
  /// Its position can't be served.
  case gap
  /// Too many follow already, or it sent messages that nobody wants.
  case tooMany
  /// The server stopped, or the log was rewound.
  case goingAway
  /// It broke the protocol.
  case badProtocol
  /// The log could not be read.
  case failed

  init(_ closure: SocketClosure) {
    switch closure.origin {
    case .peer: self = .left
    case .network: self = .lost
    case .server: self.init(closure.code)
    }
  }

  /// For what this server closed.
  init(_ code: CloseCode) {
    switch code {
    case .signInEnded: self = .signedOut
    case .notAllowed: self = .notAllowed
    case .tooSlow: self = .tooSlow
    case .gap: self = .gap
    case .tooMany: self = .tooMany
    case .goingAway: self = .goingAway
    case .internalError: self = .failed
    default: self = .badProtocol
    }
  }
}
