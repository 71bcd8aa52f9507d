import Coordinator
package import Domain
import Logging
import Synchronization

/// Ends sockets and streams whose sign-in has ended: at once when this node is told, within half a second when
/// another node or the command line ended it, and when its time is over.
package final class SessionWatch: Sendable {
  package struct Ticket: Sendable {
    fileprivate let session: String
    fileprivate let number: Int
  }

  private struct Watched {
    var expiresAt: Instant?
    var ends: [Int: @Sendable (String) -> Void] = [:]
  }

  private struct State {
    var sessions: [String: Watched] = [:]
    var count = 0
    /// Something was written, or watched, since the sessions were last looked up.
    var isStale = false
  }

  private static let interval = Duration.milliseconds(500)

  private let coordinator: Coordinator
  private let logger: Logger
  private let state = Mutex(State())

  init(_ coordinator: Coordinator, logger: Logger) {
    self.coordinator = coordinator
    self.logger = logger
  }

  /// `onEnd` is called once, from any thread, with the reason; not any more after `unwatch`.
  package func watch(_ caller: Caller, onEnd: @escaping @Sendable (String) -> Void) -> Ticket {
    state.withLock { state in
      state.count += 1
      state.sessions[caller.sessionId, default: Watched(expiresAt: caller.expiresAt)].ends[state.count] = onEnd
      // It may have ended between its check and now.
      state.isStale = true
      return Ticket(session: caller.sessionId, number: state.count)
    }
  }

  package func unwatch(_ ticket: Ticket) {
    state.withLock { state in
      state.sessions[ticket.session]?.ends[ticket.number] = nil
      if state.sessions[ticket.session]?.ends.isEmpty == true { state.sessions[ticket.session] = nil }
    }
  }

  /// The session ended, by sign-out here for one: its sockets close now.
  package func ended(_ session: String, reason: String = "signed out") {
    let watched = state.withLock { $0.sessions.removeValue(forKey: session) }
    for end in watched?.ends.values.map({ $0 }) ?? [] { end(reason) }
  }

  /// Sessions may have been revoked.
  func noteCommit() { state.withLock { $0.isStale = true } }

  func run() async {
    while !Task.isCancelled {
      do {
        try await pass()
      } catch {
        noteCommit()
        logger.error("sessions could not be looked up; trying again", metadata: ["error": "\(error)"])
      }
      try? await Task.sleep(for: Self.interval)
    }
  }

  /// One look at the clock and, if anything was written since the last, at the sessions.
  func pass() async throws {
    let now = coordinator.now()
    let (expired, asked) = state.withLock { state in
      let expired = state.sessions.filter { $0.value.expiresAt.map { $0 <= now } ?? false }.map(\.key)
      let asked = state.isStale ? Array(state.sessions.keys) : []
      state.isStale = false
      return (expired, asked)
    }
    for session in expired { ended(session, reason: "sign-in expired") }
    for start in stride(from: 0, to: asked.count, by: Limits.sessionsPerRead) {
      let part = Array(asked[start..<min(asked.count, start + Limits.sessionsPerRead)])
      let live = try await coordinator.liveSessions(part, at: now)
      for session in part where !live.contains(session) { ended(session, reason: "sign-in ended") }
    }
  }
}
