import ArgumentParser
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Realtime
import ServiceLifecycle
import UnixSignals

/// A WebSocket that sends every message back, on the product's own engine and with nothing of the product behind it:
/// what conformance tools talk to (ops/test-autobahn).
struct EchoBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "echo", abstract: "Echoes WebSocket messages on loopback, on any path, for conformance tools.")

  @Option(help: "The port on 127.0.0.1; 0 takes a free one, which is printed.") var port: Int

  /// Conformance tools send messages of 16 MiB, whole and in fragments. They take a ping of ours for a mistake, so a
  /// peer may be quiet for as long as it likes.
  private static let limits = SocketLimits(
    frame: 64 * 1024 * 1024, message: 64 * 1024 * 1024, pending: 256 * 1024 * 1024, quiet: .hours(24))

  func validate() throws {
    guard (0...65_535).contains(port) else { throw ValidationError("--port is a number from 0 to 65535.") }
  }

  func run() async throws {
    var logger = Logger(label: "hoichan", factory: { StreamLogHandler.standardError(label: $0) })
    logger.logLevel = .warning
    let connections = ConnectionLimits()
    let server = try HTTPServerBuilder.sharedPort(configuration: .init(connections: connections)).buildServer(
      configuration: .init(address: .hostname("127.0.0.1", port: port)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger,
      responder: { request, writer, channel in
        try await Self.respond(request, writer, channel)
      },
      onServerRunning: { channel in say("ws://127.0.0.1:\(channel.localAddress?.port ?? 0)") })
    let group = ServiceGroup(
      configuration: .init(
        services: [.init(service: DrainedServer(server: server, connections: connections))],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw ValidationError("127.0.0.1:\(port) is taken by another program.")
    }
  }

  private static func respond(
    _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
  ) async throws {
    let response: Response
    do {
      let headers = try await WebSocketUpgrade.accept(
        request.head, on: channel, limits: limits, delegate: { _ in Echo() })
      response = Response(status: .switchingProtocols, headers: headers)
    } catch let refusal as WebSocketUpgrade.Refusal {
      switch refusal {
      case .upgradeRequired:
        response = Response(status: .upgradeRequired, headers: WebSocketUpgrade.refusalHeaders)
      case .malformed: response = Response(status: .badRequest)
      case .unavailable: response = Response(status: .serviceUnavailable)
      }
    }
    try await writer.write(response: response.head, body: response.body)
  }
}

private final class Echo: SocketDelegate {
  func opened(_ socket: Realtime.Socket) {}

  func received(_ message: SocketMessage, on socket: Realtime.Socket) {
    switch message {
    case .text(let bytes): socket.send(text: bytes)
    case .binary(let bytes): socket.send(FrameEncoder.message(.binary, bytes, socket.deflate))
    }
  }

  func closed(_ socket: Realtime.Socket, _ closure: SocketClosure) {}
}
