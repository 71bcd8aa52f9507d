import Foundation

/// An IP address: four bytes or sixteen, in network order.
package struct NetworkAddress: Hashable, Sendable {
  package let bytes: [UInt8]

  /// Nil unless there are four bytes or sixteen.
  package init?(bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    self.bytes = bytes
  }

  /// Four decimal numbers, or an IPv6 address without brackets and without a zone; none of the other forms that some
  /// programs take, such as `127.1` or `0x7f000001`.
  package init?(_ text: String) {
    var buffer = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &buffer) == 1 {
      bytes = Array(buffer.prefix(4))
    } else if inet_pton(AF_INET6, text, &buffer) == 1 {
      bytes = buffer
    } else {
      return nil
    }
  }
}

extension NetworkAddress {
  /// Whose an address is (the special-purpose registries of RFC 6890).
  package enum Scope: String, Sendable, CaseIterable {
    /// Anybody's on the internet.
    case global
    /// The own machine's, house's or provider's: loopback, private use, shared (RFC 6598), unique local.
    case local
    /// Nobody's that a program could listen at, or another's in disguise: unspecified, link-local (where clouds tell
    /// machines their secrets), multicast, reserved, documentation, IPv4 inside IPv6.
    case special
  }

  package var scope: Scope { bytes.count == 4 ? Self.scope(ofIPv4: number(0, 4)) : scopeOfIPv6 }

  private func number(_ start: Int, _ count: Int) -> UInt64 {
    bytes[start..<start + count].reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The first block that holds the address decides; what is in none is everybody's.
  private static func scope(ofIPv4 address: UInt64) -> Scope {
    ipv4.first { block in address >> (32 - block.bits) == block.first >> (32 - block.bits) }?.scope ?? .global
  }

  private typealias Block = (first: UInt64, bits: UInt64, scope: Scope)

  private static let ipv4: [Block] = [
    (0x6464_64C8, 32, .special),  // 100.100.100.200, a cloud's metadata inside the shared block
    (0x0000_0000, 8, .special),  // 0.0.0.0/8, this network
    (0x0A00_0000, 8, .local),  // 10.0.0.0/8
    (0x6440_0000, 10, .local),  // 100.64.0.0/10, shared by a provider's customers
    (0x7F00_0000, 8, .local),  // 127.0.0.0/8, loopback
    (0xA9FE_0000, 16, .special),  // 169.254.0.0/16, link-local and metadata
    (0xAC10_0000, 12, .local),  // 172.16.0.0/12
    (0xC000_0000, 24, .special),  // 192.0.0.0/24, protocol assignments
    (0xC000_0200, 24, .special),  // 192.0.2.0/24, documentation
    (0xC058_6300, 24, .special),  // 192.88.99.0/24, 6to4 relays
    (0xC0A8_0000, 16, .local),  // 192.168.0.0/16
    (0xC612_0000, 15, .special),  // 198.18.0.0/15, benchmarks
    (0xC633_6400, 24, .special),  // 198.51.100.0/24, documentation
    (0xCB00_7100, 24, .special),  // 203.0.113.0/24, documentation
    (0xE000_0000, 4, .special),  // 224.0.0.0/4, multicast
    (0xF000_0000, 4, .special),  // 240.0.0.0/4, reserved and broadcast
  ]

  private var scopeOfIPv6: Scope {
    let (high, low) = (number(0, 8), number(8, 8))
    if high == 0, low == 1 { return .local }
    // A cloud's metadata among the unique local ones.
    if high == 0xFD00_0EC2_0000_0000, low == 0x254 { return .special }
    return Self.ipv6.first { block in high >> (64 - block.bits) == block.first >> (64 - block.bits) }?.scope ?? .special
  }

  /// Only what was given out to networks is global, so that a form of address that is still to come is refused.
  private static let ipv6: [Block] = [
    (0x2001_0000_0000_0000, 23, .special),  // protocol assignments: Teredo, ORCHID, benchmarks
    (0x2001_0DB8_0000_0000, 32, .special),  // documentation
    (0x2002_0000_0000_0000, 16, .special),  // 6to4: an IPv4 address in disguise
    (0x3FFF_0000_0000_0000, 20, .special),  // documentation
    (0x2000_0000_0000_0000, 3, .global),
    (0xFC00_0000_0000_0000, 7, .local),  // unique local
  ]
}
