package import NIOCore

/// RFC 6455's framing as a value: bytes in, messages and control frames out, no IO, no clock. It takes the bytes as they
/// come, keeps nothing but what a message needs, and refuses at the first byte that shows a failure. After it threw, the
/// connection has failed and it must not be used again.
///
/// With permessage-deflate (RFC 7692) a message may be compressed: it is expanded when it is whole.
package struct FrameDecoder: Sendable {
  package enum Role: Sendable {
    /// Reads a client's frames, which must be masked (section 5.1).
    case server
    /// Reads a server's frames, which must not be.
    case client
  }

  private struct Frame {
    let opcode: Opcode
    let isFinal: Bool
    let isCompressed: Bool
    let mask: UInt32?
    let length: Int
    var received = 0
  }

  private let role: Role
  private let frameLimit: Int
  private let messageLimit: Int
  private let deflates: Bool
  private var frame: Frame?
  /// `text` or `binary` while a message is under way.
  private var messageKind: Opcode?
  private var isCompressed = false
  private var message = ByteBuffer()
  private var control = ByteBuffer()
  private var validator = UTF8Validator()

  /// - Parameter deflates: whether permessage-deflate was agreed on.
  package init(role: Role = .server, limits: SocketLimits = SocketLimits(), deflates: Bool = false) {
    self.role = role
    self.deflates = deflates
    self.frameLimit = limits.frame
    self.messageLimit = limits.message
  }

  /// The next event in `input`, or nil when more bytes are needed; consumes what it understood.
  package mutating func next(_ input: inout ByteBuffer) throws(ProtocolFailure) -> FrameEvent? {
    while true {
      if frame == nil {
        guard let header = try readHeader(&input) else { return nil }
        try admit(header)
        frame = header
      }
      guard let whole = try readPayload(&input) else { return nil }
      frame = nil
      if let event = try finish(whole) { return event }
    }
  }

  // MARK: Header (section 5.2)

  private func readHeader(_ input: inout ByteBuffer) throws(ProtocolFailure) -> Frame? {
    let start = input.readerIndex
    guard let bytes = input.getInteger(at: start, as: UInt16.self) else { return nil }
    let opcode = try check(bytes)
    let short = Int(bytes & 0x7F)
    let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
    let maskBytes = role == .server ? 4 : 0
    guard input.readableBytes >= 2 + lengthBytes + maskBytes else { return nil }
    input.moveReaderIndex(forwardBy: 2)
    let length = try readLength(short, &input)
    let mask = role == .server ? input.readInteger(endianness: .host, as: UInt32.self) : nil
    return Frame(
      opcode: opcode, isFinal: bytes & 0x8000 != 0, isCompressed: bytes & 0x4000 != 0, mask: mask, length: length)
  }

  private func check(_ bytes: UInt16) throws(ProtocolFailure) -> Opcode {
    guard let opcode = Opcode(rawValue: UInt8(bytes >> 8 & 0x0F)) else {
      throw ProtocolFailure(.protocolError, "reserved opcode")
    }
    // RSV1 belongs to permessage-deflate, on a message's first frame only (RFC 7692, section 6).
    let allowed: UInt16 = deflates && (opcode == .text || opcode == .binary) ? 0x4000 : 0
    guard bytes & 0x7000 & ~allowed == 0 else { throw ProtocolFailure(.protocolError, "reserved bit set") }
    guard (bytes & 0x80 != 0) == (role == .server) else {
      throw ProtocolFailure(.protocolError, role == .server ? "frame not masked" : "frame masked")
    }
    if opcode.isControl {
      guard bytes & 0x8000 != 0 else { throw ProtocolFailure(.protocolError, "control frame fragmented") }
      guard bytes & 0x7F <= 125 else { throw ProtocolFailure(.protocolError, "control frame too long") }
    }
    return opcode
  }

  /// The minimal number of bytes must be used, and the 64-bit form's top bit must be zero.
  private func readLength(_ short: Int, _ input: inout ByteBuffer) throws(ProtocolFailure) -> Int {
    switch short {
    case 126:
      guard let length = input.readInteger(as: UInt16.self), length >= 126 else {
        throw ProtocolFailure(.protocolError, "length not minimal")
      }
      return Int(length)
    case 127:
      guard let length = input.readInteger(as: UInt64.self), length > 0xFFFF else {
        throw ProtocolFailure(.protocolError, "length not minimal")
      }
      guard let length = Int(exactly: length) else { throw ProtocolFailure(.protocolError, "length's top bit set") }
      return length
    default:
      return short
    }
  }

  /// Order of fragments and sizes (section 5.4), judged before a byte of payload is kept.
  private mutating func admit(_ header: Frame) throws(ProtocolFailure) {
    if header.opcode.isControl {
      control.clear()
      return
    }
    if header.opcode == .continuation {
      guard messageKind != nil else { throw ProtocolFailure(.protocolError, "nothing to continue") }
    } else {
      guard messageKind == nil else { throw ProtocolFailure(.protocolError, "message inside a message") }
      messageKind = header.opcode
      isCompressed = header.isCompressed
    }
    guard header.length <= frameLimit, header.length <= messageLimit - message.readableBytes else {
      throw ProtocolFailure(.tooBig, "message too big")
    }
  }

  // MARK: Payload

  /// Takes what has arrived of the payload; the frame once it is whole. Memory grows with the bytes received, never
  /// with the length announced.
  private mutating func readPayload(_ input: inout ByteBuffer) throws(ProtocolFailure) -> Frame? {
    guard var current = frame else { return nil }
    let count = min(current.length - current.received, input.readableBytes)
    if count > 0, var piece = input.readSlice(length: count) {
      if current.opcode.isControl {
        Self.unmask(&piece, current, into: &control)
      } else {
        Self.unmask(&piece, current, into: &message)
        try validate(last: count)
      }
      current.received += count
    }
    frame = current
    return current.received == current.length ? current : nil
  }

  private static func unmask(_ piece: inout ByteBuffer, _ frame: Frame, into target: inout ByteBuffer) {
    let count = piece.readableBytes
    target.writeBuffer(&piece)
    guard let mask = frame.mask else { return }
    target.withUnsafeMutableReadableBytes { bytes in
      let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[(bytes.count - count)...])
      Masking.apply(mask, phase: frame.received, to: piece)
    }
  }

  /// Text must be UTF-8 over all its fragments (section 8.1); a character may straddle them.
  private mutating func validate(last count: Int) throws(ProtocolFailure) {
    guard messageKind == .text, !isCompressed else { return }
    let valid = message.withUnsafeReadableBytes { bytes in
      validator.accept(UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - count)...]))
    }
    guard valid else { throw ProtocolFailure(.invalidPayload, "text is not UTF-8") }
  }

  private mutating func finish(_ frame: Frame) throws(ProtocolFailure) -> FrameEvent? {
    switch frame.opcode {
    case .ping: return .ping(control)
    case .pong: return .pong(control)
    case .close: return try parseClose(control)
    case .text, .binary, .continuation: break
    }
    guard frame.isFinal else { return nil }
    let isText = messageKind == .text
    if isCompressed {
      isCompressed = false
      message = try Inflater.expand(message, limit: messageLimit)
      try validate(last: message.readableBytes)
    }
    guard !isText || validator.isComplete else {
      throw ProtocolFailure(.invalidPayload, "text ends inside a character")
    }
    let whole = message
    message = ByteBuffer()
    messageKind = nil
    return .message(isText ? .text(whole) : .binary(whole))
  }

  /// Section 5.5.1: nothing, or a code that may be sent and a reason in UTF-8.
  private func parseClose(_ payload: ByteBuffer) throws(ProtocolFailure) -> FrameEvent {
    var payload = payload
    if payload.readableBytes == 0 { return .close(.noStatus, reason: "") }
    guard let raw = payload.readInteger(as: UInt16.self) else {
      throw ProtocolFailure(.protocolError, "close payload of one byte")
    }
    let code = CloseCode(rawValue: raw)
    guard code.mayBeSent else { throw ProtocolFailure(.protocolError, "close code not allowed") }
    guard let reason = String(validating: payload.readableBytesView, as: UTF8.self) else {
      throw ProtocolFailure(.invalidPayload, "close reason is not UTF-8")
    }
    return .close(code, reason: reason)
  }
}
