import Domain
import Foundation
import NIOCore
import NIOPosix

/// Asks the system for the addresses of names.
enum HostResolver {
  /// The question blocks for as long as the name servers like: it has threads of its own.
  private static let queue = DispatchQueue(label: "hoichan.resolve", attributes: .concurrent)

  /// Empty when the name has none. Throws `WebhookFailure.timeout`, and when the task is cancelled.
  static func addresses(of host: String, by deadline: NIODeadline) async throws -> [NetworkAddress] {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let promise = loop.makePromise(of: [NetworkAddress].self)
    queue.async { promise.succeed(Self.look(up: host)) }
    let limit = loop.scheduleTask(deadline: deadline) { promise.fail(WebhookFailure.timeout) }
    defer { limit.cancel() }
    // Whichever comes first counts.
    return try await withTaskCancellationHandler {
      try await promise.futureResult.get()
    } onCancel: {
      promise.fail(CancellationError())
    }
  }

  private static func look(up host: String) -> [NetworkAddress] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var addresses: [NetworkAddress] = []
    var next = list
    while let entry = next {
      if let address = address(entry.pointee), !addresses.contains(address) { addresses.append(address) }
      next = entry.pointee.ai_next
    }
    return addresses
  }

  /// The address stands at a fixed place of the socket structures (as in `ClientAddress`).
  private static func address(_ entry: addrinfo) -> NetworkAddress? {
    guard let pointer = entry.ai_addr else { return nil }
    let place: Range<Int>
    switch entry.ai_family {
    case AF_INET: place = 4..<8
    case AF_INET6: place = 8..<24
    default: return nil
    }
    let bytes = UnsafeRawBufferPointer(start: pointer, count: Int(entry.ai_addrlen))
    return bytes.count >= place.upperBound ? NetworkAddress(bytes: bytes[place]) : nil
  }
}
