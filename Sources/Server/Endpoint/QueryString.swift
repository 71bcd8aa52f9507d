package import Domain

/// A query string (`application/x-www-form-urlencoded`) taken apart by hand: exact about what is broken.
package enum QueryString {
  /// The pairs in their order.
  /// - Throws: `malformed` for a broken percent-escape, bytes that are not UTF-8, or U+0000.
  package static func parse(_ query: String) throws(Rejection) -> [(name: String, value: String)] {
    var pairs: [(name: String, value: String)] = []
    for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
      guard pairs.count < Limits.jsonMembers else { throw Rejection(.malformed, "The query has too many parameters.") }
      let equals = pair.firstIndex(of: UInt8(ascii: "="))
      guard let name = Percent.decode(pair[..<(equals ?? pair.endIndex)], plusIsSpace: true),
        let value = Percent.decode(
          equals.map { pair[pair.index(after: $0)...] } ?? Substring().utf8, plusIsSpace: true)
      else { throw Rejection(.malformed, "The query is not well-formed percent-encoded UTF-8.") }
      pairs.append((name, value))
    }
    return pairs
  }

  /// The first value of one parameter, or nil; forgiving, for choosing a language only.
  static func value(of name: String, in query: String) -> String? {
    (try? parse(query))?.first { $0.name == name }?.value
  }
}

package enum Percent {
  /// Undoes percent-encoding; nil for a broken escape, bytes that are not UTF-8, or U+0000.
  package static func decode(_ bytes: Substring.UTF8View, plusIsSpace: Bool = false) -> String? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var rest = bytes.makeIterator()
    while let byte = rest.next() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
        let value = high << 4 | low
        guard value != 0 else { return nil }
        decoded.append(value)
      case UInt8(ascii: "+") where plusIsSpace: decoded.append(UInt8(ascii: " "))
      case 0: return nil
      default: decoded.append(byte)
      }
    }
    return String(validating: decoded, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension Percent {
  /// Escapes everything but RFC 3986's unreserved characters and `/`: for a path inside a query.
  package static func encode(_ text: String) -> String {
    let hex = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x2F: encoded.append(byte)
      default: encoded += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }
}
