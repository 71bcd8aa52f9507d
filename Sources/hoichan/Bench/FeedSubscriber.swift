import Foundation

/// One subscriber's connection, and its place in what the server sends: counts messages and looks at nothing but the
/// heads of frames, in the buffer that all of a thread share.
struct FeedSubscriber {
  static let bufferBytes = 256 * 1024
  /// The most that is kept from one read to the next: a control frame's head and payload, all but a byte.
  static let carryBytes = 136
  /// Subscribers that come from one loopback address.
  private static let perAddress = 1_000
  /// In `{"kind":"event",…`, and in no other kind of frame of the feed, an `e` stands here.
  private static let kindOffset = 9

  let descriptor: Int32
  private let kind: FeedServer.Kind
  /// Whole messages so far.
  private(set) var messages = 0
  /// Bytes of their payloads.
  private(set) var bytes = 0
  /// Bytes of the last read that wait for the rest of a frame's head.
  private var carried = 0
  /// Bytes of a data frame that are still to come, and whether it is a message that counts.
  private var frameLeft = 0
  private var isMessage = false
  private var stream = NatsStream()

  private init(_ descriptor: Int32, _ kind: FeedServer.Kind) {
    self.descriptor = descriptor
    self.kind = kind
  }

  // MARK: Coming and going

