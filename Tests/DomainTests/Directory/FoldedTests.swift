import Domain
import Foundation
import Testing

@Suite struct FoldedTests {
  @Test(arguments: [
    ("Trạm Y tế xã Đông Thành", "tram y te xa dong thanh"), ("  Đỗ\t Thị \n Ưu  ", "do thi uu"), ("ĐẶNG", "dang"),
    ("Nguyễn Thị Thuý", "nguyen thi thuy"), ("tiếng Việt ăâêôơư", "tieng viet aaeoou"), ("", ""),
    (" \u{A0}\u{3000} ", ""),
    ("İstanbul", "istanbul"), ("38001", "38001"), ("Krông Pắc", "krong pac"), ("Müller-Straße", "muller-straße"),
  ])
  func folds(text: String, key: String) {
    #expect(Folded.key(text) == key)
  }

  @Test func sameForBothNormalForms() {
    let name = "Bệnh viện Đa khoa Quảng Ngãi, Phường Hương Thủy"
    #expect(
      Folded.key(name.decomposedStringWithCanonicalMapping) == Folded.key(name.precomposedStringWithCanonicalMapping))
  }

  @Test func isStable() {
    for specialty in Specialty.allCases {
      let key = Folded.key(specialty.name.vi)
      #expect(Folded.key(key) == key)
    }
  }
}
