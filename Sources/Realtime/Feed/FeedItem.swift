import Domain
import NIOCore
import Synchronization

/// An event of the log as its readers get it: encoded once, the same bytes for all.
final class FeedItem: Sendable {
  let event: EventRecord
  let cursor: Cursor
  /// What it takes at most, in bytes: the event and both of its frames.
  let memory: Int
  private let metrics: FeedMetrics?
  private let encoded = Mutex<Encoded?>(nil)
  private let compressed = Mutex<ByteBuffer?>(nil)

  private struct Encoded {
    let frame: ByteBuffer
    /// These share the frame's storage.
    let message: ByteBuffer
    let cursor: ByteBuffer
    let cloudEvent: ByteBuffer

    init(_ event: EventRecord, _ position: Cursor) {
      let text = event.cloudEvent
      var whole = ByteBuffer()
      whole.reserveCapacity(text.utf8.count + FeedItem.frameText)
      whole.writeStaticString("{\"kind\":\"event\",\"cursor\":\"")
      let cursorAt = whole.writerIndex
      let cursorLength = whole.writeString(position.text)
      whole.writeStaticString("\",\"event\":")
      let eventAt = whole.writerIndex
      let eventLength = whole.writeString(text)
      whole.writeStaticString("}")
      frame = FrameEncoder.text(whole)
      message = frame.getSlice(at: frame.writerIndex - whole.readableBytes, length: whole.readableBytes) ?? whole
      cursor = message.getSlice(at: cursorAt, length: cursorLength) ?? ByteBuffer(string: position.text)
      cloudEvent = message.getSlice(at: eventAt, length: eventLength) ?? ByteBuffer(string: text)
    }
  }

  /// - Parameter isWanted: whether somebody waits for it: then it is encoded here, and not on a reader's event loop.
  init(_ event: EventRecord, epoch: UInt64, isWanted: Bool, metrics: FeedMetrics? = nil) {
    self.event = event
    self.metrics = metrics
    memory = Self.memory(of: event)
    cursor = Cursor(epoch: epoch, seq: event.seq, chain: event.chain)
    if isWanted { _ = bytes.frame }
  }

  /// The whole WebSocket frame.
  var frame: ByteBuffer { bytes.frame }
  /// The CloudEvent inside the frame (the same storage): what Server-Sent Events carry.
  var cloudEvent: ByteBuffer { bytes.cloudEvent }
  /// The cursor's text inside the frame: their `id:`.
  var cursorText: ByteBuffer { bytes.cursor }

  /// The frame for sockets with permessage-deflate: compressed at most once, for all of them.
  var deflatedFrame: ByteBuffer {
    compressed.withLock { compressed in
      if let compressed { return compressed }
      let plain = bytes
      metrics?.deflates.add()
      let packed = Deflater.shared.compress(plain.message)
      let frame = packed.map { FrameEncoder.frame(.text, $0, isCompressed: true) } ?? plain.frame
      compressed = frame
      return frame
    }
  }

  private var bytes: Encoded {
    encoded.withLock { encoded in
      if let encoded { return encoded }
      metrics?.encodes.add()
      let made = Encoded(event, cursor)
      encoded = made
      return made
    }
  }
}

/// What an item costs. It is encoded and compressed when a reader first needs that, on any thread, long after it came
/// into the ring: counting it then would let the ring grow past its bound before it is noticed, and would have to find
/// the item's ring. So the most that it can ever take is counted when it comes in. It is more than most take, never
/// less, and needs no account to be kept.
extension FeedItem {
  /// What is around an event's own texts in a frame, with the frame's head: 276 bytes at most.
  private static let frameText = 288
  /// The objects, the texts' and arrays' heads, the hash of the chain and the slot: what the heap rounds up to.
  private static let record = 1_024

  /// The smallest that one can be.
  static let leastMemory = record + 2 * block(frameText)

  private static func memory(of event: EventRecord) -> Int {
    let shown =
      event.id.utf8.count + event.type.utf8.count + event.subject.utf8.count + event.data.utf8.count
      + (event.facilities.first?.utf8.count ?? 0)
    // The compressed frame is never longer than the plain one.
    return record + shown + event.actor.utf8.count + 2 * block(frameText + shown)
  }

  /// What a buffer of so many bytes takes: they come in powers of two.
  private static func block(_ bytes: Int) -> Int { 1 << (Int.bitWidth - (bytes - 1).leadingZeroBitCount) }
}

/// A position or presence: encoded once, kept by nobody.
final class VolatileItem: Sendable {
  /// What a newer value replaces.
  struct Key: Hashable, Sendable {
    let type: VolatileType
    let subject: String
  }

  let event: VolatileEvent
  let frame: ByteBuffer

  init(_ event: VolatileEvent) {
    self.event = event
    frame = FrameEncoder.text("{\"kind\":\"volatile\",\"event\":\(event.cloudEvent)}")
  }

  var key: Key { Key(type: event.type, subject: event.subject) }
}

/// The latest value of each subject, in the order in which the subjects came; bounded, since nobody has to get one.
struct LatestValues {
  private var order: [VolatileItem.Key] = []
  private var latest: [VolatileItem.Key: VolatileItem] = [:]

  init(_ items: [VolatileItem] = []) { for item in items { put(item) } }

  var isEmpty: Bool { order.isEmpty }
  var values: [VolatileItem] { order.compactMap { latest[$0] } }

  mutating func put(_ item: VolatileItem) {
    if latest[item.key] == nil {
      guard order.count < Limits.volatileSubjects else { return }
      order.append(item.key)
    }
    latest[item.key] = item
  }

  mutating func take() -> [VolatileItem] {
    defer { self = LatestValues() }
    return values
  }
}

/// The frames that are not events (CONTRACT "Events", Socket).
enum FeedFrames {
  static func ready(_ cursor: Cursor, _ bounds: LogBounds) -> ByteBuffer {
    frame([
      "kind": "ready", "cursor": .string(cursor.text), "oldest": .string(bounds.oldest.text),
      "head": .string(bounds.head.text),
    ])
  }

  static func gap(_ gap: CursorGap, _ bounds: LogBounds) -> ByteBuffer {
    frame([
      "kind": "gap", "reason": .string(gap.rawValue), "oldest": .string(bounds.oldest.text),
      "head": .string(bounds.head.text),
    ])
  }

  static func bookmark(_ cursor: Cursor) -> ByteBuffer {
    frame(["kind": "bookmark", "cursor": .string(cursor.text)])
  }

  private static func frame(_ json: JSON) -> ByteBuffer { FrameEncoder.text(ByteBuffer(bytes: json.bytes)) }
}
