import NIOCore
import NIOEmbedded
import Testing

@testable import Realtime

/// The socket on a channel whose time and bytes the test holds.
@Suite struct WebSocketHandlerTests {
  @Test func deliversMessages() throws {
    let peer = try Peer()
    #expect(peer.delegate.told == ["opened"])
    try peer.send(frame(.text, "xin chào") + frame(.binary, [1, 2]))
    #expect(peer.delegate.told == ["opened", "text xin chào", "binary 2"])
  }

  @Test func answersPings() throws {
    let peer = try Peer()
    try peer.send(frame(.ping, "abc"))
    #expect(try peer.sent() == [.pong(ByteBuffer(string: "abc"))])
    try peer.send(frame(.pong, "unasked"))
    #expect(try peer.sent() == [])
  }

  @Test func flushesABatchOnce() throws {
    let peer = try Peer()
    peer.delegate.onMessage = { socket in
      socket.send(text: "a")
      socket.send(text: "b")
    }
    try peer.channel.pipeline.syncOperations.addHandler(peer.flushes, position: .first)
    try peer.send(frame(.text, "1") + frame(.text, "2"))
    #expect(peer.flushes.count == 1)
    #expect(try peer.sent().count == 4)
  }

  @Test func writesOneFrameForAll() throws {
    let shared = FrameEncoder.text("event")
    for _ in 0..<3 {
      let peer = try Peer()
      peer.socket.deliver(shared)
      #expect(try peer.sent() == [.message(.text(ByteBuffer(string: "event")))])
    }
  }

  // MARK: Closing

  @Test func answersThePeersClose() throws {
    let peer = try Peer()
    try peer.send(frame(.text, "last") + frame(.close, [0x03, 0xE9]) + frame(.text, "ignored"))
    #expect(try peer.sent() == [.close(.goingAway, reason: "")])
    #expect(peer.delegate.told == ["opened", "text last", "closed peer 1001 "])
    #expect(!peer.channel.isActive)
  }

  @Test func answersAnEmptyCloseWithAnEmptyOne() throws {
    let peer = try Peer()
    try peer.send(frame(.close, []))
    #expect(try peer.sent() == [.close(.noStatus, reason: "")])
    #expect(peer.delegate.told.last == "closed peer 1005 ")
  }

  @Test func closesAndWaitsForThePeer() throws {
    let peer = try Peer()
    peer.socket.send(text: "before")
    peer.socket.close(.signInEnded, reason: "signed out")
    peer.socket.send(text: "after")
    peer.socket.close(.normal)
    #expect(
      try peer.sent() == [.message(.text(ByteBuffer(string: "before"))), .close(.signInEnded, reason: "signed out")])
    peer.channel.embeddedEventLoop.run()
    #expect(peer.delegate.told == ["opened", "closed server 4401 signed out"])
    #expect(peer.channel.isActive)
    try peer.send(frame(.text, "crossing") + frame(.ping, "x") + frame(.close, [0x11, 0x31]))
    #expect(try peer.sent() == [])
    #expect(!peer.channel.isActive)
    #expect(peer.delegate.told.count == 2)
  }

  @Test func doesNotWaitForeverForThePeersClose() throws {
    let peer = try Peer()
    peer.socket.close(.normal)
    peer.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
    #expect(peer.channel.isActive)
    peer.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
    #expect(!peer.channel.isActive)
  }

  @Test(
    arguments: [
      ([0x81, 0x01, 0x61], CloseCode.protocolError), (frame(.text, [0xFF]), .invalidPayload),
      (frame(.binary, [UInt8](repeating: 0, count: 1001)), .tooBig),
    ] as [([UInt8], CloseCode)])
  func failsAPeerThatBreaksTheProtocol(bytes: [UInt8], code: CloseCode) throws {
    let peer = try Peer(SocketLimits(frame: 1000, message: 1000))
    try peer.send(bytes + frame(.text, "ignored"))
    guard case .close(code, _) = try #require(peer.sent().first) else {
      Issue.record("no close frame")
      return
    }
    #expect(peer.delegate.told.count == 2)
    #expect(peer.delegate.told[1].hasPrefix("closed server \(code.rawValue)"))
    // What still comes is dropped.
    if peer.channel.isActive { try peer.send(frame(.text, "more")) }
    peer.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    #expect(!peer.channel.isActive)
    #expect(peer.delegate.told.count == 2)
  }

  @Test func tellsOfALostConnection() throws {
    let peer = try Peer()
    try peer.channel.close().wait()
    #expect(peer.delegate.told == ["opened", "closed network 1006 connection lost"])
  }

  @Test func aHalfClosedPeerIsGone() throws {
    let peer = try Peer()
    peer.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    #expect(peer.delegate.told.last == "closed network 1006 connection lost")
    #expect(!peer.channel.isActive)
  }

  @Test func anErrorEndsTheSocketQuietly() throws {
    let peer = try Peer()
    peer.channel.pipeline.fireErrorCaught(ChannelError.connectPending)
    #expect(peer.delegate.told.last == "closed network 1006 connection lost")
    #expect(!peer.channel.isActive)
    try peer.channel.throwIfErrorCaught()
  }

  @Test func shutdownTellsTheDelegateFirst() throws {
    let peer = try Peer()
    peer.delegate.onGoingAway = { $0.send(text: "bookmark") }
    peer.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    #expect(
      try peer.sent() == [
        .message(.text(ByteBuffer(string: "bookmark"))), .close(.goingAway, reason: "server is stopping"),
      ])
    peer.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    #expect(!peer.channel.isActive)
    #expect(peer.delegate.told == ["opened", "going away", "closed server 1001 server is stopping"])
  }

  @Test func aDelegateMayCloseInOpened() throws {
    let peer = try Peer { $0.onOpened = { $0.close(.gap, reason: "too-old") } }
    #expect(try peer.sent() == [.close(.gap, reason: "too-old")])
    peer.channel.embeddedEventLoop.run()
    #expect(peer.delegate.told == ["opened", "closed server 4410 too-old"])
  }

  // MARK: Keeping the link

  @Test func pingsAQuietPeerAndDropsADeadOne() throws {
    let peer = try Peer()
    peer.channel.embeddedEventLoop.advanceTime(by: .seconds(20))
    #expect(try peer.sent() == [.ping(ByteBuffer())])
    try peer.send(frame(.pong, []))
    peer.channel.embeddedEventLoop.advanceTime(by: .seconds(20))
    #expect(try peer.sent() == [.ping(ByteBuffer())])
    peer.channel.embeddedEventLoop.advanceTime(by: .seconds(59))
    #expect(peer.channel.isActive)
    peer.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!peer.channel.isActive)
    #expect(peer.delegate.told == ["opened", "closed network 1006 no sign of life"])
  }

  // MARK: Bounds

  @Test func closesAPeerThatDoesNotRead() throws {
    let peer = try Peer(SocketLimits(pending: 1000))
    peer.set(writable: false)
    peer.socket.send(FrameEncoder.binary(ByteBuffer(repeating: 0, count: 2000)))
    #expect(try peer.sent() == [.close(.tooSlow, reason: "does not read")])
  }

  @Test func remembersOnlyTheLastPingOfAPeerThatDoesNotRead() throws {
    let peer = try Peer()
    peer.set(writable: false)
    try peer.send(frame(.ping, "1") + frame(.ping, "2"))
    #expect(try peer.sent() == [])
    peer.set(writable: true)
    #expect(try peer.sent() == [.pong(ByteBuffer(string: "2"))])
    #expect(peer.delegate.told == ["opened", "writable false", "writable true"])
  }

  @Test func pausesBetweenMessages() throws {
    let peer = try Peer()
    peer.delegate.onMessage = { $0.pauseReads() }
    try peer.send(frame(.text, "1") + frame(.text, "2") + frame(.text, "3"))
    #expect(peer.delegate.told == ["opened", "text 1"])
    peer.socket.resumeReads()
    #expect(peer.delegate.told == ["opened", "text 1", "text 2"])
    peer.delegate.onMessage = { _ in }
    peer.socket.resumeReads()
    #expect(peer.delegate.told == ["opened", "text 1", "text 2", "text 3"])
  }

  @Test func holdsReadsBackWhilePaused() throws {
    let peer = try Peer()
    try peer.channel.pipeline.syncOperations.addHandler(peer.flushes, position: .first)
    peer.socket.pauseReads()
    peer.channel.read()
    #expect(peer.flushes.reads == 0)
    peer.socket.resumeReads()
    #expect(peer.flushes.reads == 1)
  }
}

