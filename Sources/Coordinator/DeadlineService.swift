package import Domain
package import Logging
import ServiceLifecycle

/// Fires deadlines. They are rows, so a restart loses none; each is fired in the transaction that removes it, so
/// none fires twice.
package struct DeadlineService: Service, CustomStringConvertible {
  /// What the log of services shows, instead of every member.
  package var description: String { "DeadlineService" }

  private let coordinator: Coordinator
  private let logger: Logger

  package init(coordinator: Coordinator, logger: Logger) {
    self.coordinator = coordinator
    self.logger = logger
  }

  package func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          let more = try await coordinator.fireDue() == Limits.deadlinesPerPass
          if more { continue }
        } catch {
          logger.error("deadlines could not be fired; trying again", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: .milliseconds(500))
      }
    }
  }
}

extension Coordinator {
  /// One pass: fires what is due now; returns how many.
  package func fireDue() async throws -> Int {
    let now = now()
    let due = try await store.read { try $0.dueDeadlines(now: now, limit: Limits.deadlinesPerPass) }
    var fired = 0
    for deadline in due {
      do {
        try await fire(deadline, now: now)
        fired += 1
      } catch {
        // One that cannot be fired must not keep the others waiting: somebody's call for help may be behind it.
        logger.error(
          "a deadline could not be fired; trying again",
          metadata: ["kind": "\(deadline.kind.rawValue)", "subject": "\(deadline.subject)", "error": "\(error)"])
      }
    }
    return fired
  }

  private func fire(_ deadline: Deadline, now: Instant) async throws {
    let secrets = secrets
    try await store.write { tx in
      guard try tx.takeDeadline(deadline, now: now) else { return }
      switch deadline.kind {
      case .consultOverdue:
        guard var consult = try tx.consult(deadline.subject), !consult.overdue else { return }
        try Self.escalate(tx, &consult, now: now)
      case .tripStale:
        guard let trip = try tx.trip(deadline.subject), trip.machine.isUnderWay else { return }
        // A position may have come between reading the deadline and this transaction.
        if let position = trip.position, now - position.at < Position.staleAfter {
          return try tx.setDeadline(.tripStale, subject: trip.id, at: position.at + Position.staleAfter)
        }
        try tx.append(trip.event(.tripStale, by: nil) { $0.at = trip.position?.at }, at: now)
      case .housekeeping:
        try tx.removeEnded(now: now)
        try tx.setDeadline(deadline.kind, subject: deadline.subject, at: now + .minutes(5))
      case .seal:
        try tx.sealHeads(secrets, at: now)
        try tx.setDeadline(deadline.kind, subject: deadline.subject, at: now + .hours(1))
      }
    }
  }
}

extension EventStore where Self: MetaStore {
  /// Seals both chains' heads with the deployment's key.
  package func sealHeads(_ secrets: Secrets, at now: Instant) throws {
    let event = try event(seq: try logBounds().head.seq).map { (seq: $0.seq, chain: $0.chain) }
    for (log, head) in [(ChainedLog.events, event), (.access, try accessLogHead())] {
      guard let head else { continue }
      let hmac = secrets.anchor(log, seq: head.seq, chain: head.chain)
      try seal(Anchor(log: log, seq: head.seq, chain: head.chain, sealedAt: now, hmac: hmac))
    }
  }
}
