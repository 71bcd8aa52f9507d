import Domain
import NIOCore
import Synchronization

/// Stretches of the log as Server-Sent Events: what many streams ask for alike is decided and written once. The newest
/// are kept, since streams come by one after the other.
final class StreamPages: Sendable {
  struct Page {
    /// Nil when nothing matched.
    let bytes: ByteBuffer?
    let count: Int
  }

  private struct Place: Hashable {
    let key: FeedLensKey
    let after: Int64
    let through: Cursor
  }

  private struct State {
    var pages: [Place: Page] = [:]
    /// In the order in which they came; from `oldest` on they are replaced.
    var places: [Place] = []
    var oldest = 0

    mutating func put(_ page: Page, at place: Place) {
      guard pages.updateValue(page, forKey: place) == nil else { return }
      guard places.count >= Limits.streamPages else { return places.append(place) }
      pages[places[oldest]] = nil
      places[oldest] = place
      oldest = (oldest + 1) % places.count
    }
  }

  private let state = Mutex(State())

  /// - Parameters:
  ///   - items: what stands behind the position `after`.
  ///   - through: the last of them.
  func page(_ items: [FeedItem], after: Int64, through: Cursor, for key: FeedLensKey) -> Page {
    let place = Place(key: key, after: after, through: through)
    if let page = state.withLock({ $0.pages[place] }) { return page }
    let matching = items.filter { key.passes($0.event) }
    let page = Page(bytes: matching.isEmpty ? nil : Self.events(matching), count: matching.count)
    state.withLock { $0.put(page, at: place) }
    return page
  }

  private static func events(_ items: [FeedItem]) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.reserveCapacity(items.reduce(0) { $0 + $1.frame.readableBytes + 32 })
    for item in items {
      buffer.writeStaticString("id: ")
      buffer.writeImmutableBuffer(item.cursorText)
      buffer.writeStaticString("\ndata: ")
      buffer.writeImmutableBuffer(item.cloudEvent)
      buffer.writeStaticString("\n\n")
    }
    return buffer
  }
}
