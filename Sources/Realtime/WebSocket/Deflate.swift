import CZlib
package import NIOCore
import Synchronization

/// Compresses single messages as RFC 7692 wants them (section 7.2.1): raw DEFLATE, ended by an empty block whose last
/// four bytes are left out.
package final class Deflater: Sendable {
  /// Below this a message is hardly shorter for it.
  package static let worthwhile = 128

  /// For messages to a client that bounds the window: by its bits.
  private static let byWindow = (8...15).map { Deflater(windowBits: $0) }
  /// With the full window: what it made is shared by all readers.
  package static let shared = byWindow[7]

  private let windowBits: Int32
  /// The state is 268 KB and is kept; zlib keeps its address. Nil until there is something to compress.
  private let stream = Mutex<UnsafeMutablePointer<z_stream>?>(nil)

  private init(windowBits: Int) {
    // zlib has no window of 8 bits. One of 9 refers back no further than 512 - 262 bytes, which is within 256.
    self.windowBits = Int32(max(9, windowBits))
  }

  package static func with(_ deflate: PermessageDeflate) -> Deflater {
    byWindow[(deflate.serverWindowBits ?? 15) - 8]
  }

  /// The message compressed; nil when it would be no shorter.
  package func compress(_ message: ByteBuffer) -> ByteBuffer? {
    let length = message.readableBytes
    guard length >= Self.worthwhile, let count = UInt32(exactly: length) else { return nil }
    return stream.withLock { kept in
      guard let stream = kept ?? begin() else { return nil }
      kept = stream
      guard deflateReset(stream) == Z_OK else { return nil }
      var packed = ByteBuffer()
      var isWhole = false
      packed.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { room in
        message.withUnsafeReadableBytes { input in
          // zlib's header has no const, but it only reads here.
          stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
          stream.pointee.avail_in = count
          stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
          stream.pointee.avail_out = count
          // Room is left only when the flush is complete, too.
          isWhole = deflate(stream, Z_SYNC_FLUSH) == Z_OK && stream.pointee.avail_out > 0
        }
        return length - Int(stream.pointee.avail_out)
      }
      guard isWhole, packed.readableBytes > 4 else { return nil }
      packed.moveWriterIndex(to: packed.writerIndex - 4)
      return packed
    }
  }

  private func begin() -> UnsafeMutablePointer<z_stream>? {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let begun = deflateInit2_(
      stream, 6, Z_DEFLATED, -windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    if begun == Z_OK { return stream }
    stream.deallocate()
    return nil
  }
}

/// Expands single messages (RFC 7692, section 7.2.2).
package enum Inflater {
  /// What every compressed message was deprived of.
  private static let ending: [UInt8] = [0x00, 0x00, 0xFF, 0xFF]

  /// The message; never more than `limit` bytes of it are made, whatever it claims to hold.
  package static func expand(_ compressed: ByteBuffer, limit: Int) throws(ProtocolFailure) -> ByteBuffer {
    var input = compressed
    input.writeBytes(ending)
    guard let count = UInt32(exactly: input.readableBytes) else { throw ProtocolFailure(.tooBig, "message too big") }
    // On the heap, since zlib keeps the address.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    defer { stream.deallocate() }
    stream.initialize(to: z_stream())
    guard inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw ProtocolFailure(.internalError, "no memory to expand a message")
    }
    defer { inflateEnd(stream) }
    var output = ByteBuffer()
    let failure: ProtocolFailure? = input.withUnsafeReadableBytes { bytes in
      stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.pointee.avail_in = count
      return run(stream, into: &output, limit: limit)
    }
    if let failure { throw failure }
    return output
  }

  private static func run(
    _ stream: UnsafeMutablePointer<z_stream>, into output: inout ByteBuffer, limit: Int
  ) -> ProtocolFailure? {
    var piece = 1_024
    while true {
      // One byte more than is allowed shows that there is more.
      let room = min(piece, limit - output.readableBytes + 1)
      var status = Z_OK
      output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { bytes in
        stream.pointee.next_out = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(room)
        status = inflate(stream, Z_SYNC_FLUSH)
        return room - Int(stream.pointee.avail_out)
      }
      guard output.readableBytes <= limit else { return ProtocolFailure(.tooBig, "message too big when expanded") }
      switch status {
      case Z_STREAM_END:
        // A sender may mark a block as the last one (section 7.2.3.4); what follows is a stream of its own.
        guard stream.pointee.avail_in > 0 else { return nil }
        guard inflateReset(stream) == Z_OK else { return broken }
      case Z_OK, Z_BUF_ERROR:
        // Bit 7 of data_type: a block has just ended, as the ending has to make it. Looked at before it is asked for
        // more, since that begins the next block.
        if stream.pointee.avail_in == 0, stream.pointee.data_type & 128 != 0 { return nil }
        if stream.pointee.avail_out > 0, stream.pointee.avail_in == 0 || status == Z_BUF_ERROR { return broken }
      default:
        return broken
      }
      piece = min(piece * 2, 256 * 1_024)
    }
  }

  private static let broken = ProtocolFailure(.invalidPayload, "compressed data is broken")
}
