import Domain
import NIOCore
import NIOPosix
import Testing

@testable import Realtime

/// A client's WebSocket that records what it hears; several can be held at a time.
final class SocketClient: Sendable {
  struct Ended: Error {}
  struct Refused: Error { var head: String }

  private let channel: any Channel
  private let events: AsyncStream<FrameEvent>

  private init(_ channel: any Channel, _ events: AsyncStream<FrameEvent>) {
    self.channel = channel
    self.events = events
  }

  deinit { channel.close(promise: nil) }

  static func open(_ path: String, port: Int) async throws -> SocketClient {
    let (events, tell) = AsyncStream<FrameEvent>.makeStream()
    let (channel, opened) = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(
      host: "127.0.0.1", port: port
    ) { channel in
      channel.eventLoop.makeCompletedFuture {
        let opened = channel.eventLoop.makePromise(of: Void.self)
        try channel.pipeline.syncOperations.addHandler(Recorder(opened, tell))
        return (channel, opened.futureResult)
      }
    }
    channel.writeAndFlush(ByteBuffer(string: SharedPortTests.upgrade(path)), promise: nil)
    try await opened.get()
    // What is waited for in vain ends here, and the test with it.
    channel.eventLoop.scheduleTask(in: TimeAmount(patience)) { channel.close(promise: nil) }
    return SocketClient(channel, events)
  }

  /// The next frame, or an error when none comes any more.
  func frame() async throws -> FrameEvent {
    for await event in events { return event }
    throw Ended()
  }

  /// The next message; pings are passed over.
  func json() async throws -> JSON {
    while true {
      switch try await frame() {
      case .message(.text(let bytes)): return try JSON(parsing: bytes.readableBytesView)
      case .close(let code, let reason): throw ClosedEarly(code: code, reason: reason)
      default: continue
      }
    }
  }

  /// The next message with this op; others are passed over.
  func json(op: String) async throws -> JSON {
    while true {
      let json = try await json()
      if json["op"]?.string == op { return json }
    }
  }

  /// The close frame; what comes before it is passed over.
  func closing() async throws -> FrameEvent {
    while true {
      let event = try await frame()
      if case .close = event { return event }
    }
  }

  func say(_ json: JSON, as opcode: Opcode = .text) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: masked(opcode, json.text)))
  }

  /// The link dies: no closing handshake.
  func drop() async throws { try await channel.close() }
}

/// As clients send it.
private func masked(_ opcode: Opcode, _ text: String) -> [UInt8] { frame(opcode, text) }

/// Reads the answer to the handshake, then frames.
private final class Recorder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private var opened: EventLoopPromise<Void>?
  private let tell: AsyncStream<FrameEvent>.Continuation
  private var decoder = FrameDecoder(role: .client, limits: SocketLimits(frame: 1 << 24, message: 1 << 24))
  private var bytes = ByteBuffer()

  init(_ opened: EventLoopPromise<Void>, _ tell: AsyncStream<FrameEvent>.Continuation) {
    self.opened = opened
    self.tell = tell
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var input = unwrapInboundIn(data)
    bytes.writeBuffer(&input)
    if opened != nil {
      guard let end = bytes.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
      let head = bytes.readString(length: end.upperBound - bytes.readerIndex) ?? ""
      let promise = opened
      opened = nil
      guard head.hasPrefix("HTTP/1.1 101") else {
        promise?.fail(SocketClient.Refused(head: head))
        return
      }
      promise?.succeed()
    }
    do {
      while let event = try decoder.next(&bytes) { tell.yield(event) }
    } catch {
      Issue.record("the server's frames are wrong: \(error)")
    }
  }

  /// The connection has ended, or never came about.
  func handlerRemoved(context: ChannelHandlerContext) {
    opened?.fail(SocketClient.Ended())
    opened = nil
    tell.finish()
  }
}

struct ClosedEarly: Error {
  var code: CloseCode
  var reason: String
}
