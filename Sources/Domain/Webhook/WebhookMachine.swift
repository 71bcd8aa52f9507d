/// Why a receiver did not take an event: short and stable, for the page and for programs.
package enum WebhookFailure: String, Error, Sendable, CaseIterable {
  /// Its name has no address.
  case unresolved
  /// None of its addresses may be connected to.
  case addressRefused = "address-refused"
  case unreachable
  /// Its certificate is not good for its name, or the handshake failed.
  case tls
  case timeout
  /// The connection ended before an answer came.
  case closed
  case notHTTP = "not-http"
  /// It answered with another status than 2xx.
  case status
}

/// A webhook's deliveries as a value: where they stand in the log, and what happens when the receiver does not take
/// what it is sent. Retries come after 5 seconds, then twice as long each time up to an hour, for 24 hours; then, and
/// whenever waiting cannot help, the webhook is paused until somebody resumes it.
package struct WebhookMachine: Sendable, Equatable {
  package static let firstDelay = Span.seconds(5)
  package static let longestDelay = Span.hours(1)
  package static let patience = Span.hours(24)

  package enum State: String, Sendable, CaseIterable { case active, paused }

  /// Why it is paused.
  package enum Pause: String, Sendable, CaseIterable {
    /// An administrator did it.
    case stopped
    /// Nothing was taken for 24 hours.
    case failing
    /// The receiver answered 410: it wants no more.
    case gone
    /// The log cannot be served from where it stands (`CursorGap`).
    case epochChanged = "epoch-changed"
    case tooOld = "too-old"
    case ahead
    /// Its secret was sealed with another deployment's key.
    case secretUnreadable = "secret-unreadable"
  }

  /// Nil: it is active.
  package private(set) var pause: Pause?
  /// Everything up to here was taken, or is not for it.
  package private(set) var cursor: Cursor
  /// The first of the attempts that failed one after another.
  package private(set) var failingSince: Instant?
  /// How many those were.
  package private(set) var attempts: Int64
  /// Before this nothing is sent; nil: as soon as there is something.
  package private(set) var nextAttemptAt: Instant?
  package private(set) var lastAttemptAt: Instant?
  package private(set) var lastDeliveredAt: Instant?
  package private(set) var lastStatus: Int64?
  package private(set) var lastError: WebhookFailure?

  package init(
    cursor: Cursor, pause: Pause? = nil, failingSince: Instant? = nil, attempts: Int64 = 0,
    nextAttemptAt: Instant? = nil, lastAttemptAt: Instant? = nil, lastDeliveredAt: Instant? = nil,
    lastStatus: Int64? = nil, lastError: WebhookFailure? = nil
  ) {
    self.cursor = cursor
    self.pause = pause
    self.failingSince = failingSince
    self.attempts = attempts
    self.nextAttemptAt = nextAttemptAt
    self.lastAttemptAt = lastAttemptAt
    self.lastDeliveredAt = lastDeliveredAt
    self.lastStatus = lastStatus
    self.lastError = lastError
  }

  package var state: State { pause == nil ? .active : .paused }

  /// Whether something may be sent now.
  package func isDue(at now: Instant) -> Bool { pause == nil && (nextAttemptAt.map { $0 <= now } ?? true) }

  /// The receiver took the event that stands before this position.
  package mutating func delivered(to cursor: Cursor, status: Int64, at now: Instant) {
    self.cursor = cursor
    lastAttemptAt = now
    lastDeliveredAt = now
    lastStatus = status
    lastError = nil
    forgive()
  }

  /// What stands before this position is not for the receiver.
  package mutating func passedOver(to cursor: Cursor) { self.cursor = cursor }

  /// The event behind the position was not taken.
  /// - Parameters:
  ///   - status: what the receiver answered, if it did.
  ///   - chance: from 0 to 1, shortens the wait, so that what failed together is not tried again together.
  package mutating func failed(
    _ failure: WebhookFailure, status: Int64? = nil, at now: Instant, chance: Double
  ) {
    lastAttemptAt = now
    lastStatus = status
    lastError = failure
    attempts += 1
    let since = failingSince ?? now
    failingSince = since
    if status == 410 { return stop(.gone) }
    let end = since + Self.patience
    guard now < end else { return stop(.failing) }
    // The last attempt comes when the time is over, and not up to an hour earlier.
    nextAttemptAt = min(now + Self.delay(after: attempts, chance: chance), end)
  }

  /// How long to wait after so many failures.
  static func delay(after failures: Int64, chance: Double) -> Span {
    let doubled = firstDelay.milliseconds << min(max(failures - 1, 0), 10)
    let whole = min(doubled, longestDelay.milliseconds)
    let shortened = whole - Int64(Double(whole) * chance / 4)
    return Span(milliseconds: max(shortened, firstDelay.milliseconds))
  }

  /// Its position cannot be served.
  package mutating func lost(_ gap: CursorGap) {
    switch gap {
    case .epochChanged: stop(.epochChanged)
    case .tooOld: stop(.tooOld)
    case .ahead: stop(.ahead)
    }
  }

  /// Nothing is sent any more; the first reason stays.
  package mutating func stop(_ reason: Pause) {
    nextAttemptAt = nil
    if pause == nil { pause = reason }
  }

  /// Sends at once what waits, from this position or from where it stood.
  package mutating func resume(at cursor: Cursor? = nil) {
    pause = nil
    if let cursor { self.cursor = cursor }
    forgive()
  }

  private mutating func forgive() {
    failingSince = nil
    nextAttemptAt = nil
    attempts = 0
  }
}
