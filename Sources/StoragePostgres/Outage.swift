import Coordinator
import Logging
import Synchronization

/// What all connections know of a database that cannot be reached: one look is enough for all who wait, and the next
/// comes after a while.
final class Outage: Sendable {
  private struct State {
    var failure: StoreFailure
    var until: ContinuousClock.Instant
    var tries: Int
  }

  private let state = Mutex<State?>(nil)
  /// When somebody last came through.
  private let lastEnd = Mutex(ContinuousClock.now)
  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  /// Throws while it is too early to look again.
  func check() throws {
    if let known = state.withLock({ $0.flatMap { $0.until > .now ? $0.failure : nil } }) { throw known }
  }

  /// Whether somebody came through since then: what failed meanwhile is worth another try.
  func hasEnded(since begun: ContinuousClock.Instant) -> Bool { lastEnd.withLock { $0 > begun } }

  func end() {
    lastEnd.withLock { $0 = .now }
    let was = state.withLock { state in
      defer { state = nil }
      return state
    }
    if was != nil { logger.notice("the database is back") }
  }

  func note(_ error: any Error) -> StoreFailure {
    let failure = StoreFailure("the database cannot be reached: \(error)", .unreachable)
    let tries = state.withLock { state in
      let tries = (state?.tries ?? 0) + 1
      state = State(failure: failure, until: .now + .seconds(Self.pause(tries)), tries: tries)
      return tries
    }
    if tries == 1 { logger.error("the database cannot be reached", metadata: ["error": "\(error)"]) }
    return failure
  }

  /// Seconds until the next try: a second at most, and by chance, so that nodes do not come all at once.
  static func pause(_ tries: Int) -> Double { Double.random(in: 0.5...1) * min(1, 0.05 * Double(1 << min(tries, 6))) }
}
