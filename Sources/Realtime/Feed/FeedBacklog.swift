import Domain
import Synchronization

/// What the feed of a node may hold in memory, in bytes.
package struct FeedMemory: Sendable {
  /// The newest events, for everybody.
  package var ring: Int
  /// What waits for subscribers who do not read.
  package var backlog: Int

  package init(ring: Int = Limits.feedMemory, backlog: Int = Limits.feedBacklog) {
    self.ring = ring
    self.backlog = backlog
  }
}

/// What waits in the channels of subscribers who do not read: each is counted as if it shared its bytes with nobody, so
/// that what is held is never more. While it is more than may be, those who have taken nothing for longest are closed.
final class FeedBacklog: Sendable {
  let limit: Int
  private let total = Atomic<Int>(0)

  init(limit: Int) { self.limit = limit }

  var bytes: Int { total.load(ordering: .relaxed) }
  var isOver: Bool { bytes > limit }

  func add(_ bytes: Int) { total.wrappingAdd(bytes, ordering: .relaxed) }
  func remove(_ bytes: Int) { total.wrappingSubtract(bytes, ordering: .relaxed) }
}
