import Foundation

/// What nats-server says to a subscriber: lines, and behind those that begin with MSG a payload. Lines are read byte by
/// byte, wherever frames and reads cut them; payloads are stepped over.
struct NatsStream {
  struct Found {
    var messages = 0
    /// Of their payloads.
    var bytes = 0
    /// The server wants to hear from us.
    var isPinged = false
  }

  /// How a connection begins.
  static let greeting: [UInt8] = {
    let account = "\"user\":\"\(FeedPeer.user)\",\"pass\":\"\(FeedPeer.secret)\""
    return Array("CONNECT {\"verbose\":false,\"pedantic\":false,\(account)}\r\n".utf8)
  }()
  /// Behind the greeting: follows, and asks to be told when that is so.
  static let subscribing = Array("SUB \(FeedPeer.subject) 1\r\nPING\r\n".utf8)
  static let pong = Array("PONG\r\n".utf8)

  /// Bytes of a payload, with its line's end, that are still to come.
  private var payloadLeft = 0
  /// The first two letters of the line being read: enough to know it.
  private var word: UInt16 = 0
  private var letters = 0
  /// The number behind the last blank: of MSG the payload's length.
  private var number = 0

  mutating func take(_ bytes: UnsafeRawPointer, _ count: Int) throws -> Found {
    var found = Found()
    var at = 0
    while at < count {
      if payloadLeft > 0 {
        let length = min(payloadLeft, count - at)
        payloadLeft -= length
        at += length
        if payloadLeft == 0 { found.messages += 1 }
        continue
      }
      let byte = bytes.load(fromByteOffset: at, as: UInt8.self)
      at += 1
      if byte == UInt8(ascii: "\n") {
        try endLine(&found)
        continue
      }
      if letters < 2 {
        word = word << 8 | UInt16(byte)
        letters += 1
      }
      if byte == UInt8(ascii: " ") {
        number = 0
      } else if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
        // Other lines have digits too, and more of them than a number has room for.
        number = number &* 10 &+ Int(byte - UInt8(ascii: "0"))
      }
    }
    return found
  }

  private mutating func endLine(_ found: inout Found) throws {
    switch word {
    case 0x4D53:  // MS
      payloadLeft = number + 2
      found.bytes += number
    case 0x5049:  // PI
      found.isPinged = true
    case 0x2D45:  // -E
      throw BenchFailure("nats-server sent an error to a subscriber")
    default:
      break
    }
    (word, letters, number) = (0, 0, 0)
  }
}