  /// Connects, signs in and subscribes.
  /// - Returns: the subscriber, and what the server has sent behind its answer to the handshake.
  static func join(_ server: FeedServer, number: Int) throws -> (FeedSubscriber, rest: [UInt8]) {
    let descriptor = try Loopback.connection(
      port: server.port, patience: 30, source: 1 + number / Self.perAddress)
    do {
      try Loopback.send(server.handshake, on: descriptor)
      var rest = try upgraded(descriptor)
      if server.kind == .nats {
        try Loopback.send(masked(0x82, NatsStream.greeting + NatsStream.subscribing), on: descriptor)
        while rest.end(of: NatsStream.pong) == nil { rest += try more(descriptor) }
      }
      return (FeedSubscriber(descriptor, server.kind), rest)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Reads the answer to the handshake and returns what stands behind it.
  private static func upgraded(_ descriptor: Int32) throws -> [UInt8] {
    var answer: [UInt8] = []
    while true {
      answer += try more(descriptor)
      guard let end = answer.end(of: Array("\r\n\r\n".utf8)) else { continue }
      guard answer.starts(with: "HTTP/1.1 101 ".utf8) else {
        throw BenchFailure("a subscriber was answered \(String(decoding: answer.prefix(300), as: UTF8.self))")
      }
      return Array(answer[end...])
    }
  }

  private static func more(_ descriptor: Int32) throws -> [UInt8] {
    let chunk = try Loopback.receive(on: descriptor)
    guard !chunk.isEmpty else { throw BenchFailure("the server closed a subscriber's connection at its handshake") }
    return chunk
  }

  /// A client's frame, masked with zeros, which the protocol allows.
  private static func masked(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var frame: [UInt8] = [first]
    if payload.count < 126 {
      frame.append(0x80 | UInt8(payload.count))
    } else {
      frame += [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    }
    frame += [0, 0, 0, 0]
    return frame + payload
  }

  /// Breaks the connection off, so that no port waits behind it.
  func leave() {
    var now = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    close(descriptor)
  }

  /// Reads nothing: what the system takes for it is little, and then the server has to keep the rest.
  func stall() {
    var bytes: Int32 = 4_096
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Comes, and leaves with the first event.
  /// - Returns: milliseconds from connecting until that event was there.
  static func firstEvent(_ server: FeedServer) throws -> Double {
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: bufferBytes, alignment: 64)
    defer { buffer.deallocate() }
    let carry = UnsafeMutableRawPointer.allocate(byteCount: carryBytes, alignment: 64)
    defer { carry.deallocate() }
    let begin = Monotonic.now
    let joined = try join(server, number: 0)
    var subscriber = joined.0
    defer { subscriber.leave() }
    try subscriber.begin(with: joined.rest, buffer, carry: carry)
    while subscriber.messages == 0 {
      var ready = pollfd(fd: subscriber.descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&ready, 1, 10_000) > 0 else { throw BenchFailure("no event came within 10 s") }
      try subscriber.receive(buffer, carry: carry)
    }
    return Double(Monotonic.now - begin) / 1e6
  }

  // MARK: Reading

  /// Takes what came together with the answer to the handshake.
  mutating func begin(
    with rest: [UInt8], _ buffer: UnsafeMutableRawPointer, carry: UnsafeMutableRawPointer
  ) throws {
    guard rest.count <= Self.bufferBytes else { throw BenchFailure("too much came with a handshake's answer") }
    rest.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { buffer.copyMemory(from: start, byteCount: bytes.count) }
    }
    try take(buffer, rest.count, carry: carry)
  }

  /// Takes what has come, up to the buffer's size; the connection is known to have something.
  /// - Parameter carry: this subscriber's own `carryBytes`.
  mutating func receive(_ buffer: UnsafeMutableRawPointer, carry: UnsafeMutableRawPointer) throws {
    buffer.copyMemory(from: carry, byteCount: carried)
    let count = recv(descriptor, buffer + carried, Self.bufferBytes - carried, Int32(MSG_DONTWAIT))
    guard count > 0 else {
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      throw BenchFailure(
        count == 0
          ? "the server closed a subscriber's connection"
          : "a subscriber's connection broke: \(String(cString: strerror(errno)))")
    }
    try take(buffer, carried + count, carry: carry)
  }

  private mutating func take(
    _ buffer: UnsafeMutableRawPointer, _ count: Int, carry: UnsafeMutableRawPointer
  ) throws {
    var at = 0
    while at < count {
      if frameLeft > 0 {
        let length = min(frameLeft, count - at)
        if kind == .nats { try takeLines(buffer + at, length) }
        at += length
        frameLeft -= length
        if frameLeft == 0, isMessage { messages += 1 }
        continue
      }
      guard let head = FrameHead(buffer + at, count - at) else { break }
      if head.isControl {
        guard head.length <= 125 else { throw BenchFailure("the server sent too long a control frame") }
        guard count - at >= head.size + head.length else { break }
        try hear(head, buffer + at + head.size)
        at += head.size + head.length
        continue
      }
      if kind == .hoichan, head.length > Self.kindOffset {
        guard count - at > head.size + Self.kindOffset else { break }
        let letter = buffer.load(fromByteOffset: at + head.size + Self.kindOffset, as: UInt8.self)
        isMessage = letter == UInt8(ascii: "e")
      } else {
        // A frame of nchan is a message, unless it goes on with one; of nats-server's it is what stands in them.
        isMessage = kind == .nchan && head.opcode != 0
      }
      if isMessage { bytes += head.length }
      frameLeft = head.length
      at += head.size
    }
    carried = count - at
    carry.copyMemory(from: buffer + at, byteCount: carried)
  }

  private mutating func takeLines(_ start: UnsafeMutableRawPointer, _ count: Int) throws {
    let found = try stream.take(start, count)
    messages += found.messages
    bytes += found.bytes
    if found.isPinged { try Loopback.send(Self.masked(0x82, NatsStream.pong), on: descriptor) }
  }

  private func hear(_ head: FrameHead, _ payload: UnsafeMutableRawPointer) throws {
    let bytes = UnsafeRawBufferPointer(start: payload, count: head.length)
    switch head.opcode {
    case 0x8:
      let code = bytes.count > 1 ? Int(bytes[0]) << 8 | Int(bytes[1]) : 0
      throw BenchFailure(
        "the server sent a subscriber away: \(code) \(String(decoding: bytes.dropFirst(2), as: UTF8.self))")
    case 0x9:
      try Loopback.send(Self.masked(0x8A, Array(bytes)), on: descriptor)
    default:
      break
    }
  }
}

extension [UInt8] {
  /// Where the first such bytes end.
  fileprivate func end(of pattern: [UInt8]) -> Int? {
    guard count >= pattern.count else { return nil }
    return (0...count - pattern.count).first { self[$0...].starts(with: pattern) }.map { $0 + pattern.count }
  }
}

/// The first bytes of a server's frame, which is not masked (RFC 6455, section 5.2).
private struct FrameHead {
  let opcode: UInt8
  /// Bytes of the head itself.
  let size: Int
  /// Bytes of the payload.
  let length: Int

  /// Nil when it is not all there.
  init?(_ bytes: UnsafeMutableRawPointer, _ count: Int) {
    guard count >= 2 else { return nil }
    opcode = bytes.load(as: UInt8.self) & 0x0F
    let short = Int(bytes.load(fromByteOffset: 1, as: UInt8.self) & 0x7F)
    if short == 126 {
      guard count >= 4 else { return nil }
      size = 4
      length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
    } else if short == 127 {
      guard count >= 10 else { return nil }
      size = 10
      length = Int(truncatingIfNeeded: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self)))
    } else {
      size = 2
      length = short
    }
  }

  var isControl: Bool { opcode >= 0x8 }
}
