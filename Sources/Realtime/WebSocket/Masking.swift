/// The masking of RFC 6455, section 5.3: byte i of the payload XOR byte i mod 4 of the key.
enum Masking {
  /// Masks or unmasks in place. `key` lies in memory as on the wire; `phase` is the offset in the payload of the first
  /// byte given, for payloads that arrive in pieces.
  static func apply(_ key: UInt32, phase: Int, to bytes: UnsafeMutableRawBufferPointer) {
    var pattern: UInt64 = 0
    withUnsafeBytes(of: key) { key in
      withUnsafeMutableBytes(of: &pattern) { pattern in
        for index in 0..<8 { pattern[index] = key[(index + phase) & 3] }
      }
    }
    var index = 0
    while index + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      bytes.storeBytes(of: word ^ pattern, toByteOffset: index, as: UInt64.self)
      index += 8
    }
    withUnsafeBytes(of: pattern) { pattern in
      while index < bytes.count {
        bytes[index] ^= pattern[index & 7]
        index += 1
      }
    }
  }
}
