/// Checks UTF-8 as it arrives, in pieces of any size, and refuses at the first byte that no valid text can have
/// (RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF).
package struct UTF8Validator: Sendable {
  /// Continuation bytes that the character begun still needs.
  private var needed = 0
  /// What the next continuation byte may be; narrower than 80–BF after E0, ED, F0 and F4.
  private var lowest: UInt8 = 0x80
  private var highest: UInt8 = 0xBF

  package init() {}

  /// Whether the text so far ends with a whole character.
  package var isComplete: Bool { needed == 0 }

  /// Takes the next bytes; false when the text can't be UTF-8 any more.
  package mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    while index < bytes.count {
      if needed == 0 {
        // Most text is ASCII: eight bytes at a time.
        while index + 8 <= bytes.count,
          bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
          index += 8
        }
        guard index < bytes.count else { return true }
        guard begin(bytes[index]) else { return false }
      } else {
        guard (lowest...highest).contains(bytes[index]) else { return false }
        needed -= 1
        (lowest, highest) = (0x80, 0xBF)
      }
      index += 1
    }
    return true
  }

  private mutating func begin(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x00...0x7F: break
    case 0xC2...0xDF: needed = 1
    case 0xE0: (needed, lowest) = (2, 0xA0)
    case 0xED: (needed, highest) = (2, 0x9F)
    case 0xE1...0xEF: needed = 2
    case 0xF0: (needed, lowest) = (3, 0x90)
    case 0xF1...0xF3: needed = 3
    case 0xF4: (needed, highest) = (3, 0x8F)
    default: return false
    }
    return true
  }
}
