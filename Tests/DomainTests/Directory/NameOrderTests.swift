import Domain
import Foundation
import Testing

@Suite struct NameOrderTests {
  /// As both engines compare: by bytes.
  static func before(_ left: String, _ right: String) -> Bool {
    NameOrder.key(left).utf8.lexicographicallyPrecedes(NameOrder.key(right).utf8)
  }

  @Test(arguments: [
    // The given name decides, then the family name, then the middle name.
    ["Vũ Thị An", "Lê Văn Bình", "Đỗ Minh Châu", "Bùi Xuân Dũng"],
    ["Bùi Thị Lan", "Đỗ Thị Lan", "Lê Thị Lan", "Nguyễn Thị Lan", "Nguyễn Văn Lan"],
    // Tones: ngang huyền hỏi ngã sắc nặng.
    ["Ma", "Mà", "Mả", "Mã", "Má", "Mạ"],
    ["Lê Hoa", "Lê Hòa", "Lê Hỏa", "Lê Hõa", "Lê Hóa", "Lê Họa"],
    // Letters: a ă â, d đ, e ê, o ô ơ, u ư.
    ["An", "Ánh", "Ăn", "Ân", "Bân"], ["Dung", "Dũng", "Dương", "Đan", "Đức", "Em", "Ê", "Gấm"],
    ["Oanh", "Ổn", "Ơn", "Phú"], ["Tu", "Tú", "Tư", "Tứ", "Vân"],
    // A tone weighs less than a letter, a shorter word comes first.
    ["Hà", "Hạ", "Hai", "Hải", "Han", "Hân"], ["Hoa", "Hoà", "Hoan", "Hoàn"],
    // The whole given name before any other word.
    ["Trần Anh", "Bùi Ánh"], ["Y 2", "Y Ban"],
    // Other scripts after ours.
    ["Lê Yến", "王伟"],
  ])
  func sorts(names: [String]) {
    for (index, name) in names.enumerated().dropLast() {
      #expect(Self.before(name, names[index + 1]), "\(name) < \(names[index + 1])")
    }
  }

  @Test func ignoresCaseSpacesAndNormalForm() {
    let key = NameOrder.key("Nguyễn Thị Hường")
    #expect(NameOrder.key("  NGUYỄN   THỊ hường ") == key)
    #expect(NameOrder.key("Nguyễn Thị Hường".decomposedStringWithCanonicalMapping) == key)
    #expect(NameOrder.key("  ") == "")
  }

  @Test func isPlainTextThatEveryEngineKeeps() {
    #expect(NameOrder.key("Đặng Thị Ngọc Ánh, O'Neil-Đỗ").utf8.allSatisfy { (0x21...0x7E).contains($0) })
  }
}
