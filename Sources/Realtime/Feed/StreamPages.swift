import Domain
import NIOCore
import Synchronization

/// Stretches of the log as Server-Sent Events: what many streams ask for alike is decided and written once.
final class StreamPages: Sendable {
  struct Page {
    let after: Int64
    let through: Cursor?
    /// Nil when nothing matched.
    let bytes: ByteBuffer?
    let count: Int
  }

  private let latest = Mutex<[FeedLensKey: Page]>([:])

  /// - Parameter items: what stands behind the position `after`.
  func page(_ items: [FeedItem], after: Int64, for key: FeedLensKey) -> Page {
    let through = items.last?.cursor
    if let page = latest.withLock({ $0[key] }), page.after == after, page.through == through { return page }
    let matching = items.filter { key.passes($0.event) }
    let bytes = matching.isEmpty ? nil : Self.events(matching)
    let page = Page(after: after, through: through, bytes: bytes, count: matching.count)
    latest.withLock { latest in
      if latest.count >= Limits.streamPages { latest.removeAll() }
      latest[key] = page
    }
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
