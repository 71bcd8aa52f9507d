#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
package import NIOCore

/// An IP address as 128 bits; an IPv4 address in its IPv6-mapped form, so that there is one kind only.
package struct ClientAddress: Hashable, Sendable {
  package var high: UInt64
  package var low: UInt64

  private static let mapped: UInt64 = 0x0000_FFFF_0000_0000

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A peer without an IP address (a Unix socket) is on this machine.
  package static let loopback = ClientAddress(high: 0, low: 1)

  package init(_ address: SocketAddress?) {
    // The address stands at a fixed place of the socket structures; their members are the C library's to name.
    let place: Range<Int>
    switch address {
    case .v4: place = 4..<8
    case .v6: place = 8..<24
    case .unixDomainSocket, nil: place = 0..<0
    }
    let found = address?.withSockAddr { pointer, size in
      let bytes = UnsafeRawBufferPointer(start: pointer, count: size)
      return place.isEmpty ? nil : Self(bytes: UnsafeRawBufferPointer(rebasing: bytes[place]))
    }
    self = found.flatMap { $0 } ?? .loopback
  }

  /// Parses an address in text, with or without the brackets and port that some proxies write.
  package init?(_ text: some StringProtocol) {
    var text = Substring(text).trimmed
    if text.first == "[", let end = text.firstIndex(of: "]") {
      text = text[text.index(after: text.startIndex)..<end]
    } else if text.utf8.count(where: { $0 == UInt8(ascii: ":") }) == 1, let colon = text.firstIndex(of: ":") {
      text = text[..<colon]
    }
    var bytes: [UInt8] = Array(repeating: 0, count: 16)
    if inet_pton(AF_INET, String(text), &bytes) == 1 {
      self = bytes[..<4].withUnsafeBytes { Self(bytes: $0) }
    } else if inet_pton(AF_INET6, String(text), &bytes) == 1 {
      self = bytes.withUnsafeBytes { Self(bytes: $0) }
    } else {
      return nil
    }
  }

  /// Four bytes or sixteen, in network order.
  private init(bytes: UnsafeRawBufferPointer) {
    func number(_ part: Slice<UnsafeRawBufferPointer>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
    let isIPv4 = bytes.count == 4
    high = isIPv4 ? 0 : number(bytes.prefix(8))
    low = isIPv4 ? Self.mapped | number(bytes.prefix(4)) : number(bytes.dropFirst(8))
  }

  package var isIPv4: Bool { high == 0 && low >> 32 == Self.mapped >> 32 }
  package var isLoopback: Bool { self == .loopback || (isIPv4 && low >> 24 & 0xFF == 127) }

  /// What limits are counted by: an IPv4 address, or the /64 that one IPv6 subscriber is given as a whole.
  package var throttleKey: UInt64 { isIPv4 ? low : high }

  package var text: String {
    if isIPv4 { return [24, 16, 8, 0].map { String(low >> $0 & 0xFF) }.joined(separator: ".") }
    let groups = [high, low].flatMap { word in [48, 32, 16, 0].map { String(word >> $0 & 0xFFFF, radix: 16) } }
    return groups.joined(separator: ":")
  }
}

/// A block of addresses: `10.0.0.0/8`, `fd00::/8`, or a single address.
package struct AddressBlock: Hashable, Sendable {
  private let first: ClientAddress
  private let bits: Int

  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let address = ClientAddress(parts[0]) else { return nil }
    let offset = address.isIPv4 ? 96 : 0
    guard let length = parts.count == 2 ? Int(parts[1]) : 128 - offset, (0...(128 - offset)).contains(length) else {
      return nil
    }
    bits = length + offset
    first = Self.masked(address, bits)
  }

  package func contains(_ address: ClientAddress) -> Bool { Self.masked(address, bits) == first }

  private static func masked(_ address: ClientAddress, _ bits: Int) -> ClientAddress {
    func mask(_ count: Int) -> UInt64 { count <= 0 ? 0 : count >= 64 ? .max : ~(.max >> UInt64(count)) }
    return .init(high: address.high & mask(bits), low: address.low & mask(bits - 64))
  }
}
