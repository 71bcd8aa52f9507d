import Domain
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Opens connections to receivers, and only to where the rule lets them go: a name is looked up once, its addresses
/// are judged, and the connection is made to one that was judged, so that a second answer of the name's server leads
/// nowhere else. Redirects are not followed, and no proxy is asked.
package struct WebhookSender: Sendable {
  typealias Resolve = @Sendable (_ host: String, _ deadline: NIODeadline) async throws -> [NetworkAddress]

  private let allowsLocal: Bool
  /// For one event: connecting, sending, and the answer's head.
  fileprivate let patience: TimeAmount
  private let tls: ClientTLS
  private let resolve: Resolve

  /// With the system's name servers and certificates.
  package init(allowsLocal: Bool) {
    self.init(allowsLocal: allowsLocal, resolve: { try await HostResolver.addresses(of: $0, by: $1) })
  }

  init(
    allowsLocal: Bool, patience: TimeAmount = .seconds(Limits.webhookSeconds),
    makeTLS: @escaping @Sendable () throws -> NIOSSLContext = WebhookSender.systemTLS, resolve: @escaping Resolve
  ) {
    self.allowsLocal = allowsLocal
    self.patience = patience
    tls = ClientTLS(make: makeTLS)
    self.resolve = resolve
  }

  @Sendable static func systemTLS() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    return try NIOSSLContext(configuration: configuration)
  }

  /// Throws `WebhookFailure`, or `CancellationError`.
  func connect(to url: WebhookURL, by deadline: NIODeadline) async throws -> WebhookConnection {
    var found: [NetworkAddress] = []
    if let literal = url.literal {
      found = [literal]
    } else {
      found = try await resolve(url.host, deadline)
    }
    guard !found.isEmpty else { throw WebhookFailure.unresolved }
    let admitted = found.filter { url.admits($0, allowsLocal: allowsLocal) }
    guard !admitted.isEmpty else { throw WebhookFailure.addressRefused }
    var failure = WebhookFailure.unreachable
    for address in admitted.prefix(Limits.webhookAddresses) {
      try Task.checkCancellation()
      do {
        return try await connect(to: address, of: url, by: deadline)
      } catch {
        failure = Self.failure(for: error)
      }
    }
    throw failure
  }

  private func connect(
    to address: NetworkAddress, of url: WebhookURL, by deadline: NIODeadline
  ) async throws -> WebhookConnection {
    let left = deadline - NIODeadline.now()
    guard left > .zero else { throw WebhookFailure.timeout }
    let place = try SocketAddress(packedIPAddress: ByteBuffer(bytes: address.bytes), port: url.port)
    let context = try await url.scheme == .https ? tls.context() : nil
    // A certificate for an address is held against the address that the connection goes to.
    let name = url.literal == nil ? url.host : nil
    return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connectTimeout(min(left, .seconds(Limits.webhookConnectSeconds)))
      .connect(to: place) { channel in
        channel.eventLoop.makeCompletedFuture { try WebhookConnection(channel, tls: context, name: name) }
      }
  }

  private static func failure(for error: any Error) -> WebhookFailure {
    let failure = WebhookExchange.failure(for: error)
    // Whatever the system says of a connection that does not come about.
    return failure == .closed ? .unreachable : failure
  }
}

/// The certificates that are trusted: read once, not before somebody needs them, and on no event loop.
private final class ClientTLS: Sendable {
  private static let queue = DispatchQueue(label: "hoichan.certificates")
  private let make: @Sendable () throws -> NIOSSLContext
  private let made = Mutex<NIOSSLContext?>(nil)

  init(make: @escaping @Sendable () throws -> NIOSSLContext) { self.make = make }

  func context() async throws -> NIOSSLContext {
    if let known = made.withLock({ $0 }) { return known }
    let new: NIOSSLContext = try await withCheckedThrowingContinuation { continuation in
      Self.queue.async { [make] in continuation.resume(with: Result { try make() }) }
    }
    made.withLock { $0 = new }
    return new
  }
}

/// The way to one receiver, for the events that follow one another: the connection is kept as long as it serves.
struct WebhookLine {
  private let sender: WebhookSender
  private let url: WebhookURL
  private var connection: WebhookConnection?

  init(_ sender: WebhookSender, to url: WebhookURL) {
    self.sender = sender
    self.url = url
  }

  /// The status that the receiver answered. Throws `WebhookFailure`, or `CancellationError`.
  mutating func post(_ request: WebhookRequest) async throws -> Int64 {
    let deadline = NIODeadline.now() + sender.patience
    if let kept = connection {
      connection = nil
      do {
        return took(try await kept.post(request, to: url, by: deadline), kept)
      } catch WebhookFailure.closed {
        // A receiver may close a connection that it heard nothing on: that says nothing about this event.
        try Task.checkCancellation()
      }
    }
    let fresh = try await sender.connect(to: url, by: deadline)
    return took(try await fresh.post(request, to: url, by: deadline), fresh)
  }

  private mutating func took(_ answer: WebhookAnswer, _ connection: WebhookConnection) -> Int64 {
    if answer.keepsAlive { self.connection = connection }
    return answer.status
  }

  mutating func close() {
    connection?.close()
    connection = nil
  }
}
