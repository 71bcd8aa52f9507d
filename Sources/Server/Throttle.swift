package import NIOCore
import Synchronization

/// Token buckets in bounded memory.
///
/// Two generations: when the young one is full it becomes the old one, and what was in the old one and has not been
/// asked for since is forgotten. To forget is to refill, so a flood of made-up keys can at most be kind to an old one.
package final class Throttle<Key: Hashable & Sendable>: Sendable {
  private struct Bucket {
    var tokens: Double
    var at: NIODeadline
  }

  private struct Generations {
    var young: [Key: Bucket] = [:]
    var old: [Key: Bucket] = [:]
  }

  private let rate: ServerSettings.Rate?
  private let entries: Int
  private let state = Mutex(Generations())

  /// - Parameter entries: how many keys are kept at most.
  package init(_ rate: ServerSettings.Rate?, entries: Int) {
    self.rate = rate
    self.entries = max(2, entries)
  }

  /// Takes a token.
  /// - Returns: nil, or the seconds after which there will be one.
  package func take(_ key: Key, now: NIODeadline = .now()) -> Int64? { use(key, now: now, taking: 1) }

  /// Whether there is a token, without taking it.
  /// - Returns: nil, or the seconds after which there will be one.
  package func wait(_ key: Key, now: NIODeadline = .now()) -> Int64? { use(key, now: now, taking: 0) }

  /// How many keys are kept now.
  package var count: Int { state.withLock { $0.young.count + $0.old.count } }

  private func use(_ key: Key, now: NIODeadline, taking amount: Double) -> Int64? {
    guard let rate else { return nil }
    return state.withLock { state in
      var bucket = state.young[key] ?? state.old.removeValue(forKey: key) ?? Bucket(tokens: rate.burst, at: now)
      if now > bucket.at {
        let seconds = Double((now - bucket.at).nanoseconds) / 1e9
        bucket.tokens = min(rate.burst, bucket.tokens + seconds * rate.perSecond)
        bucket.at = now
      }
      let enough = bucket.tokens >= 1
      if enough { bucket.tokens -= amount }
      if state.young.count >= entries / 2, state.young[key] == nil {
        state.old = state.young
        state.young = [:]
      }
      state.young[key] = bucket
      guard !enough else { return nil }
      return max(1, Int64(((1 - bucket.tokens) / rate.perSecond).rounded(.up)))
    }
  }
}
