import Foundation

/// The order in which Vietnamese names are listed: by the given name, which is the last word, then by the others
/// from the first (family name, then middle names).
package enum NameOrder {
  /// A text in ASCII (for Latin names) whose byte order is the names' order, on every engine and without a collation.
  ///
  /// Words compare by their letters (a ă â b c d đ e ê …), then by their tone (ngang huyền hỏi ngã sắc nặng), then
  /// the next word decides: the rule of Vietnamese dictionaries. A word is written as a byte for each letter and one
  /// for its tone; tones sort before digits and letters, so that "Ha" comes before "Han".
  package static func key(_ name: String) -> String {
    var words = name.precomposedStringWithCanonicalMapping.split(whereSeparator: \.isWhitespace)
    guard let given = words.popLast() else { return "" }
    return ([given] + words).map { word($0) }.joined()
  }

  private static func word(_ word: Substring) -> String {
    var key = String.UnicodeScalarView()
    var tone = 0
    for scalar in String(word).lowercased().decomposedStringWithCanonicalMapping.unicodeScalars {
      switch scalar.value {
      case 0x0300: tone = 1
      case 0x0309: tone = 2
      case 0x0303: tone = 3
      case 0x0301: tone = 4
      case 0x0323: tone = 5
      case 0x0302, 0x0306, 0x031B: modify(&key, by: scalar)
      default: append(scalar, to: &key)
      }
    }
    key.append(tones[tone])
    return String(key)
  }

  /// Circumflex, breve and horn make another letter of the one before.
  private static func modify(_ key: inout String.UnicodeScalarView, by mark: Unicode.Scalar) {
    guard let last = key.last, let base = plain[last], let letter = marked[Pair(base: base, mark: mark)],
      let code = codes[letter]
    else { return }
    key.removeLast()
    key.append(code)
  }

  private static func append(_ scalar: Unicode.Scalar, to key: inout String.UnicodeScalarView) {
    if let code = codes[scalar] {
      key.append(code)
    } else if ("0"..."9").contains(scalar) {
      key.append(scalar)
    } else if scalar.value > 0x7F, scalar.properties.isAlphabetic {
      // Letters of other scripts come after ours, by code point.
      key.append(scalar)
    }
  }

  private struct Pair: Hashable {
    var base: Unicode.Scalar
    var mark: Unicode.Scalar
  }

  private static let alphabet = Array("aăâbcdđeêfghijklmnoôơpqrstuưvwxyz".unicodeScalars)
  private static let tones = Array("!\"#$%&".unicodeScalars)
  /// Letter → its byte, from "A" up, in the order of the alphabet.
  private static let codes: [Unicode.Scalar: Unicode.Scalar] = Dictionary(
    uniqueKeysWithValues: alphabet.enumerated().map { ($1, Unicode.Scalar(UInt8(0x41 + $0))) })
  private static let plain: [Unicode.Scalar: Unicode.Scalar] = Dictionary(
    uniqueKeysWithValues: codes.map { ($1, $0) })
  private static let marked: [Pair: Unicode.Scalar] = [
    Pair(base: "a", mark: "\u{306}"): "ă", Pair(base: "a", mark: "\u{302}"): "â",
    Pair(base: "e", mark: "\u{302}"): "ê", Pair(base: "o", mark: "\u{302}"): "ô",
    Pair(base: "o", mark: "\u{31B}"): "ơ", Pair(base: "u", mark: "\u{31B}"): "ư",
  ]
}
