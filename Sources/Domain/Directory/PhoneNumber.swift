/// A telephone number in one form: `+84912345678`, a foreign `+…`, or a short Vietnamese emergency number (`115`).
package struct PhoneNumber: Sendable, Hashable {
  package let text: String

  /// Takes what people write: spaces, dots, hyphens, brackets, `0…`, `84…`, `0084…`, `+84 (0)…`.
  /// Vietnamese numbers must fit the numbering plan; foreign ones only need to be plausible E.164.
  package init?(_ raw: String) {
    guard raw.utf8.count <= 40 else { return nil }
    var digits: [UInt8] = []
    var international = false
    for (index, byte) in raw.utf8.filter({ !Self.separators.contains($0) }).enumerated() {
      if index == 0, byte == UInt8(ascii: "+") {
        international = true
      } else if byte.isDigit {
        digits.append(byte)
      } else {
        return nil
      }
    }
    if !international, digits.starts(with: "00".utf8) {
      international = true
      digits.removeFirst(2)
    }
    // A number with its country code but without the plus, as address books export it.
    if !international, digits.starts(with: "84".utf8), digits.count >= 11 { international = true }
    if international, !digits.starts(with: "84".utf8) {
      guard let first = digits.first, first != UInt8(ascii: "0"), (7...15).contains(digits.count) else { return nil }
      text = "+" + String(decoding: digits, as: UTF8.self)
      return
    }
    if international { digits.removeFirst(2) }
    let trunk = digits.first == UInt8(ascii: "0")
    if trunk { digits.removeFirst() }
    let number = String(decoding: digits, as: UTF8.self)
    if !international, !trunk, Self.emergency.contains(number) {
      text = number
    } else if Self.isMobile(digits) || Self.isLandline(digits) || Self.isHotline(digits) {
      text = "+84" + number
    } else {
      return nil
    }
  }

  private static let separators = Set(" .-()/\t".utf8)
  private static let emergency: Set<String> = ["112", "113", "114", "115"]

  /// `(5(2[238]|59)|89[6-9]|99[013-9])\d{6}` or `(3\d|5[1689]|7[06-9]|8[1-8]|9[0-8])\d{7}`.
  private static func isMobile(_ digits: [UInt8]) -> Bool {
    guard digits.count == 9 else { return false }
    let (first, second, third) = (digits[0] - 48, digits[1] - 48, digits[2] - 48)
    switch (first, second) {
    case (3, _), (5, 1), (5, 6), (5, 8), (5, 9), (7, 0), (7, 6...9), (8, 1...8), (9, 0...8): return true
    case (5, 2): return [2, 3, 8].contains(third)
    case (5, 5): return third == 9
    case (8, 9): return (6...9).contains(third)
    case (9, 9): return third != 2
    default: return false
    }
  }

  /// Area codes 203–299 with seven digits, or 024 and 028 with eight: ten digits that begin with 2.
  private static func isLandline(_ digits: [UInt8]) -> Bool { digits.count == 10 && digits[0] == UInt8(ascii: "2") }

  /// 1800 and 1900 numbers, four to six digits long after that.
  private static func isHotline(_ digits: [UInt8]) -> Bool {
    (8...10).contains(digits.count) && (digits.starts(with: "1800".utf8) || digits.starts(with: "1900".utf8))
  }
}
