import Domain
import NIOCore
import Synchronization

/// An event of the log as its readers get it: encoded once, the same bytes for all.
final class FeedItem: Sendable {
  let event: EventRecord
  let cursor: Cursor
  private let encoded = Mutex<Encoded?>(nil)
  private let compressed = Mutex<ByteBuffer?>(nil)

  private struct Encoded {
    let frame: ByteBuffer
    /// These two share the frame's storage.
    let message: ByteBuffer
    let cloudEvent: ByteBuffer
  }

  /// - Parameter isWanted: whether somebody waits for it: then it is encoded here, and not on a reader's event loop.
  init(_ event: EventRecord, epoch: UInt64, isWanted: Bool) {
    self.event = event
    cursor = Cursor(epoch: epoch, seq: event.seq, chain: event.chain)
    if isWanted { _ = bytes.frame }
  }

  /// The whole WebSocket frame.
  var frame: ByteBuffer { bytes.frame }
  /// The CloudEvent inside the frame (the same storage): what Server-Sent Events carry.
  var cloudEvent: ByteBuffer { bytes.cloudEvent }

  /// The frame for sockets with permessage-deflate: compressed at most once, for all of them.
  var deflatedFrame: ByteBuffer {
    compressed.withLock { compressed in
      if let compressed { return compressed }
      let plain = bytes
      let packed = Deflater.shared.compress(plain.message)
      let frame = packed.map { FrameEncoder.frame(.text, $0, isCompressed: true) } ?? plain.frame
      compressed = frame
      return frame
    }
  }

  private var bytes: Encoded {
    encoded.withLock { encoded in
      if let encoded { return encoded }
      let body = event.cloudEvent
      let message = "{\"kind\":\"event\",\"cursor\":\"\(cursor.text)\",\"event\":\(body)}"
      let frame = FrameEncoder.text(message)
      let (end, length, inner) = (frame.writerIndex, message.utf8.count, body.utf8.count)
      let made = Encoded(
        frame: frame, message: frame.getSlice(at: end - length, length: length) ?? ByteBuffer(string: message),
        cloudEvent: frame.getSlice(at: end - 1 - inner, length: inner) ?? ByteBuffer(string: body))
      encoded = made
      return made
    }
  }
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
