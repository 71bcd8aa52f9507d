import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import Realtime

/// A real server on loopback, with a responder that stands for the router.
struct TestServer: Sendable {
  /// What the sockets' delegates were told, in order.
  typealias Told = AsyncStream<String>

  let port: Int
  private let group: ServiceGroup
  let told: Told

  func stop() async {
    await group.triggerGracefulShutdown()
  }

  private static let nextPort = Atomic<Int>(21_000 + Int.random(in: 0..<8000))

  /// Runs the body beside a server, then stops the server gracefully.
  static func run(
    _ builder: HTTPServerBuilder = .patientPort(), limits: SocketLimits = SocketLimits(),
    _ body: @Sendable (TestServer) async throws -> Void
  ) async throws {
    let (told, tell) = Told.makeStream()
    for attempt in 1... {
      let port = nextPort.add(1, ordering: .relaxed).newValue
      do {
        try await run(builder, port: port, limits: limits, told, tell, body)
        return
      } catch let error as IOError where error.errnoCode == EADDRINUSE && attempt < 50 {
        continue
      }
    }
  }

  private static func run(
    _ builder: HTTPServerBuilder, port: Int, limits: SocketLimits, _ told: Told, _ tell: Told.Continuation,
    _ body: @Sendable (TestServer) async throws -> Void
  ) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let (running, ready) = AsyncStream<Void>.makeStream()
    let service = try builder.buildServer(
      configuration: .init(address: .hostname("127.0.0.1", port: port)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger,
      responder: { request, writer, channel in
        try await respond(request, writer, channel, limits, tell)
      },
      onServerRunning: { _ in ready.yield() })
    let group = ServiceGroup(configuration: .init(services: [service], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask {
        defer { ready.finish() }
        try await group.run()
      }
      for await _ in running {
        let server = TestServer(port: port, group: group, told: told)
        do {
          try await body(server)
        } catch {
          await group.triggerGracefulShutdown()
          throw error
        }
        let stop = ContinuousClock.now
        await group.triggerGracefulShutdown()
        try await tasks.next()
        #expect(ContinuousClock.now - stop < .seconds(30))
        return
      }
      try await tasks.next()
    }
  }

  /// `/ws` accepts, `/refused` refuses what would be accepted, `/body` answers the length of a body, `/ignore` answers
  /// without reading it, `/bare` sends a 101 that nobody accepted.
  private static func respond(
    _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel, _ limits: SocketLimits,
    _ tell: Told.Continuation
  ) async throws {
    let response: Response
    switch request.uri.path {
    case "/ws":
      do {
        let headers = try await WebSocketUpgrade.accept(
          request.head, on: channel, subprotocols: ["hoichan.feed.v1", "echo"], limits: limits,
          delegate: { _ in EchoDelegate(tell) })
        response = Response(status: .switchingProtocols, headers: headers)
      } catch let refusal as WebSocketUpgrade.Refusal {
        switch refusal {
        case .upgradeRequired:
          response = Response(status: .upgradeRequired, headers: WebSocketUpgrade.refusalHeaders)
        case .malformed: response = Response(status: .badRequest)
        case .unavailable: response = Response(status: .serviceUnavailable)
        }
      }
    case "/overruled":
      _ = try await WebSocketUpgrade.accept(request.head, on: channel, delegate: { _ in EchoDelegate(tell) })
      response = plain(.forbidden, "overruled")
    case "/bare": response = Response(status: .switchingProtocols)
    case "/refused": response = plain(.forbidden, "no")
    case "/body":
      let bytes = try await request.body.collect(upTo: 1 << 20)
      response = plain(.ok, "\(bytes.readableBytes)")
    default: response = plain(.ok, request.uri.path)
    }
    try await writer.write(response: response.head, body: response.body)
  }

  private static func plain(_ status: HTTPResponse.Status, _ text: String) -> Response {
    Response(
      status: status, headers: [.contentType: "text/plain"], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}

extension HTTPServerBuilder {
  /// A port whose deadlines only a connection that hangs misses.
  static func patientPort(
    unreadBody: Int = 8 * 1024 * 1024, connections: ConnectionLimits = ConnectionLimits()
  ) -> HTTPServerBuilder {
    .sharedPort(
      configuration: .init(
        idleTimeout: patience, headTimeout: TimeAmount(patience), unreadBody: unreadBody, connections: connections))
  }
}

/// Sends every message back, and tells what it was told.
final class EchoDelegate: SocketDelegate {
  private let tell: AsyncStream<String>.Continuation?

  init(_ tell: AsyncStream<String>.Continuation?) {
    self.tell = tell
  }

  func opened(_ socket: Realtime.Socket) {
    tell?.yield("opened \(socket.subprotocol ?? "-")")
    socket.send(text: "welcome")
  }

  func received(_ message: SocketMessage, on socket: Realtime.Socket) {
    switch message {
    case .text(let bytes): socket.send(text: bytes)
    case .binary(let bytes): socket.send(FrameEncoder.message(.binary, bytes, socket.deflate))
    }
  }

  func goingAway(_ socket: Realtime.Socket) {
    tell?.yield("going away")
    socket.send(text: "bookmark")
  }

  func closed(_ socket: Realtime.Socket, _ closure: SocketClosure) {
    tell?.yield("closed \(closure.origin) \(closure.code.rawValue)")
  }
}
