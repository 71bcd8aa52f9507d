import NIOCore

/// One WebSocket at the front of its channel: decodes the peer's frames for the delegate, answers pings, keeps the link
/// alive and runs the close handshake (RFC 6455, sections 5.5 and 7). What Hummingbird's HTTP loop left at the
/// channel's end sees neither reads nor writes through it, only the channel's end.
final class WebSocketHandler: ChannelDuplexHandler, RemovableChannelHandler, TimerWheelMember {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Phase {
    case open
    /// Our close frame went first; the peer's is awaited, its messages are dropped.
    case closeSent
    /// The peer failed the protocol: close frame and FIN are out, its bytes are dropped till it goes.
    case failed
    /// Both close frames are exchanged, or the connection broke.
    case ended
  }

  /// How long a stopping server waits for the peer's close frame.
  static let goingAwayTimeout = TimeAmount.seconds(2)
  /// How long a failed peer may take to read our close frame.
  static let failedTimeout = TimeAmount.seconds(2)

  private let limits: SocketLimits
  private let wheel: TimerWheel
  /// Until the socket is open.
  private var pending: PendingSocket?
  private var context: ChannelHandlerContext?
  private var socket: Socket?
  private var delegate: (any SocketDelegate)?

  private var phase = Phase.open
  private var decoder: FrameDecoder
  private var input = ByteBuffer()
  private var isDecoding = false
  /// The channel's, kept here: asking it at every write would cost more than the write.
  private var isWritable = true
  private var direct: DirectSocket?
  /// Whether all that was given to the channel has left it.
  private var isDrained = false
  private var isPaused = false
  private var heldRead = false
  private var isReading = false
  private var needsFlush = false
  private var heldPong: ByteBuffer?
  /// HTTP's loop, which waited behind this handler, has been told that its connection ended.
  private var isAlone = false
  private var liveness: Liveness
  var wheelPlace: TimerWheel.Place?
  private var deadline: Scheduled<Void>?
  /// How we closed, until the delegate has heard it.
  private var ownClosure: SocketClosure?

  init(_ pending: PendingSocket, wheel: TimerWheel, now: NIODeadline) {
    self.limits = pending.limits
    self.wheel = wheel
    self.pending = pending
    self.decoder = FrameDecoder(limits: limits, deflates: pending.deflate != nil)
    self.liveness = Liveness(quiet: limits.quiet, timeout: limits.pongTimeout, now: now)
  }

