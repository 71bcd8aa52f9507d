import NIOCore
import NIOHTTP1

/// What must hold of every request before anything looks at it: its head arrives in time, it says one thing only, and
/// the connection is within the limits. The first failure goes down the pipeline as an error; Hummingbird's loop, when
/// it has answered what came before, writes its bare 400 for it, which becomes a problem document here. Whatever comes
/// behind a failure is read and dropped, so that the answer is not lost to a reset.
final class RequestGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// How long a peer may take to close after we have.
  static let lingerTimeout = TimeAmount.seconds(2)

  private let headTimeout: TimeAmount
  private let unreadBody: Int
  private let refusal: ConnectionProblem?
  private var deadline: Scheduled<Void>?
  private var problem: ConnectionProblem?
  /// Nothing that arrives is looked at any more.
  private var isDropping = false
  /// Requests whose answer has not ended yet.
  private var outstanding = 0
  /// Bytes of a head have come, and the head has not.
  private var headBegun = false
  private var isInsideRequest = false
  /// Bytes of a body that came after its answer.
  private var unreadBytes = 0
  private var closesAfterAnswer = false

  init(headTimeout: TimeAmount, unreadBody: Int, refusal: ConnectionProblem?) {
    self.headTimeout = headTimeout
    self.unreadBody = unreadBody
    self.refusal = refusal
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { startDeadline(context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    startDeadline(context)
    context.fireChannelActive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    deadline?.cancel()
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDropping else { return }
    switch unwrapInboundIn(data) {
    case .head(let head):
      readHead(context, head)
    case .body(let bytes):
      if outstanding == 0 { unreadBytes += bytes.readableBytes }
      if unreadBytes > unreadBody {
        // Answered long ago, and it goes on and on.
        close(context: context, mode: .output, promise: nil)
      } else {
        context.fireChannelRead(data)
      }
    case .end:
      isInsideRequest = false
      context.fireChannelRead(data)
    }
  }

  private func readHead(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
    deadline?.cancel()
    deadline = nil
    headBegun = false
    if let problem = refusal ?? Self.problem(with: head) {
      fail(context, problem)
      return
    }
    isInsideRequest = true
    unreadBytes = 0
    outstanding += 1
    guard !head.isKeepAlive || head.version == .http1_0 else {
      context.fireChannelRead(wrapInboundOut(.head(head)))
      return
    }
    // Said in the one way that Hummingbird's loop, which sees no version, understands.
    closesAfterAnswer = true
    var head = head
    head.headers.replaceOrAdd(name: "Connection", value: "close")
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if isDropping {
      // The loop behind reads no more.
      context.read()
    } else if !isInsideRequest, outstanding == 0 {
      // Bytes came that make no head yet.
      headBegun = true
      startDeadline(context)
    }
    context.fireChannelReadComplete()
  }

  /// What llhttp lets pass although a request must not have it (RFC 9112, sections 3.2 and 3.3): Host, and the target's
  /// characters. NIO repairs broken UTF-8 silently, so anything beyond ASCII is refused.
  private static func problem(with head: HTTPRequestHead) -> ConnectionProblem? {
    guard head.uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      return .malformed("The request's target has characters that must be percent-encoded.")
    }
    let hosts = head.headers["Host"]
    guard hosts.count == 1 || hosts.isEmpty && head.version == .http1_0 else {
      return .malformed("The request must have one Host header.")
    }
    guard !head.asksUnclearly else {
      return .malformed("The Connection header is unclear.")
    }
    return nil
  }

  // MARK: Failures

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? HTTPParserError {
      fail(context, .malformed(error), error)
    } else {
      context.fireErrorCaught(error)
    }
  }

  private func fail(
    _ context: ChannelHandlerContext, _ problem: ConnectionProblem, _ error: HTTPParserError = .unknown
  ) {
    guard self.problem == nil, !isDropping else { return }
    self.problem = problem
    isDropping = true
    deadline?.cancel()
    context.fireErrorCaught(error)
    context.read()
  }

  private func startDeadline(_ context: ChannelHandlerContext) {
    guard deadline == nil else { return }
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: headTimeout) {
      if self.headBegun {
        self.fail(context, .tooSlow)
      } else {
        // Connected and said nothing: there is nothing to answer.
        context.close(promise: nil)
      }
    }
  }

  // MARK: Answers

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    switch unwrapOutboundIn(data) {
    case .head(var head):
      if let problem, head.status == .badRequest, head.headers["Content-Length"] == ["0"] {
        context.write(wrapOutboundOut(.head(problem.head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(problem.body))), promise: promise)
        return
      }
      if closesAfterAnswer, outstanding == 1 {
        head.headers.replaceOrAdd(name: "Connection", value: "close")
      }
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body:
      context.write(data, promise: promise)
    case .end:
      outstanding -= 1
      context.write(data, promise: promise)
    }
  }

  /// Our side is done: the peer gets a moment to read the answer and to close its own, and no more than that.
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else {
      context.close(mode: mode, promise: promise)
      return
    }
    deadline?.cancel()
    isDropping = true
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTimeout) {
      context.close(promise: nil)
    }
    context.close(mode: .output, promise: promise)
    context.read()
  }
}
