import Domain
import NIOCore
import NIOHTTP1
import NIOSSL
import NIOTLS

/// The end of a connection's pipeline: sends requests one after another, and reads of each answer the status.
final class WebhookExchange: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private var context: ChannelHandlerContext?
  private var awaited: EventLoopPromise<WebhookAnswer>?
  private var answer: WebhookAnswer?
  private var received = 0
  private var limit: Scheduled<Void>?
  /// Why the connection ended while nothing was awaited.
  private var ended: WebhookFailure?
  /// What the certificate must be good for; nil where the receiver is named by its address, or there is no TLS.
  private let name: String?
  /// Nothing is written before the certificate was looked at.
  private var isTrusted: Bool
  private var held: (() -> Void)?

  init(name: String?) {
    self.name = name
    isTrusted = name == nil
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    held = nil
    end(.closed)
  }

  func send(
    _ head: HTTPRequestHead, _ body: [UInt8], by deadline: NIODeadline, _ promise: EventLoopPromise<WebhookAnswer>
  ) {
    // Under TLS a connection that ended stays active until the other side has said goodbye, too.
    guard let context, context.channel.isActive, ended == nil, awaited == nil else {
      return promise.fail(ended ?? .closed)
    }
    awaited = promise
    answer = nil
    received = 0
    limit = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.end(.timeout) }
    let write = {
      context.write(self.wrapOutboundOut(.head(head)), promise: nil)
      context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
      context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }
    if isTrusted { write() } else { held = write }
  }

  /// NIOSSL takes a certificate for the address that was connected to as well. Whoever answers at an address that a
  /// name's server was made to give may have one for that: here the name has to stand in it.
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted = event as? TLSUserEvent, let name {
      let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
      let names = certificate.map { $0._subjectAlternativeNames() }
      let isNamed = names?.contains { other in
        other.nameType == .dnsName
          && CertificateName.covers(String(decoding: other.contents, as: UTF8.self), host: name)
      }
      if isNamed == true {
        isTrusted = true
        held?()
        held = nil
      } else {
        held = nil
        end(.tls)
        context.close(promise: nil)
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  /// Ends what is awaited, and the connection with it. A status that has come counts, whatever comes behind it.
  func end(_ failure: WebhookFailure) {
    guard let promise = take() else {
      ended = ended ?? failure
      return
    }
    if let answer {
      promise.succeed(WebhookAnswer(status: answer.status, keepsAlive: false))
    } else {
      promise.fail(failure)
    }
    context?.close(promise: nil)
  }

  private func take() -> EventLoopPromise<WebhookAnswer>? {
    defer { awaited = nil }
    limit?.cancel()
    limit = nil
    return awaited
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): answer = WebhookAnswer(status: Int64(head.status.code), keepsAlive: head.isKeepAlive)
    case .body(let bytes):
      received += bytes.readableBytes
      if received > Limits.webhookAnswerBytes { end(.closed) }
    case .end:
      if let answer { take()?.succeed(answer) }
      if answer?.keepsAlive != true { context.close(promise: nil) }
      answer = nil
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(.closed)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    end(Self.failure(for: error))
    context.close(promise: nil)
  }

  static func failure(for error: any Error) -> WebhookFailure {
    switch error {
    case let failure as WebhookFailure: failure
    // Many close without a word; the certificate was good.
    case NIOSSLError.uncleanShutdown: .closed
    case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: .tls
    case is HTTPParserError: .notHTTP
    default: .closed
    }
  }
}

/// An open connection to a receiver, usable from any thread, for one request at a time.
struct WebhookConnection: Sendable {
  private let channel: any Channel
  private let exchange: NIOLoopBound<WebhookExchange>

  /// Builds the pipeline; on the channel's event loop only.
  /// - Parameter name: what the certificate must be good for; nil where the receiver is named by its address.
  init(_ channel: any Channel, tls: NIOSSLContext?, name: String?) throws {
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderListSize = Limits.webhookHeaderBytes
    let exchange = WebhookExchange(name: tls == nil ? nil : name)
    let pipeline = channel.pipeline.syncOperations
    if let tls { try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name)) }
    try pipeline.addHandler(HTTPRequestEncoder())
    try pipeline.addHandler(
      ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)))
    try pipeline.addHandler(exchange)
    self.channel = channel
    self.exchange = NIOLoopBound(exchange, eventLoop: channel.eventLoop)
  }

  /// Throws `WebhookFailure`.
  func post(_ request: WebhookRequest, to url: WebhookURL, by deadline: NIODeadline) async throws -> WebhookAnswer {
    let promise = channel.eventLoop.makePromise(of: WebhookAnswer.self)
    channel.eventLoop.execute { [exchange] in
      exchange.value.send(request.head(for: url), request.body, by: deadline, promise)
    }
    return try await withTaskCancellationHandler {
      try await promise.futureResult.get()
    } onCancel: {
      channel.close(promise: nil)
    }
  }

  func close() { channel.close(promise: nil) }
}
