/// Identifiers that sort by their time of making (RFC 9562 section 5.7), as lower-case text.
package enum UUIDv7 {
  /// A new identifier: 48 bits of time, 74 of chance.
  package static func make(at now: Instant) -> String {
    var generator = SystemRandomNumberGenerator()
    return make(at: now, high: generator.next(), low: generator.next())
  }

  package static func make(at now: Instant, high: UInt64, low: UInt64) -> String {
    let first = UInt64(bitPattern: now.milliseconds) << 16 | 0x7000 | (high & 0x0FFF)
    let second = 0x8000_0000_0000_0000 | (low & 0x3FFF_FFFF_FFFF_FFFF)
    var text: [UInt8] = []
    text.reserveCapacity(36)
    for index in 0..<32 {
      if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
      let word = index < 16 ? first : second
      let digit = UInt8(word >> UInt64(60 - index % 16 * 4) & 15)
      text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Whether the text has a UUID's form (any version): 8-4-4-4-12 hexadecimal digits in lower case.
  package static func isUUID(_ text: String) -> Bool {
    var index = 0
    for byte in text.utf8 {
      if index == 8 || index == 13 || index == 18 || index == 23 {
        guard byte == UInt8(ascii: "-") else { return false }
      } else {
        guard (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) else { return false }
      }
      index += 1
    }
    return index == 36
  }
}
