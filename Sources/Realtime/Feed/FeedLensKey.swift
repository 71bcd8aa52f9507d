import Domain
import Synchronization

/// What a reader asked for and may see. All who ask the same with the same grants have the same one (`FeedLensKeys`): a
/// province's facilities are hundreds of texts, and comparing them for every page would cost more than the page.
final class FeedLensKey: Sendable {
  let filter: EventFilter
  let visibility: Visibility

  fileprivate init(_ filter: EventFilter, _ visibility: Visibility) {
    self.filter = filter
    self.visibility = visibility
  }

  func passes(_ event: EventRecord) -> Bool {
    visibility.sees(event)
      && filter.matches(
        type: event.type, facilities: event.facilities, specialty: event.specialty, subject: event.subject)
  }

  func passes(_ event: VolatileEvent) -> Bool {
    visibility.sees(event)
      && filter.matches(
        type: event.type.rawValue, facilities: event.facilities, specialty: event.specialty?.rawValue,
        subject: event.subject)
  }
}

extension FeedLensKey: Hashable {
  static func == (left: FeedLensKey, right: FeedLensKey) -> Bool { left === right }

  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// Those that somebody holds, each of them once.
final class FeedLensKeys: Sendable {
  private struct Wish: Hashable {
    let filter: EventFilter
    let visibility: Visibility
  }

  private struct Held {
    weak var key: FeedLensKey?
  }

  private struct State {
    var keys: [Wish: Held] = [:]
    /// At so many it is looked which are held no more.
    var crowded = 64
  }

  private let state = Mutex(State())

  func key(_ filter: EventFilter, _ visibility: Visibility) -> FeedLensKey {
    let wish = Wish(filter: filter, visibility: visibility)
    return state.withLock { state in
      if let key = state.keys[wish]?.key { return key }
      if state.keys.count >= state.crowded {
        state.keys = state.keys.filter { $0.value.key != nil }
        state.crowded = max(64, 2 * state.keys.count)
      }
      let key = FeedLensKey(filter, visibility)
      state.keys[wish] = Held(key: key)
      return key
    }
  }
}
