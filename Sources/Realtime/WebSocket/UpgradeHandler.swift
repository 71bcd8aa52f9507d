import Foundation
import NIOCore
import NIOHTTP1

/// Turns an HTTP/1.1 connection into a WebSocket when a route accepted one, after any number of earlier requests.
///
/// It stands right behind the HTTP decoder. The decoder stops at the end of a request that asks for an upgrade, since
/// what follows may be another protocol: when the answer is a 101 the HTTP handlers leave, the `WebSocketHandler` comes
/// in and gets the bytes that had already arrived; when it is anything else a new decoder goes on where the old stopped.
final class UpgradeHandler: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  typealias Decoder = ByteToMessageHandler<HTTPRequestDecoder>

  private enum State {
    /// No request that asks for an upgrade is under way.
    case plain
    /// The latest request asks for one; the decoder stops at its end.
    case asked(mayUpgrade: Bool, ended: Bool)
    /// The route accepted; its 101 has to follow.
    case accepted(PendingSocket)
    /// The 101's head is written.
    case answering(PendingSocket)
    /// The 101 is out: HTTP is leaving.
    case switching
    /// Another answer is out: the decoder is being renewed.
    case renewing
  }

  private let encoder: HTTPResponseEncoder
  private var decoder: Decoder
  private let makeDecoder: () -> Decoder
  /// What else leaves when HTTP does.
  private let companions: [any RemovableChannelHandler]
  private let httpSide: HTTPSide
  private let wheels: TimerWheels
  private var state = State.plain
  /// Requests whose answer has not ended yet; answers come in the requests' order.
  private var outstanding = 0
  private var isQuiescing = false
  private var inputClosed = false

  init(
    encoder: HTTPResponseEncoder, decoder: Decoder, companions: [any RemovableChannelHandler], httpSide: HTTPSide,
    wheels: TimerWheels, makeDecoder: @escaping () -> Decoder
  ) {
    self.encoder = encoder
    self.decoder = decoder
    self.companions = companions
    self.httpSide = httpSide
    self.wheels = wheels
    self.makeDecoder = makeDecoder
  }

  /// Arms the connection for the request being answered.
  func accept(_ pending: PendingSocket) throws(WebSocketUpgrade.Refusal) {
    guard !isQuiescing else { throw .unavailable }
    guard case .asked(let mayUpgrade, _) = state, outstanding == 1 else {
      throw .upgradeRequired("this request asks for no upgrade")
    }
    guard mayUpgrade else { throw .malformed("a WebSocket handshake is HTTP/1.1 and has no body") }
    state = .accepted(pending)
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      outstanding += 1
      state = head.asksForUpgrade ? .asked(mayUpgrade: head.mayUpgrade, ended: false) : .plain
    case .body:
      break
    case .end:
      if case .asked(let mayUpgrade, _) = state {
        state = .asked(mayUpgrade: mayUpgrade, ended: true)
        // The route answered before it had the whole body.
        if outstanding == 0 { renewDecoder(context) }
      }
    }
    context.fireChannelRead(data)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case is ChannelShouldQuiesceEvent:
      isQuiescing = true
      switch state {
      case .accepted, .answering, .switching:
        // The socket will be closed with 1001 instead of the connection without a word.
        break
      case .plain, .asked, .renewing:
        context.fireUserInboundEventTriggered(event)
      }
    case ChannelEvent.inputClosed:
      inputClosed = true
      context.fireUserInboundEventTriggered(event)
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  // MARK: Answers

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(let head):
      writeHead(context, head, promise)
    case .body:
      // A 101 has none (RFC 9110, section 15.2).
      if case .answering = state { promise?.succeed() } else { context.write(data, promise: promise) }
    case .end:
      context.write(data, promise: promise)
      answerEnded(context)
    }
  }

  private func writeHead(_ context: ChannelHandlerContext, _ head: HTTPResponseHead, _ promise: EventLoopPromise<Void>?)
  {
    var head = head
    switch state {
    case .accepted(let pending) where head.status == .switchingProtocols:
      state = .answering(pending)
      head.headers.remove(name: "Content-Length")
      head.headers.remove(name: "Transfer-Encoding")
    case .accepted where head.status.code >= 200:
      // Something between route and connection answered in its stead.
      state = .asked(mayUpgrade: true, ended: true)
      if isQuiescing { context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    case _ where head.status == .switchingProtocols:
      // A 101 that nobody accepted would leave both sides with different protocols.
      promise?.fail(ChannelError.operationUnsupported)
      context.close(promise: nil)
      return
    default:
      break
    }
    context.write(wrapOutboundOut(.head(head)), promise: promise)
  }

  private func answerEnded(_ context: ChannelHandlerContext) {
    outstanding -= 1
    guard outstanding == 0 else { return }
    switch state {
    case .answering(let pending):
      state = .switching
      context.flush()
      // Not inside this write: the handlers behind are still on the stack.
      context.eventLoop.assumeIsolated().execute { self.becomeWebSocket(context, pending) }
    case .asked(_, ended: true):
      renewDecoder(context)
    case .plain, .asked, .accepted, .switching, .renewing:
      break
    }
  }

  // MARK: Changing the pipeline

  private func becomeWebSocket(_ context: ChannelHandlerContext, _ pending: PendingSocket) {
    guard context.channel.isActive, !inputClosed else {
      context.close(promise: nil)
      return
    }
    let pipeline = context.pipeline.syncOperations
    let socket = WebSocketHandler(
      pending, wheel: wheels.wheel(on: context.eventLoop), now: context.eventLoop.now)
    // The encoder leaves first, so that the socket can write as soon as it is in; the decoder last: as it leaves it
    // hands the bytes that it holds to what stands behind it, which is the socket by then.
    let leaving: [any RemovableChannelHandler] = [encoder] + companions + [self]
    for handler in leaving {
      pipeline.removeHandler(handler, promise: nil)
    }
    do {
      try pipeline.addHandler(socket, position: .after(decoder))
    } catch {
      // Only when the channel closed in between: there is nobody left to serve.
      context.channel.close(promise: nil)
      return
    }
    httpSide.leave()
    let channel = context.channel
    let quiesce = isQuiescing
    pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
      socket.leftoversEnded()
      if quiesce { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }
  }

  private func renewDecoder(_ context: ChannelHandlerContext) {
    state = .renewing
    let pipeline = context.pipeline.syncOperations
    let catcher = LeftoverCatcher()
    let fresh = makeDecoder()
    do {
      try pipeline.addHandler(catcher, position: .after(decoder))
    } catch {
      context.close(promise: nil)
      return
    }
    pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
      guard context.channel.isActive else { return }
      do {
        try pipeline.addHandler(fresh, position: .before(catcher))
        pipeline.removeHandler(catcher, promise: nil)
        self.decoder = fresh
        self.state = .plain
        let front = try pipeline.context(handler: self.encoder)
        if let bytes = catcher.bytes {
          front.fireChannelRead(NIOAny(bytes))
          front.fireChannelReadComplete()
        }
      } catch {
        context.close(promise: nil)
      }
    }
  }
}

