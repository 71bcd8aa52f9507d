/// How much of the log the feed offers. What is older goes to the archive, which the audit keeps.
package struct EventRetention: Sendable, Equatable {
  /// Events of this age are not offered any more; nil keeps them at any age.
  package var age: Span?
  /// So many are offered at most; nil keeps any number.
  package var count: Int64?

  package init(age: Span? = nil, count: Int64? = nil) {
    self.age = age
    self.count = count
  }

  /// The number up to which events may go; nil when none may. What stands before one that may go goes with it: a few
  /// times that a wrong clock set in the future hold nothing up.
  /// - Parameters:
  ///   - oldest: the oldest events that are offered, in their order.
  ///   - head: the number of the newest. It stays always, since the next one is chained to it.
  package func cut(_ oldest: some Sequence<EventRecord>, head: Int64, now: Instant) -> Int64? {
    var last: Int64?
    for event in oldest where event.seq < head {
      let isTooOld = age.map { now - event.time >= $0 } ?? false
      let isTooMany = count.map { head - event.seq >= $0 } ?? false
      if isTooOld || isTooMany { last = event.seq }
    }
    return last
  }
}
