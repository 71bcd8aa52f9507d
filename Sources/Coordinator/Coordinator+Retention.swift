package import Domain
package import Logging
import ServiceLifecycle

extension Coordinator {
  /// Takes the oldest events out of the log, as many as one short transaction carries to the archive.
  /// - Returns: how many, and the number of the last of them; nil when nothing is beyond what is kept.
  package func cutLog(_ retention: EventRetention) async throws -> (count: Int, through: Int64)? {
    let now = now()
    // Most looks find nothing, and then cost the writer nothing.
    guard try await store.read({ try Self.cut(retention, $0, now: now) }) != nil else { return nil }
    return try await store.write { tx in
      guard let seq = try Self.cut(retention, tx, now: now) else { return nil }
      return (count: try tx.archiveEvents(through: seq), through: seq)
    }
  }

  private static func cut(_ retention: EventRetention, _ tx: any StoreTransaction, now: Instant) throws -> Int64? {
    let bounds = try tx.logBounds()
    let oldest = try tx.events(after: bounds.oldest.seq, limit: Limits.archivedBatch)
    return retention.cut(oldest, head: bounds.head.seq, now: now)
  }
}

/// Keeps the log that the feed offers within its bounds. Each node looks; of two that find the same, one does it.
package struct RetentionService: Service, CustomStringConvertible {
  /// What the log of services shows, instead of every member.
  package var description: String { "RetentionService" }

  private static let interval = Duration.seconds(60)
  /// Between two transactions: bookings go before.
  private static let pause = Duration.milliseconds(50)

  private let coordinator: Coordinator
  private let retention: EventRetention
  private let logger: Logger

  package init(coordinator: Coordinator, retention: EventRetention, logger: Logger) {
    self.coordinator = coordinator
    self.retention = retention
    self.logger = logger
  }

  package func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        await cut()
        try? await Task.sleep(for: Self.interval)
      }
    }
  }

  private func cut() async {
    var (count, through) = (0, Int64(0))
    do {
      while !Task.isCancelled, let batch = try await coordinator.cutLog(retention) {
        count += batch.count
        through = batch.through
        try? await Task.sleep(for: Self.pause)
      }
    } catch {
      logger.error("old events could not be archived; trying again", metadata: ["error": "\(error)"])
    }
    guard count > 0 else { return }
    logger.info("old events were archived", metadata: ["events": "\(count)", "through": "\(through)"])
  }
}
