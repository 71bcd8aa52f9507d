import NIOCore
import NIOPosix
import Testing

@testable import Realtime

/// Says something as soon as the connection stands.
final class Greeting: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let text: String

  init(_ text: String) {
    self.text = text
  }

  func channelActive(context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    context.fireChannelActive()
  }
}

/// A client of one TCP connection that says exactly the bytes it is given.
final class RawClient {
  struct Response: Equatable {
    var status: Int
    var headers: [String: String]
    var body: String
  }

  struct TimedOut: Error {}
  struct Ended: Error {}

  private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
  private let channel: any Channel
  private var received = ByteBuffer()
  private static let limits = SocketLimits(frame: 1 << 24, message: 1 << 24)
  private var decoder = FrameDecoder(role: .client, limits: limits)

  private init(
    _ channel: any Channel, _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
    _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
  ) {
    self.channel = channel
    self.iterator = inbound.makeAsyncIterator()
    self.outbound = outbound
  }

  /// Connects, runs the body and closes; a body that hangs is cancelled and has failed.
  ///
  /// - Parameter window: what the system may keep for a client that does not read, in bytes; nil: megabytes.
  static func connect(
    to port: Int, window: Int? = nil, handlers: @escaping @Sendable () throws -> [any ChannelHandler] = { [] },
    _ body: @escaping @Sendable (RawClient) async throws -> Void
  ) async throws {
    var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
    if let window { bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(window)) }
    let connection = try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandlers(handlers())
        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
          wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await connection.executeThenClose { inbound, outbound in
          try await body(RawClient(connection.channel, inbound, outbound))
        }
      }
      group.addTask {
        try await Task.sleep(for: patience)
        throw TimedOut()
      }
      try await group.next()
      group.cancelAll()
    }
  }

  func send(_ text: String) async throws {
    try await outbound.write(ByteBuffer(string: text))
  }

  func send(_ bytes: [UInt8]) async throws {
    try await outbound.write(ByteBuffer(bytes: bytes))
  }

  /// FIN.
  func finish() {
    outbound.finish()
  }

  /// The next whole HTTP response; its header names in lower case.
  func response() async throws -> Response {
    let start = try await line().split(separator: " ")
    let status = try #require(start.dropFirst().first.flatMap { Int($0) })
    var headers: [String: String] = [:]
    while case let line = try await line(), !line.isEmpty {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
    }
    var body: [UInt8] = []
    for _ in 0..<(headers["content-length"].flatMap { Int($0) } ?? 0) { body.append(try await byte()) }
    return Response(status: status, headers: headers, body: String(decoding: body, as: UTF8.self))
  }

  func line() async throws -> String {
    var line: [UInt8] = []
    while case let byte = try await byte(), byte != 0x0A { line.append(byte) }
    return String(decoding: line.dropLast(), as: UTF8.self)
  }

  /// From now on compressed frames are understood.
  func deflates() {
    decoder = FrameDecoder(role: .client, limits: Self.limits, deflates: true)
  }

  /// The next frame.
  func frame() async throws -> FrameEvent {
    while true {
      if let event = try decoder.next(&received) { return event }
      try await more()
    }
  }

  /// Waits for the server's FIN; what came before it is dropped.
  func end() async throws {
    while true {
      do { try await more() } catch is Ended { return }
    }
  }

  func byte() async throws -> UInt8 {
    while true {
      if let byte = received.readInteger(as: UInt8.self) { return byte }
      try await more()
    }
  }

  private func more() async throws {
    guard var bytes = try await iterator.next() else { throw Ended() }
    if received.readableBytes == 0 { received = bytes } else { received.writeBuffer(&bytes) }
  }
}