/// Takes what a leaving decoder still holds.
private final class LeftoverCatcher: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer

  private(set) var bytes: ByteBuffer?

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var more = unwrapInboundIn(data)
    if bytes == nil { bytes = more } else { bytes?.writeBuffer(&more) }
  }
}

extension HTTPRequestHead {
  /// llhttp's rule, which makes the decoder stop at the request's end: CONNECT, or `Upgrade` named by `Connection`.
  var asksForUpgrade: Bool {
    if method == .CONNECT { return true }
    guard headers.contains(name: "Upgrade") else { return false }
    return headers["Connection"].flatMap { $0.split(separator: ",") }.contains { token in
      token.trimmingCharacters(in: CharacterSet(charactersIn: " ")).lowercased() == "upgrade"
    }
  }

  /// Whether `Connection` says "upgrade" in a way on which two parsers might differ. Where a request ends depends on
  /// the answer, so such a request is refused.
  var asksUnclearly: Bool {
    guard headers.contains(name: "Upgrade"), !asksForUpgrade else { return false }
    return headers["Connection"].contains { $0.lowercased().contains("upgrade") }
  }

  /// RFC 9110, section 7.8, and RFC 6455, section 4.1: not before HTTP/1.1, by GET, without a body.
  var mayUpgrade: Bool {
    version == .http1_1 && method == .GET && !headers.contains(name: "Transfer-Encoding")
      && headers["Content-Length"].allSatisfy { $0 == "0" }
  }
}
