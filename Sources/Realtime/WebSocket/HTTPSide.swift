import NIOCore

/// A connection as HTTP's loop sees it: it closes when the connection does, or when the connection becomes a WebSocket.
/// So the loop's task, and all that its requests have allocated, are gone by then, and an open socket costs no task.
final class HTTPSide: Channel, Sendable {
  private let channel: any Channel
  private let closed: EventLoopPromise<Void>

  init(_ channel: any Channel) {
    self.channel = channel
    closed = channel.eventLoop.makePromise()
    channel.closeFuture.cascade(to: closed)
  }

  /// The connection is no longer HTTP's. That its loop closes it then, the `WebSocketHandler` does not let through.
  func leave() { closed.succeed() }

  var closeFuture: EventLoopFuture<Void> { closed.futureResult }

  // MARK: The same as the connection's

  var eventLoop: any EventLoop { channel.eventLoop }
  var allocator: ByteBufferAllocator { channel.allocator }
  var pipeline: ChannelPipeline { channel.pipeline }
  var localAddress: SocketAddress? { channel.localAddress }
  var remoteAddress: SocketAddress? { channel.remoteAddress }
  var parent: (any Channel)? { channel.parent }
  var isWritable: Bool { channel.isWritable }
  var isActive: Bool { channel.isActive }
  var syncOptions: (any NIOSynchronousChannelOptions)? { channel.syncOptions }
  var _channelCore: any ChannelCore { channel._channelCore }

  func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
    channel.setOption(option, value: value)
  }

  func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
    channel.getOption(option)
  }
}
