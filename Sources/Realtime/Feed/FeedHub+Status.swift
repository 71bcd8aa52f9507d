package import Coordinator
import Domain

/// For an administrator who wants to know how the feed is doing.
extension FeedHub {
  /// The feed of this node now, and what it has done since it started. How many are behind is looked at every few
  /// seconds, as their event loops come by.
  package func status() -> Answer {
    func number(_ value: Int) -> JSON { .int(Int64(value)) }
    let (open, behind, size) = (metrics.open, metrics.behind, ring.size)
    let subscribers: JSON = [
      "sockets": number(open.sockets), "streams": number(open.streams), "waiting": number(waits.waiting),
    ]
    let late: JSON = ["subscribers": number(behind.subscribers), "events": .int(behind.events)]
    let held: JSON = [
      "events": number(size.events), "bytes": number(size.bytes), "maxBytes": number(ring.memory),
      "since": .orNull(size.since),
    ]
    let unread: JSON = ["bytes": number(backlog.bytes), "maxBytes": number(backlog.limit)]
    let ends = metrics.endCounts.map { ($0.reason.rawValue, number($0.count)) }
    return .ok([
      "startedAt": .instant(startedAt), "subscribers": subscribers,
      "lagMilliseconds": metrics.lag.map { JSON.int($0) } ?? JSON.null, "behind": late, "ring": held, "backlog": unread,
      "deliveries": number(metrics.deliveries.value), "encodes": number(metrics.encodes.value),
      "deflates": number(metrics.deflates.value), "pagesRead": number(metrics.replays.value),
      "ends": .object(JSON.Members(ends)),
    ])
  }
}
