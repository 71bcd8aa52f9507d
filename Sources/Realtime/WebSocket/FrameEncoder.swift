package import NIOCore

/// Writes frames (RFC 6455, section 5.2). A server's are unmasked, so one encoded frame serves every subscriber; the
/// masked form is a client's, for tests and benchmarks.
package enum FrameEncoder {
  /// One whole text message.
  package static func text(_ text: String) -> ByteBuffer {
    frame(.text, ByteBuffer(string: text))
  }

  /// One whole text message whose bytes the caller knows to be UTF-8.
  package static func text(_ utf8: ByteBuffer) -> ByteBuffer {
    frame(.text, utf8)
  }

  /// One whole binary message.
  package static func binary(_ bytes: ByteBuffer) -> ByteBuffer {
    frame(.binary, bytes)
  }

  /// A close frame; a code that may not be sent leaves it empty, and a reason too long for a control frame is cut at a
  /// character's boundary (section 5.5.1).
  package static func close(_ code: CloseCode, reason: String = "", mask: UInt32? = nil) -> ByteBuffer {
    guard code.mayBeSent else { return frame(.close, ByteBuffer(), mask: mask) }
    var payload = ByteBuffer(integer: code.rawValue)
    for character in reason {
      guard payload.readableBytes + character.utf8.count <= 125 else { break }
      payload.writeString(String(character))
    }
    return frame(.close, payload, mask: mask)
  }

  /// One whole message, compressed where that was agreed on and makes it shorter.
  package static func message(_ opcode: Opcode, _ payload: ByteBuffer, _ deflate: PermessageDeflate?) -> ByteBuffer {
    guard let deflate, let packed = Deflater.with(deflate).compress(payload) else { return frame(opcode, payload) }
    return frame(opcode, packed, isCompressed: true)
  }

  /// Any single frame.
  package static func frame(
    _ opcode: Opcode, _ payload: ByteBuffer, final: Bool = true, isCompressed: Bool = false, mask: UInt32? = nil
  ) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.reserveCapacity(payload.readableBytes + 14)
    append(opcode, payload, final: final, isCompressed: isCompressed, mask: mask, to: &buffer)
    return buffer
  }

  /// Any single frame, behind what the buffer holds: several frames in one buffer cost one write.
  package static func append(
    _ opcode: Opcode, _ payload: ByteBuffer, final: Bool = true, isCompressed: Bool = false, mask: UInt32? = nil,
    to buffer: inout ByteBuffer
  ) {
    let length = payload.readableBytes
    let masked: UInt8 = mask == nil ? 0 : 0x80
    buffer.writeInteger(opcode.rawValue | (final ? 0x80 : 0) | (isCompressed ? 0x40 : 0))
    switch length {
    case ...125:
      buffer.writeInteger(masked | UInt8(length))
    case ...0xFFFF:
      buffer.writeInteger(masked | 126)
      buffer.writeInteger(UInt16(length))
    default:
      buffer.writeInteger(masked | 127)
      buffer.writeInteger(UInt64(length))
    }
    guard let mask else {
      buffer.writeImmutableBuffer(payload)
      return
    }
    buffer.writeInteger(mask, endianness: .host)
    let start = buffer.writerIndex
    buffer.writeImmutableBuffer(payload)
    buffer.withUnsafeMutableReadableBytes { bytes in
      let offset = bytes.count - length
      Masking.apply(mask, phase: 0, to: UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]))
    }
    assert(buffer.writerIndex == start + length)
  }
}
