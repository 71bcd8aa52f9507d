package import NIOCore

/// What lives at one socket: a feed's reader, a seat in a call. Made on the socket's event loop when the 101 has gone
/// out, called on that loop only, and let go after `closed`; so it needs no lock and need not be Sendable.
package protocol SocketDelegate: AnyObject {
  /// The socket is open; frames may be sent from here on.
  func opened(_ socket: Socket)
  /// One whole message.
  func received(_ message: SocketMessage, on socket: Socket)
  /// `socket.isWritable` changed: the moment for a reader with a position to pull more.
  func writabilityChanged(_ socket: Socket)
  /// The server is stopping: the last moment to send, before the close frame 1001.
  func goingAway(_ socket: Socket)
  /// Told exactly once after `opened`: no message will be delivered and no frame sent any more.
  func closed(_ socket: Socket, _ closure: SocketClosure)
}

extension SocketDelegate {
  package func writabilityChanged(_ socket: Socket) {}
  package func goingAway(_ socket: Socket) {}
}

/// The handle of one open WebSocket, usable from any thread. On the socket's own loop every call acts at once, without
/// a hop; from elsewhere it is handed to the loop, in order. After the socket closed all of them do nothing.
package final class Socket: Sendable {
  package let eventLoop: any EventLoop
  package let remoteAddress: SocketAddress?
  /// The subprotocol agreed on, if any.
  package let subprotocol: String?
  /// How messages may be compressed, if that was agreed on.
  package let deflate: PermessageDeflate?

  private let channel: any Channel
  private let handler: NIOLoopBound<WebSocketHandler>

  init(_ handler: WebSocketHandler, channel: any Channel, _ accepted: PendingSocket) {
    self.eventLoop = channel.eventLoop
    self.remoteAddress = channel.remoteAddress
    self.subprotocol = accepted.subprotocol
    self.deflate = accepted.deflate
    self.channel = channel
    self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
  }

  /// Whether the peer keeps up: false while more than the channel's high water mark waits to be sent.
  package var isWritable: Bool { channel.isWritable }

  /// What waits to be sent, in bytes; on the socket's loop only.
  package var pendingBytes: Int { handler.value.pendingBytes }

  /// Sends one encoded frame (or several in one buffer) and flushes: at once, or with the batch being read.
  package func send(_ frame: ByteBuffer) {
    onLoop { $0.send(frame) }
  }

  package func send(text: String) {
    send(text: ByteBuffer(string: text))
  }

  /// One message whose bytes the caller knows to be UTF-8; compressed here, if that was agreed on.
  package func send(text utf8: ByteBuffer) {
    send(FrameEncoder.message(.text, utf8, deflate))
  }

  /// Sends encoded frames that are shared by many subscribers; on the socket's loop only.
  package func deliver(_ frames: ByteBuffer) {
    handler.value.deliver(frames)
  }

  /// For whoever writes to thousands of sockets of one loop, on that loop: without a look at where it is called.
  var outlet: WebSocketHandler { handler.value }

  /// Starts the close handshake (RFC 6455, section 7.1.2). Frames sent before it still go out; the delegate is told on
  /// the loop's next turn.
  package func close(_ code: CloseCode, reason: String = "") {
    onLoop { $0.close(code, reason: reason) }
  }

  /// Stops reading from the peer, who is held back by TCP. Frames already read wait.
  package func pauseReads() {
    onLoop { $0.pauseReads() }
  }

  package func resumeReads() {
    onLoop { $0.resumeReads() }
  }

  private func onLoop(_ action: @escaping @Sendable (WebSocketHandler) -> Void) {
    if eventLoop.inEventLoop {
      action(handler.value)
    } else {
      eventLoop.execute { [handler] in action(handler.value) }
    }
  }
}

extension Socket: Hashable {
  package static func == (left: Socket, right: Socket) -> Bool { left === right }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(self))
  }
}
