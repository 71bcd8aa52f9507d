import Domain
import NIOCore
import NIOEmbedded
import NIOTLS
import Testing

@testable import Realtime

@Suite struct WebhookExchangeTests {
  /// TLS closes when the other side has said goodbye, too; this side never does.
  private final class SlowToClose: ChannelOutboundHandler, Sendable {
    typealias OutboundIn = Any

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {}
  }

  /// A certificate may be looked at before there is anything to send, and the connection is still open then.
  @Test func whatIsNotTrustedIsNamedToWhoeverSendsLater() throws {
    let exchange = WebhookExchange(name: "hook.test")
    let channel = EmbeddedChannel(handlers: [SlowToClose(), exchange])
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 443)).wait()
    channel.pipeline.fireUserInboundEventTriggered(TLSUserEvent.handshakeCompleted(negotiatedProtocol: nil))
    let request = WebhookRequest(id: "event-1", body: "{}", secret: [1], at: Instant(seconds: 0))
    let url = try #require(WebhookURL("https://hook.test/"))
    let promise = channel.eventLoop.makePromise(of: WebhookAnswer.self)
    exchange.send(request.head(for: url), request.body, by: .now() + .seconds(60), promise)
    channel.pipeline.fireChannelInactive()
    #expect(throws: WebhookFailure.tls) { try promise.futureResult.wait() }
    #expect(try channel.readOutbound(as: Any.self) == nil)
  }
}
