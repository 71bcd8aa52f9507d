import Domain
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import Testing

@testable import Realtime

/// An HTTP server on loopback that tells what it was sent and answers what it was told to.
final class Receiver: Sendable {
  struct Got: Sendable, Equatable {
    /// Which of the connections it came by, from 0.
    var connection: Int
    var target: String
    /// Names in lower case.
    var headers: [String: String]
    var body: String
  }

  enum Reply: Sendable {
    case status(Int, headers: [(String, String)] = [])
    /// Nothing at all.
    case silence
    /// The end of the connection, after these bytes.
    case end(after: String = "")
    /// 200, and a body without an end.
    case endless
  }

  struct Missing: Error {}

  private struct State {
    var connections = 0
    var channels: [any Channel] = []
    var reply: @Sendable (_ number: Int) -> Reply = { _ in .status(204) }
    var count = 0
  }

  private let state = Mutex(State())
  private let requests: AsyncStream<Got>
  private let tell: AsyncStream<Got>.Continuation
  private let channel = Mutex<(any Channel)?>(nil)

  /// - Parameter tls: for https.
  init(tls: TLSConfiguration? = nil, host: String = "127.0.0.1") async throws {
    (requests, tell) = AsyncStream.makeStream()
    let context = try tls.map { try NIOSSLContext(configuration: $0) }
    let server = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { [weak self] channel in
        channel.eventLoop.makeCompletedFuture {
          guard let self else { throw Missing() }
          let pipeline = channel.pipeline.syncOperations
          if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
          try pipeline.addHandler(
            ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: .init())))
          try pipeline.addHandler(ReceiverHandler(self, connection: self.opened(channel)))
        }
      }
    let bound = try await Self.bind(server, host)
    channel.withLock { $0 = bound }
  }

  /// Below the ports that the system hands out to clients.
  private static func bind(_ server: ServerBootstrap, _ host: String) async throws -> any Channel {
    for _ in 0..<50 {
      do {
        return try await server.bind(host: host, port: Int.random(in: 20_000..<32_000)).get()
      } catch let error as IOError where error.errnoCode == EADDRINUSE {
        continue
      }
    }
    throw Missing()
  }

  deinit { channel.withLock { $0 }?.close(promise: nil) }

  var port: Int { channel.withLock { $0 }?.localAddress?.port ?? 0 }

  /// How many requests there were.
  var count: Int { state.withLock { $0.count } }

  /// What is answered from here on, by the request's number, from 0.
  func answer(_ reply: @escaping @Sendable (_ number: Int) -> Reply) {
    state.withLock { state in
      state.reply = reply
      state.count = 0
    }
  }

  /// The next request.
  func next() async throws -> Got {
    for await got in requests { return got }
    throw Missing()
  }

  /// The answer to the last request, which was met with silence so far.
  func answerLate() async throws {
    try await state.withLock { $0.channels.last }?.writeAndFlush(ByteBuffer(string: "HTTP/1.1 204 Late\r\n\r\n"))
  }

  /// Ends every connection that is open; new ones are welcome.
  func hangUp() async {
    let channels = state.withLock { state in
      defer { state.channels = [] }
      return state.channels
    }
    for channel in channels { try? await channel.close() }
  }

  private func opened(_ channel: any Channel) -> Int {
    state.withLock { state in
      defer { state.connections += 1 }
      state.channels.append(channel)
      return state.connections
    }
  }

  fileprivate func reply(to got: Got) -> Reply {
    let reply = state.withLock { state in
      defer { state.count += 1 }
      return state.reply(state.count)
    }
    tell.yield(got)
    return reply
  }
}

private final class ReceiverHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = ByteBuffer

  private let receiver: Receiver
  private let connection: Int
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(_ receiver: Receiver, connection: Int) {
    self.receiver = receiver
    self.connection = connection
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var bytes): body.writeBuffer(&bytes)
    case .end:
      guard let head else { return }
      var headers: [String: String] = [:]
      for (name, value) in head.headers { headers[name.lowercased()] = value }
      let got = Receiver.Got(
        connection: connection, target: head.uri, headers: headers, body: String(buffer: body))
      respond(receiver.reply(to: got), context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func respond(_ reply: Receiver.Reply, _ context: ChannelHandlerContext) {
    switch reply {
    case .silence: break
    case .status(let status, let headers):
      let lines = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
      // 204 and 304 have no body, and must not name its length.
      let length = status == 204 ? "" : "content-length: 2\r\n"
      write("HTTP/1.1 \(status) Said\r\n\(lines)\(length)\r\n\(status == 204 ? "" : "ok")", context)
    case .end(let text):
      write(text, context)
      context.close(promise: nil)
    case .endless:
      write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", context)
      let chunk = "1000\r\n" + String(repeating: "x", count: 4096) + "\r\n"
      for _ in 0..<64 { write(chunk, context) }
    }
  }

  private func write(_ text: String, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
  }
}
