import Glibc
import NIOCore
import NIOSSL

/// The descriptor under a channel, for frames that go to thousands at once: the way through the pipeline touches so many
/// objects of every connection that it waits for memory longer than the kernel works (decision 17). Used only while
/// nothing waits in the channel itself, and only from a handler that is told in the same turn of its event loop when the
/// channel closes the descriptor, before anything else there can run: so the number never means another socket.
struct DirectSocket {
  private let descriptor: CInt

  /// Nil when the channel has none, or when a handler must see the bytes first.
  init?(under channel: any Channel) {
    let pipeline = channel.pipeline.syncOperations
    guard (try? pipeline.handler(type: NIOSSLServerHandler.self)) == nil,
      let descriptor = try? pipeline.withUnsafeTransportIfAvailable(of: CInt.self, { $0 })
    else { return nil }
    self.descriptor = descriptor
  }

  /// - Returns: how many bytes the kernel took: none when it takes none now, or never will. The channel then learns why,
  ///   from what it is given of the rest.
  func send(_ bytes: ByteBuffer) -> Int {
    bytes.withUnsafeReadableBytes { max(0, Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))) }
  }
}
