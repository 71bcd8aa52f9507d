package import NIOCore
import Synchronization

/// How many connections the server holds, all in all and for one address. One above a limit is answered with a problem
/// document at its first request; when many are being answered so, further ones are closed without a word.
package final class ConnectionLimits: Sendable {
  enum Verdict: Equatable {
    case admitted
    case refused(ConnectionProblem)
    case dropped
  }

  private struct Counts {
    var total = 0
    var refused = 0
    var byAddress: [AddressKey: Int] = [:]
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  /// IPv4 by address, IPv6 by network of 64 bits, which one customer gets.
  private enum AddressKey: Hashable {
    case v4(UInt32)
    case v6(UInt64)
  }

  private static let refusedAtOnce = 256

  private let total: Int?
  private let perAddress: Int?
  private let isExempt: @Sendable (SocketAddress) -> Bool
  private let counts = Mutex(Counts())

  /// `isExempt` names addresses that are not counted one by one: the proxies in front of us.
  package init(
    total: Int? = nil, perAddress: Int? = nil, isExempt: @escaping @Sendable (SocketAddress) -> Bool = { _ in false }
  ) {
    self.total = total
    self.perAddress = perAddress
    self.isExempt = isExempt
  }

  /// Connections held now, refused ones included.
  package var count: Int { counts.withLock { $0.total + $0.refused } }

  /// Comes back when no connection is left: a server that stops waits for its sockets here, since they have no task
  /// of their own.
  package func emptied() async {
    await withCheckedContinuation { continuation in
      let isEmpty = counts.withLock { counts in
        if counts.total + counts.refused > 0 { counts.waiting.append(continuation) }
        return counts.total + counts.refused == 0
      }
      if isEmpty { continuation.resume() }
    }
  }

  /// Counts the channel in until it closes.
  func admit(_ channel: any Channel) -> Verdict {
    let key = channel.remoteAddress.flatMap { isExempt($0) ? nil : Self.key(of: $0) }
    let verdict = counts.withLock { counts in
      let verdict = judge(counts, key)
      switch verdict {
      case .admitted:
        counts.total += 1
        if let key { counts.byAddress[key, default: 0] += 1 }
      case .refused: counts.refused += 1
      case .dropped: break
      }
      return verdict
    }
    guard verdict != .dropped else { return verdict }
    channel.closeFuture.whenComplete { _ in self.release(key, verdict) }
    return verdict
  }

  private func judge(_ counts: Counts, _ key: AddressKey?) -> Verdict {
    let problem: ConnectionProblem
    if let total, counts.total >= total {
      problem = .tooManyConnections
    } else if let perAddress, let key, counts.byAddress[key, default: 0] >= perAddress {
      problem = .tooManyFromAddress
    } else {
      return .admitted
    }
    return counts.refused < Self.refusedAtOnce ? .refused(problem) : .dropped
  }

  private func release(_ key: AddressKey?, _ verdict: Verdict) {
    let waiting = counts.withLock { counts in
      if verdict == .admitted {
        counts.total -= 1
        if let key, let held = counts.byAddress[key] { counts.byAddress[key] = held > 1 ? held - 1 : nil }
      } else {
        counts.refused -= 1
      }
      guard counts.total + counts.refused == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { counts.waiting = [] }
      return counts.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Reads the kernel's structures by offset, which are the same on every system: 4 for sin_addr, 8 for sin6_addr.
  private static func key(of address: SocketAddress) -> AddressKey? {
    switch address {
    case .v4(let address):
      return withUnsafeBytes(of: address.address) { .v4($0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)) }
    case .v6(let address):
      return withUnsafeBytes(of: address.address) { bytes in
        // ::ffff:a.b.c.d is an IPv4 address that came by a socket of both families.
        let network = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        let mark = bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
        return network == 0 && UInt32(bigEndian: mark) == 0xFFFF
          ? .v4(bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)) : .v6(network)
      }
    case .unixDomainSocket:
      return nil
    }
  }
}
