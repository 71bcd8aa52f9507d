package import NIOCore

/// How a subscriber wants positions and presence: the latest values that nobody has to get.
package struct FeedVolatility: Hashable, Sendable {
  package enum Mode: String, Sendable, CaseIterable {
    /// None.
    case off
    /// Of each subject the newest; what came between may be passed over.
    case latest
    /// Every one, for as long as the subscriber keeps up; then the newest of each subject.
    case all
  }

  /// How often a second something volatile may be asked for.
  package static let rates = 0.05...20.0

  package let mode: Mode
  /// The least time between two of them; zero: as often as they come.
  package let interval: TimeAmount

  /// - Parameter maxRate: how often a second at most, within `rates`; nil: as often as they come.
  package init(_ mode: Mode = .latest, maxRate: Double? = nil) {
    self.mode = mode
    interval = maxRate.map { .nanoseconds(Int64(1e9 / $0)) } ?? .zero
  }
}

/// Some positions and presences as the readers of one lens get them: joined once for all who get the same.
final class VolatileBatch {
  private let items: [VolatileItem]
  /// Of each subject the newest, in the order in which the subjects came.
  private(set) lazy var newest = LatestValues(items).values
  private lazy var allJoined = FeedLens.join(items.map(\.frame))
  private lazy var newestJoined = FeedLens.join(newest.map(\.frame))

  init(_ items: [VolatileItem]) { self.items = items }

  func bytes(for mode: FeedVolatility.Mode) -> ByteBuffer? {
    switch mode {
    case .off: nil
    case .latest: newestJoined
    case .all: allJoined
    }
  }
}

/// A reader's own: what it was not sent yet, and until when. Bounded by the number of subjects.
struct VolatileDesk {
  let wish: FeedVolatility
  private var kept = LatestValues()
  /// When it may be sent more.
  private(set) var due = NIODeadline.uptimeNanoseconds(0)

  init(_ wish: FeedVolatility) { self.wish = wish }

  var isEmpty: Bool { kept.isEmpty }

  /// What is to be written of a batch now; what is not is kept, of each subject the newest.
  mutating func take(_ batch: VolatileBatch, isWritable: Bool, at now: NIODeadline) -> ByteBuffer? {
    guard wish.mode != .off else { return nil }
    guard isWritable, kept.isEmpty, now >= due else {
      for item in batch.newest { kept.put(item) }
      return nil
    }
    due = now + wish.interval
    return batch.bytes(for: wish.mode)
  }

  /// What was kept, if its time has come.
  mutating func takeKept(at now: NIODeadline) -> ByteBuffer? {
    guard !kept.isEmpty, now >= due else { return nil }
    due = now + wish.interval
    return FeedLens.join(kept.take().map(\.frame))
  }
}