  // MARK: Life in the pipeline

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    isWritable = context.channel.isWritable
    direct = DirectSocket(under: context.channel)
    guard let pending else { return }
    // What it holds was the request's.
    self.pending = nil
    let socket = Socket(self, channel: context.channel, pending)
    let delegate = pending.makeDelegate(socket)
    self.socket = socket
    self.delegate = delegate
    if let time = checkLiveness(at: context.eventLoop.now) { wheel.put(self, at: time) }
    delegate.opened(socket)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    connectionLost()
    self.context = nil
    socket = nil
  }

  func channelInactive(context: ChannelHandlerContext) {
    connectionLost()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A broken connection or TLS session: nothing can be said to the peer any more, and nobody behind needs to hear it.
    connectionLost()
    context.close(promise: nil)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case is ChannelShouldQuiesceEvent:
      goAway()
    case ChannelEvent.inputClosed:
      // The peer will send no close frame. A WebSocket has no half-open state (section 7.1.1).
      connectionLost()
      context.close(promise: nil)
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  /// Nothing behind a WebSocket has anything to write: a late HTTP part is refused.
  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    promise?.fail(ChannelError.operationUnsupported)
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    // HTTP's loop closes what it was told has ended. The socket goes on.
    if isAlone { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
  }

  // MARK: Reading

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase == .open || phase == .closeSent else { return }
    isReading = true
    liveness.heard(at: context.eventLoop.now)
    var bytes = unwrapInboundIn(data)
    if input.readableBytes == 0 {
      input = bytes
    } else {
      input.writeBuffer(&bytes)
    }
    decode()
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    if needsFlush { flush() }
    context.fireChannelReadComplete()
    readMore()
  }

  /// The bytes that had come behind the handshake are in: what they were answered goes out. For HTTP's loop, which
  /// still waits behind this handler, the connection ends here.
  func leftoversEnded() {
    isReading = false
    flush()
    isAlone = true
    context?.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    readMore()
  }

  func read(context: ChannelHandlerContext) { readMore() }

  /// Nobody behind asks for more once HTTP's loop has ended there.
  private func readMore() {
    if isPaused {
      heldRead = true
    } else {
      context?.read()
    }
  }

  func pauseReads() {
    if phase == .open { isPaused = true }
  }

  func resumeReads() {
    guard isPaused else { return }
    isPaused = false
    // The peer could not be heard meanwhile.
    if let context { liveness.heard(at: context.eventLoop.now) }
    decode()
    guard !isPaused, heldRead else { return }
    heldRead = false
    context?.read()
  }

  private func decode() {
    guard !isDecoding else { return }
    isDecoding = true
    defer { isDecoding = false }
    do throws(ProtocolFailure) {
      while !isPaused, phase == .open || phase == .closeSent, let event = try decoder.next(&input) {
        handle(event)
      }
      if input.readableBytes == 0 { input = ByteBuffer() }
    } catch {
      fail(error)
    }
  }

  private func handle(_ event: FrameEvent) {
    switch event {
    case .message(let message):
      if phase == .open, let socket { delegate?.received(message, on: socket) }
    case .ping(let payload):
      if phase == .open { answer(payload) }
    case .pong:
      break
    case .close(let code, let reason):
      peerClosed(code, reason)
    }
  }

  /// While the peer does not read, only its latest ping is remembered (section 5.5.3 allows it): pings can't pile up.
  private func answer(_ payload: ByteBuffer) {
    if isWritable {
      send(FrameEncoder.frame(.pong, payload))
    } else {
      heldPong = payload
    }
  }

  // MARK: Writing

  func send(_ frame: ByteBuffer) {
    guard write(frame) else { return }
    if isReading {
      needsFlush = true
    } else {
      flush()
    }
  }

  /// Sends frames that are shared by many, now: past the channel while nothing waits in it.
  /// - Returns: whether they go out; not any more when the socket is closing.
  @discardableResult
  func deliver(_ frames: ByteBuffer) -> Bool {
    guard phase == .open else { return false }
    if !isDrained { isDrained = pendingBytes == 0 }
    var rest = frames
    if isDrained, let direct {
      rest.moveReaderIndex(forwardBy: direct.send(frames))
      if rest.readableBytes == 0 { return true }
    }
    guard write(rest) else { return false }
    flush()
    return true
  }

  /// - Returns: whether it was queued; not any more when the socket is closing, or its peer is too far behind.
  private func write(_ frame: ByteBuffer) -> Bool {
    guard phase == .open, let context else { return false }
    if !isWritable, pendingBytes + frame.readableBytes > limits.pending {
      close(.tooSlow, reason: "does not read")
      return false
    }
    isDrained = false
    context.write(wrapOutboundOut(frame), promise: nil)
    return true
  }

  private func flush() {
    needsFlush = false
    context?.flush()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    isWritable = context.channel.isWritable
    if phase == .open, let socket {
      if isWritable, let payload = heldPong {
        heldPong = nil
        send(FrameEncoder.frame(.pong, payload))
      }
      delegate?.writabilityChanged(socket)
    }
    context.fireChannelWritabilityChanged()
  }

  var pendingBytes: Int {
    // Every channel we run on knows; one that does not is not bounded here but by its own buffer.
    (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  // MARK: Keeping the link

  func wheelTurned(at now: NIODeadline) -> NIODeadline? { checkLiveness(at: now) }

  /// - Returns: when to look again.
  private func checkLiveness(at now: NIODeadline) -> NIODeadline? {
    guard phase == .open, let context else { return nil }
    if isPaused { liveness.heard(at: now) }
    switch liveness.check(at: now) {
    case .wait(let until):
      return until
    case .ping(let next):
      send(Self.ping)
      return next
    case .dead:
      end(SocketClosure(origin: .network, code: .abnormal, reason: "no sign of life"))
      context.close(promise: nil)
      return nil
    }
  }

  private static let ping = FrameEncoder.frame(.ping, ByteBuffer())

  // MARK: Closing (section 7)

  /// Our close: frame now, the delegate on the next turn (it may be the caller), the channel when the peer has answered
  /// or its time is over.
  func close(_ code: CloseCode, reason: String) {
    close(code, reason: reason, timeout: limits.closeTimeout)
  }

  private func close(_ code: CloseCode, reason: String, timeout: TimeAmount) {
    guard phase == .open, let context else { return }
    context.writeAndFlush(wrapOutboundOut(FrameEncoder.close(code, reason: reason)), promise: nil)
    phase = .closeSent
    closeChannel(after: timeout)
    let closure = SocketClosure(origin: .server, code: code, reason: reason)
    ownClosure = closure
    context.eventLoop.assumeIsolated().execute { self.tellDelegate(closure) }
    resumeReads()
  }

  private func goAway() {
    guard phase == .open, let socket else { return }
    delegate?.goingAway(socket)
    close(.goingAway, reason: "server is stopping", timeout: Self.goingAwayTimeout)
  }

  private func peerClosed(_ code: CloseCode, _ reason: String) {
    guard let context else { return }
    let answers = phase == .open
    end(SocketClosure(origin: .peer, code: code, reason: reason))
    guard answers else {
      context.close(promise: nil)
      return
    }
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    context.writeAndFlush(wrapOutboundOut(FrameEncoder.close(code)), promise: written)
    closeChannel(after: limits.closeTimeout)
  }

  /// Section 7.1.7. FIN follows the close frame at once, and what the peer still sends is read and dropped: to close
  /// with bytes unread would reset the connection, and the peer might never see why.
  private func fail(_ failure: ProtocolFailure) {
    guard let context else { return }
    let wasOpen = phase == .open
    end(SocketClosure(origin: .server, code: failure.code, reason: failure.reason), phase: .failed)
    guard wasOpen else {
      context.close(promise: nil)
      return
    }
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { _ in context.close(mode: .output, promise: nil) }
    context.writeAndFlush(
      wrapOutboundOut(FrameEncoder.close(failure.code, reason: failure.reason)), promise: written)
    closeChannel(after: Self.failedTimeout)
  }

  private func connectionLost() {
    deadline?.cancel()
    guard phase != .ended else { return }
    end(SocketClosure(origin: .network, code: .abnormal, reason: "connection lost"))
  }

  private func end(_ closure: SocketClosure, phase: Phase = .ended) {
    self.phase = phase
    input = ByteBuffer()
    tellDelegate(closure)
  }

  private func tellDelegate(_ closure: SocketClosure) {
    wheel.remove(self)
    guard let delegate, let socket else { return }
    self.delegate = nil
    delegate.closed(socket, ownClosure ?? closure)
  }

  private func closeChannel(after timeout: TimeAmount) {
    guard let context else { return }
    deadline?.cancel()
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
      context.close(promise: nil)
    }
  }
}
