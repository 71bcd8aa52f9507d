import NIOCore

/// Whether a quiet peer is still there, as a value: no clock and no timer of its own, so that one timer a socket or a
/// wheel for all of a loop can drive it.
struct Liveness {
  enum Verdict: Equatable {
    /// Nothing to do; ask again then.
    case wait(until: NIODeadline)
    /// Send a ping; ask again then.
    case ping(next: NIODeadline)
    /// A ping stayed unanswered too long.
    case dead
  }

  private let quiet: TimeAmount
  private let timeout: TimeAmount
  private var lastSign: NIODeadline
  private var unansweredSince: NIODeadline?

  init(quiet: TimeAmount, timeout: TimeAmount, now: NIODeadline) {
    self.quiet = quiet
    self.timeout = timeout
    self.lastSign = now
  }

  /// The peer sent something, whatever it was.
  mutating func heard(at now: NIODeadline) {
    lastSign = now
    unansweredSince = nil
  }

  mutating func check(at now: NIODeadline) -> Verdict {
    if let unansweredSince, now >= unansweredSince + timeout { return .dead }
    guard now >= lastSign + quiet else { return .wait(until: lastSign + quiet) }
    // A further ping while one is unanswered keeps what stands between (proxies, address translators) open.
    lastSign = now
    let since = unansweredSince ?? now
    unansweredSince = since
    return .ping(next: min(now + quiet, since + timeout))
  }
}
