import Domain
import NIOCore
import Synchronization

/// An event of the log as its readers get it: encoded once, the same bytes for all.
final class FeedItem: Sendable {
  let event: EventRecord
  let cursor: Cursor
  private let encoded = Mutex<(frame: ByteBuffer, cloudEvent: ByteBuffer)?>(nil)

  /// - Parameter isWanted: whether somebody waits for it: then it is encoded here, and not on a reader's event loop.
  init(_ event: EventRecord, epoch: UInt64, isWanted: Bool) {
    self.event = event
    cursor = Cursor(epoch: epoch, seq: event.seq, chain: event.chain)
    if isWanted { _ = bytes }
  }

  /// The whole WebSocket frame.
  var frame: ByteBuffer { bytes.frame }
  /// The CloudEvent inside the frame (the same storage): what Server-Sent Events carry.
  var cloudEvent: ByteBuffer { bytes.cloudEvent }

  private var bytes: (frame: ByteBuffer, cloudEvent: ByteBuffer) {
    encoded.withLock { encoded in
      if let encoded { return encoded }
      let body = event.cloudEvent
      let frame = FrameEncoder.text("{\"kind\":\"event\",\"cursor\":\"\(cursor.text)\",\"event\":\(body)}")
      let length = body.utf8.count
      let slice = frame.getSlice(at: frame.writerIndex - 1 - length, length: length) ?? ByteBuffer(string: body)
      encoded = (frame, slice)
      return (frame, slice)
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
  private var values: [VolatileItem.Key: VolatileItem] = [:]

  var isEmpty: Bool { order.isEmpty }

  mutating func put(_ item: VolatileItem) {
    if values[item.key] == nil {
      guard order.count < Limits.volatileSubjects else { return }
      order.append(item.key)
    }
    values[item.key] = item
  }

  mutating func take() -> [VolatileItem] {
    defer { self = LatestValues() }
    return order.compactMap { values[$0] }
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
