import Testing

@testable import Realtime

@Suite struct UTF8ValidatorTests {
  @Test(arguments: [
    "", "a", "Trạm y tế xã Hà Long", "κόσμε", "🚑", "\u{0}\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}",
  ])
  func acceptsText(text: String) {
    let bytes = Array(text.utf8)
    for cut in 0...bytes.count {
      #expect(verdict([Array(bytes[..<cut]), Array(bytes[cut...])]) == true)
    }
  }

  /// Every two bytes, and every lead with every second byte behind it, judged as the standard library judges.
  @Test func equalsTheStandardLibrary() {
    for first in UInt8.min...UInt8.max {
      for second in UInt8.min...UInt8.max {
        for tail in [[], [0x80], [0xBF, 0x80], [0x41], [0x80, 0xC0]] as [[UInt8]] {
          let bytes = [first, second] + tail
          let expected = String(validating: bytes, as: UTF8.self) != nil
          #expect(verdict([bytes]) == expected, "\(bytes)")
          #expect(verdict(bytes.map { [$0] }) == expected, "\(bytes) byte by byte")
        }
      }
    }
  }

  /// Bad bytes are found wherever the eight-byte stride meets them.
  @Test func findsABadByteAnywhere() {
    for count in 1...40 {
      for place in 0..<count {
        var bytes = [UInt8](repeating: 0x61, count: count)
        bytes[place] = 0xFF
        #expect(verdict([bytes]) == false)
      }
    }
  }

  private func verdict(_ parts: [[UInt8]]) -> Bool {
    var validator = UTF8Validator()
    for part in parts {
      guard part.withUnsafeBytes({ validator.accept($0) }) else { return false }
    }
    return validator.isComplete
  }
}
