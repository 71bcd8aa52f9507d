package import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1
package import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// One port for HTTP and WebSockets: Hummingbird's HTTP/1.1 child channel, whose connections can become WebSockets
/// (`WebSocketUpgrade.accept`) and which answers what is no valid request with a problem document. `HTTPServerBuilder
/// .sharedPort()` makes it; `.tls(.sharedPort(), tlsConfiguration:)` puts TLS in front.
package struct SharedPortChannel: ServerChildChannel, HTTPChannelHandler {
  package typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

  package struct Configuration: Sendable {
    /// A connection between two requests, or stalled inside one, is closed after this.
    package var idleTimeout: Duration
    /// A request's head must be complete so long after the connection, or after its own first bytes.
    package var headTimeout: TimeAmount
    /// Bytes of one header field, and of the request's line.
    package var headerFieldSize: Int
    /// Bytes of the request's line and all headers together.
    package var headerListSize: Int
    package var headerCount: Int
    /// Bytes of a request's body that are read and dropped after its answer; more closes the connection.
    package var unreadBody: Int
    package var connections: ConnectionLimits

    package init(
      idleTimeout: Duration = .seconds(60), headTimeout: TimeAmount = .seconds(10), headerFieldSize: Int = 16 * 1024,
      headerListSize: Int = 64 * 1024, headerCount: Int = 100, unreadBody: Int = 8 * 1024 * 1024,
      connections: ConnectionLimits = ConnectionLimits()
    ) {
      self.idleTimeout = idleTimeout
      self.headTimeout = headTimeout
      self.headerFieldSize = headerFieldSize
      self.headerListSize = headerListSize
      self.headerCount = headerCount
      self.unreadBody = unreadBody
      self.connections = connections
    }
  }

  package let responder: HTTPChannelHandler.Responder
  package let configuration: Configuration
  private let wheels = TimerWheels()

  package init(responder: @escaping HTTPChannelHandler.Responder, configuration: Configuration = Configuration()) {
    self.responder = responder
    self.configuration = configuration
  }

  package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      var refusal: ConnectionProblem?
      switch configuration.connections.admit(channel) {
      case .admitted: break
      case .refused(let problem): refusal = problem
      case .dropped: channel.eventLoop.execute { channel.close(promise: nil) }
      }
      let httpSide = HTTPSide(channel)
      try addHandlers(to: channel, httpSide, refusal: refusal, logger: logger)
      return try NIOAsyncChannel(
        wrappingChannelSynchronously: httpSide, configuration: .init(isOutboundHalfClosureEnabled: true))
    }
  }

  /// Bytes side first. The same as Hummingbird's HTTP1Channel, with the guard and the upgrade between decoder and codec.
  private func addHandlers(
    to channel: any Channel, _ httpSide: HTTPSide, refusal: ConnectionProblem?, logger: Logger
  ) throws {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = configuration.headerFieldSize
    limits.maxHeaderListSize = configuration.headerListSize
    limits.maxHeaderFieldCount = configuration.headerCount
    let makeDecoder = {
      ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
    }
    let encoder = HTTPResponseEncoder()
    let decoder = makeDecoder()
    let requestGuard = RequestGuard(
      headTimeout: configuration.headTimeout, unreadBody: configuration.unreadBody, refusal: refusal)
    let codec = HTTP1ToHTTPServerCodec(secure: false)
    let connectionState = HTTPConnectionStateHandler(idleTimeout: configuration.idleTimeout, logger: logger)
    let upgrade = UpgradeHandler(
      encoder: encoder, decoder: decoder, companions: [requestGuard, codec, connectionState],
      httpSide: httpSide, wheels: wheels, makeDecoder: makeDecoder)
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(encoder)
    try pipeline.addHandler(decoder)
    try pipeline.addHandler(requestGuard)
    try pipeline.addHandler(upgrade)
    try pipeline.addHandler(codec)
    try pipeline.addHandler(connectionState)
  }

  /// Hummingbird's own loop: one request after the other. For it a connection that becomes a WebSocket has ended.
  package func handle(value: Value, logger: Logger) async {
    // Requests are answered on their connection's own event loop: a hop to a pool and back costs more than most answers
    // do. Whatever blocks has threads of its own.
    await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
      await handleHTTP(asyncChannel: value, logger: logger)
    }
  }
}

/// Runs tasks on an event loop.
private final class EventLoopExecutor: TaskExecutor {
  private let eventLoop: any EventLoop

  init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

extension HTTPServerBuilder {
  /// HTTP/1.1 and WebSockets on one port.
  package static func sharedPort(
    configuration: SharedPortChannel.Configuration = SharedPortChannel.Configuration()
  ) -> HTTPServerBuilder {
    HTTPServerBuilder { responder in
      SharedPortChannel(responder: responder, configuration: configuration)
    }
  }
}
