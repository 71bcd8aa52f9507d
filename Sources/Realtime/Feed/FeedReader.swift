import Domain
import NIOCore

/// One feed socket: a position, and what its channel takes. Confined to its event loop.
final class FeedReader: SocketDelegate {
  enum State {
    /// Stands where its loop stands, and its channel takes more.
    case live
    /// Has a position of its own, and pulls when its channel takes more.
    case behind
    /// Waits for a page of the log.
    case replaying
    case closed
  }

  private let hub: FeedHub
  private let loop: FeedLoop
  /// Until the socket is open: what it holds is much, and of no use afterwards.
  private var subscription: FeedSubscription?
  private var socket: Socket?
  private var watch: SessionWatch.Ticket?
  private var desk: VolatileDesk
  /// Messages from the client since then.
  private var messages = (count: 0, since: NIODeadline.uptimeNanoseconds(0))

  // What the loop and the lens keep here.
  let lens: FeedLens
  var state = State.closed
  /// The position of a reader that is not live.
  var cursor: Cursor
  var liveIndex: Int?
  var isPulling = false
  var isWaiting = false
  /// When it was last told a position by itself, and when the live readers were when it became one of them.
  private var told = (own: NIODeadline.uptimeNanoseconds(0), lens: NIODeadline.uptimeNanoseconds(0))
  private(set) var blockedSince: NIODeadline?
  /// What waits in its channel since then, in bytes.
  private var backlog = 0

  init(_ subscription: FeedSubscription, loop: FeedLoop) {
    self.subscription = subscription
    self.loop = loop
    hub = subscription.hub
    desk = VolatileDesk(subscription.volatility)
    lens = loop.lens(subscription.key)
    cursor = subscription.start
  }

  var isWritable: Bool { socket?.isWritable ?? false }
  /// Whether frames that were compressed for all may be sent here.
  var isDeflated: Bool { socket?.deflate?.takesSharedFrames ?? false }

  /// Behind everything that was written.
  var position: Cursor { state == .live ? loop.position : cursor }

  /// When it was last told a position.
  var toldAt: NIODeadline { state == .live && lens.toldAt > told.lens ? max(lens.toldAt, told.own) : told.own }

  func becomeLive() {
    guard let socket else { return }
    state = .live
    told.lens = lens.toldAt
    lens.addLive(self, socket.outlet)
  }

  func leaveLive(at cursor: Cursor) {
    told.own = toldAt
    state = .behind
    self.cursor = cursor
  }

  // MARK: The socket

  func opened(_ socket: Socket) {
    guard let subscription else { return }
    self.subscription = nil
    self.socket = socket
    state = .behind
    hub.metrics.subscribed(.socket)
    watch = hub.sessions.watch(subscription.caller) { reason in
      socket.close(.signInEnded, reason: reason)
    }
    write(FeedFrames.ready(subscription.start, subscription.bounds))
    // Writing may have found that the peer is gone.
    guard state != .closed else { return }
    loop.add(self)
    if subscription.isOutdated { fail(.goingAway, FeedLoop.rewound) }
  }

  /// The feed takes no messages. One here and there, as some clients send to keep a link, harms nobody.
  func received(_ message: SocketMessage, on socket: Socket) {
    if case .binary = message { return fail(.unsupportedData, "the feed speaks text") }
    let now = socket.eventLoop.now
    if now >= messages.since + .minutes(1) { messages = (0, now) }
    messages.count += 1
    if messages.count > Limits.feedMessages { fail(.tooMany, "the feed takes no messages") }
  }

  func writabilityChanged(_ socket: Socket) {
    guard socket.isWritable else {
      if blockedSince == nil { block(socket) }
      return
    }
    unblock()
    loop.pull(self)
    offerKept()
  }

  private func block(_ socket: Socket) {
    guard state != .closed else { return }
    blockedSince = socket.eventLoop.now
    backlog = socket.pendingBytes
    hub.backlog.add(backlog)
    if state == .live { loop.fallBehind(self) }
  }

  private func unblock() {
    blockedSince = nil
    hub.backlog.remove(backlog)
    backlog = 0
  }

  func goingAway(_ socket: Socket) {
    bookmark()
  }

  func closed(_ socket: Socket, _ closure: SocketClosure) {
    state = .closed
    unblock()
    loop.remove(self)
    if let watch { hub.sessions.unwatch(watch) }
    hub.metrics.unsubscribed(.socket, FeedEnd(closure))
    self.socket = nil
  }

  // MARK: What the loop tells it to do

  /// Frames with cursors.
  func write(_ frames: ByteBuffer) {
    guard let socket else { return }
    told.own = socket.eventLoop.now
    socket.deliver(frames)
  }

  func bookmark() {
    guard state != .closed, isWritable else { return }
    write(FeedFrames.bookmark(position))
  }

  /// Positions and presence: now, or when the channel takes more and their time has come, and then only the newest.
  func offer(_ batch: VolatileBatch) {
    guard let socket else { return }
    if let bytes = desk.take(batch, isWritable: isWritable, at: socket.eventLoop.now) { write(volatile: bytes) }
    if isWritable, !desk.isEmpty { loop.holdBack(self, until: desk.due) }
  }

  /// A channel that takes nothing calls when it takes more.
  func offerKept() {
    guard let socket, isWritable else { return }
    if let bytes = desk.takeKept(at: socket.eventLoop.now) { write(volatile: bytes) }
    if isWritable, !desk.isEmpty { loop.holdBack(self, until: desk.due) }
  }

  private func write(volatile frames: ByteBuffer) {
    socket?.deliver(frames)
  }

  /// Its position can't be served any more.
  func refuse(_ gap: CursorGap, _ bounds: LogBounds) {
    write(FeedFrames.gap(gap, bounds))
    fail(.gap, gap.rawValue)
  }

  func fail(_ code: CloseCode, _ reason: String) {
    guard state != .closed else { return }
    loop.remove(self)
    state = .closed
    unblock()
    socket?.close(code, reason: reason)
  }
}