/// The far end of a socket on an embedded channel.
private struct Peer {
  let channel = EmbeddedChannel()
  let delegate = RecordingDelegate()
  let flushes = CountingHandler()

  var socket: Realtime.Socket { delegate.socket! }

  init(_ limits: SocketLimits = SocketLimits(), prepare: (RecordingDelegate) -> Void = { _ in }) throws {
    prepare(delegate)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    nonisolated(unsafe) let delegate = delegate
    let handler = WebSocketHandler(
      PendingSocket(limits: limits) { _ in delegate }, wheel: TimerWheel(channel.eventLoop),
      now: channel.eventLoop.now)
    try channel.pipeline.syncOperations.addHandler(handler)
  }

  func set(writable: Bool) {
    channel.isWritable = writable
    channel.pipeline.fireChannelWritabilityChanged()
  }

  func send(_ bytes: [UInt8]) throws {
    try channel.writeInbound(ByteBuffer(bytes: bytes))
  }

  /// What was sent since the last look.
  func sent() throws -> [FrameEvent] {
    var bytes = ByteBuffer()
    while var next = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&next) }
    var decoder = FrameDecoder(role: .client)
    var events: [FrameEvent] = []
    while let event = try decoder.next(&bytes) { events.append(event) }
    return events
  }
}

private final class CountingHandler: ChannelOutboundHandler {
  typealias OutboundIn = ByteBuffer
  private(set) var count = 0
  private(set) var reads = 0

  func flush(context: ChannelHandlerContext) {
    count += 1
    context.flush()
  }

  func read(context: ChannelHandlerContext) {
    reads += 1
    context.read()
  }
}

private final class RecordingDelegate: SocketDelegate {
  private(set) var told: [String] = []
  private(set) var socket: Realtime.Socket?
  var onOpened: (Realtime.Socket) -> Void = { _ in }
  var onMessage: (Realtime.Socket) -> Void = { _ in }
  var onGoingAway: (Realtime.Socket) -> Void = { _ in }

  func opened(_ socket: Realtime.Socket) {
    self.socket = socket
    told.append("opened")
    onOpened(socket)
  }

  func received(_ message: SocketMessage, on socket: Realtime.Socket) {
    switch message {
    case .text(let bytes): told.append("text \(String(buffer: bytes))")
    case .binary(let bytes): told.append("binary \(bytes.readableBytes)")
    }
    onMessage(socket)
  }

  func writabilityChanged(_ socket: Realtime.Socket) {
    told.append("writable \(socket.isWritable)")
  }

  func goingAway(_ socket: Realtime.Socket) {
    told.append("going away")
    onGoingAway(socket)
  }

  func closed(_ socket: Realtime.Socket, _ closure: SocketClosure) {
    told.append("closed \(closure.origin) \(closure.code.rawValue) \(closure.reason)")
  }
}
