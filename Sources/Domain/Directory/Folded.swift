import Foundation

/// Text as it is searched: without marks, lower case, one space between words.
package enum Folded {
  /// "  Trần Đức  Ánh " → "tran duc anh". U+0111 does not decompose, so đ becomes d by hand.
  package static func key(_ text: String) -> String {
    var key = String.UnicodeScalarView()
    var gap = false
    for scalar in text.decomposedStringWithCanonicalMapping.unicodeScalars {
      let properties = scalar.properties
      if properties.isWhitespace {
        gap = !key.isEmpty
        continue
      }
      guard properties.generalCategory != .nonspacingMark else { continue }
      if gap { key.append(" ") }
      gap = false
      if scalar == "đ" || scalar == "Đ" {
        key.append("d")
      } else {
        key.append(contentsOf: properties.lowercaseMapping.unicodeScalars)
      }
    }
    // Lower-casing may bring back a mark (İ → i + dot above): those were not in the text that people type.
    return String(String.UnicodeScalarView(key.filter { $0.properties.generalCategory != .nonspacingMark }))
  }
}
