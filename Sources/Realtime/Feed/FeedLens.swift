import Domain
import NIOCore

/// All readers of one event loop that see the same: an event is decided and joined to its page once for all of them.
final class FeedLens {
  /// The matching frames of a stretch of the log, in one buffer for each way of writing them.
  final class Page {
    let after: Int64
    let through: Cursor
    private let items: [FeedItem]
    fileprivate lazy var plain = FeedLens.join(items.map(\.frame))
    fileprivate lazy var deflated = FeedLens.join(items.map(\.deflatedFrame))

    init(_ items: [FeedItem], after: Int64, through: Cursor) {
      self.items = items
      self.after = after
      self.through = through
    }

    var count: Int { items.count }

    /// Nil when nothing matched.
    func bytes(for reader: FeedReader) -> ByteBuffer? { reader.isDeflated ? deflated : plain }
  }

  let key: FeedLensKey
  /// Readers that stand where the loop stands, and whose channels take more.
  private(set) var live: [FeedReader] = []
  /// Theirs, in the same order. With thousands of readers a delivery waits for memory most of the time: so it touches
  /// this and the handler, and nothing else of ours.
  private var outlets: [Outlet] = []
  /// When they were last written to.
  private(set) var toldAt = NIODeadline.uptimeNanoseconds(0)
  /// Readers with a position of their own.
  private(set) var behind: [ObjectIdentifier: FeedReader] = [:]
  /// Many who come back after a lost link ask for the same stretch: it is joined once.
  private var last: Page?

  init(_ key: FeedLensKey) {
    self.key = key
  }

  var isEmpty: Bool { live.isEmpty && behind.isEmpty }

  func page(_ items: [FeedItem], after: Int64) -> Page? {
    guard let through = items.last?.cursor else { return nil }
    if let last, last.after == after, last.through == through { return last }
    let matching = items.filter { key.passes($0.event) }
    let page = Page(matching, after: after, through: through)
    last = page
    return page
  }

  /// One buffer costs one write; a single frame is shared as it is.
  static func join(_ frames: [ByteBuffer]) -> ByteBuffer? {
    guard var joined = frames.first else { return nil }
    guard frames.count > 1 else { return joined }
    joined = ByteBuffer()
    joined.reserveCapacity(frames.reduce(0) { $0 + $1.readableBytes })
    for frame in frames { joined.writeImmutableBuffer(frame) }
    return joined
  }

  /// Writes a page to all who are live.
  /// - Returns: how many got it.
  func deliver(_ page: Page, at now: NIODeadline) -> Int {
    toldAt = now
    var count = 0
    // As they are now: whose channel is full by this is no longer live behind it.
    for outlet in outlets {
      guard let bytes = outlet.isDeflated ? page.deflated : page.plain, outlet.handler.deliver(bytes) else { continue }
      count += 1
    }
    return count
  }

  // MARK: Who stands where

  private struct Outlet {
    let handler: WebSocketHandler
    let isDeflated: Bool
  }

  func addLive(_ reader: FeedReader, _ handler: WebSocketHandler) {
    behind[ObjectIdentifier(reader)] = nil
    reader.liveIndex = live.count
    live.append(reader)
    outlets.append(Outlet(handler: handler, isDeflated: reader.isDeflated))
  }

  func addBehind(_ reader: FeedReader) {
    removeLive(reader)
    behind[ObjectIdentifier(reader)] = reader
  }

  func remove(_ reader: FeedReader) {
    removeLive(reader)
    behind[ObjectIdentifier(reader)] = nil
  }

  private func removeLive(_ reader: FeedReader) {
    guard let index = reader.liveIndex else { return }
    reader.liveIndex = nil
    let (moved, outlet) = (live.removeLast(), outlets.removeLast())
    guard moved !== reader else { return }
    live[index] = moved
    outlets[index] = outlet
    moved.liveIndex = index
  }
}
