import NIOCore
import NIOEmbedded
import Testing

@testable import Realtime

/// What a client sends, frame by frame, and all that an echo answers. The lists in `Dialogue+Chapters` hold what
/// Autobahn|Testsuite asks in its chapters 1 to 7 and 10, so that nothing hangs on that suite being at hand.
struct Dialogue: Sendable, CustomTestStringConvertible {
  enum Answer: Equatable, Sendable {
    case text([UInt8])
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// 1005 when it has no code.
    case close(UInt16)

    static func said(_ text: String) -> Answer { .text(Array(text.utf8)) }

    init(_ event: FrameEvent) {
      switch event {
      case .message(.text(let bytes)): self = .text(Array(bytes.readableBytesView))
      case .message(.binary(let bytes)): self = .binary(Array(bytes.readableBytesView))
      case .ping(let bytes): self = .ping(Array(bytes.readableBytesView))
      case .pong(let bytes): self = .pong(Array(bytes.readableBytesView))
      case .close(let code, _): self = .close(code.rawValue)
      }
    }
  }

  /// How the bytes are cut on their way. Whoever reads them must not care.
  enum Cut: Sendable {
    case whole
    case betweenFrames
    case every(Int)
  }

  let name: String
  let frames: [[UInt8]]
  let answers: [Answer]

  init(_ name: String, _ frames: [[UInt8]], _ answers: [Answer]) {
    self.name = name
    self.frames = frames
    self.answers = answers
  }

  var testDescription: String { name }

  /// Whether the server ends the connection: it does so when it has said why.
  var isClosing: Bool {
    guard let last = answers.last, case .close = last else { return false }
    return true
  }

  func pieces(_ cut: Cut) -> [[UInt8]] {
    switch cut {
    case .whole: return [Array(frames.joined())]
    case .betweenFrames: return frames
    case .every(let count):
      let bytes = Array(frames.joined())
      return stride(from: 0, to: bytes.count, by: count).map { Array(bytes[$0..<min($0 + count, bytes.count)]) }
    }
  }
}

/// A socket that echoes, on a channel whose bytes the test holds, and the client at its other end.
final class EchoPeer {
  private let channel = EmbeddedChannel()
  private var decoder: FrameDecoder
  private var received = ByteBuffer()

  init(_ limits: SocketLimits = SocketLimits(frame: 1 << 24, message: 1 << 24, pending: 1 << 26)) throws {
    decoder = FrameDecoder(role: .client, limits: SocketLimits(frame: 1 << 24, message: 1 << 24))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    let handler = WebSocketHandler(
      PendingSocket(limits: limits) { _ in PlainEcho() }, wheel: TimerWheel(channel.eventLoop),
      now: channel.eventLoop.now)
    try channel.pipeline.syncOperations.addHandler(handler)
  }

  var isOpen: Bool { channel.isActive }

  /// Sends what the server still takes.
  func send(_ pieces: [[UInt8]]) throws {
    for piece in pieces where channel.isActive { try channel.writeInbound(ByteBuffer(bytes: piece)) }
  }

  /// What was answered since the last look.
  func answers() throws -> [Dialogue.Answer] {
    while var next = try channel.readOutbound(as: ByteBuffer.self) { received.writeBuffer(&next) }
    var answers: [Dialogue.Answer] = []
    while let event = try decoder.next(&received) { answers.append(Dialogue.Answer(event)) }
    return answers
  }
}

private final class PlainEcho: SocketDelegate {
  func opened(_ socket: Realtime.Socket) {}

  func received(_ message: SocketMessage, on socket: Realtime.Socket) {
    switch message {
    case .text(let bytes): socket.send(FrameEncoder.text(bytes))
    case .binary(let bytes): socket.send(FrameEncoder.binary(bytes))
    }
  }

  func closed(_ socket: Realtime.Socket, _ closure: SocketClosure) {}
}
