/// A person's identity number: the citizen's 12 digits (CCCD), the older 9 (CMND), a passport or another paper.
package struct PersonalID: Sendable, Hashable {
  package enum Kind: String, Sendable { case citizen, oldCard, other }
  /// What does not fit the person's other facts. It is shown and never refuses: papers are wrong more often than
  /// the patient in front of the nurse.
  package enum Warning: String, Sendable, CaseIterable { case birthYear, sex, birthPlace }

  package static let maximumLength = 30

  package let text: String
  package let kind: Kind

  /// Takes letters, digits and hyphens, in upper case, without spaces; nil for anything else.
  package init?(_ raw: String) {
    let text = raw.filter { !$0.isWhitespace }.uppercased()
    guard (1...Self.maximumLength).contains(text.utf8.count),
      text.utf8.allSatisfy({ $0.isDigit || $0.isCapital || $0 == UInt8(ascii: "-") })
    else { return nil }
    self.text = text
    let digits = text.utf8.allSatisfy(\.isDigit)
    kind = digits && text.utf8.count == 12 ? .citizen : digits && text.utf8.count == 9 ? .oldCard : .other
  }

  /// A citizen's number holds the place of birth (3 digits), century and sex (1), the year (2) and 6 random digits.
  package func warnings(birthDate: CalendarDay? = nil, sex: Sex? = nil) -> [Warning] {
    guard kind == .citizen else { return [] }
    let digits = text.utf8.map { Int($0) - 48 }
    var warnings: [Warning] = []
    if let birthDate, birthDate.year != 1900 + digits[3] / 2 * 100 + digits[4] * 10 + digits[5] {
      warnings.append(.birthYear)
    }
    if sex == .male && digits[3] % 2 == 1 || sex == .female && digits[3] % 2 == 0 { warnings.append(.sex) }
    // 001–096 are provinces, also those that were merged; 100 and more are countries.
    if case 0 = digits[0] * 100 + digits[1] * 10 + digits[2] { warnings.append(.birthPlace) }
    if (97...99).contains(digits[0] * 100 + digits[1] * 10 + digits[2]) { warnings.append(.birthPlace) }
    return warnings
  }
}

/// A health insurance number: the card's 15 characters, its last 10 digits, or the citizen's number.
package struct InsuranceNumber: Sendable, Hashable {
  package let text: String

  package init?(_ raw: String) {
    let text = raw.filter { !$0.isWhitespace }.uppercased()
    let bytes = Array(text.utf8)
    switch bytes.count {
    case 10, 12: guard bytes.allSatisfy(\.isDigit) else { return nil }
    case 15:
      guard bytes[0].isCapital, bytes[1].isCapital, (UInt8(ascii: "1")...UInt8(ascii: "5")).contains(bytes[2]),
        bytes[3...].allSatisfy(\.isDigit)
      else { return nil }
    default: return nil
    }
    self.text = text
  }
}

/// A facility's code: five capital letters or digits, zeros kept.
package enum FacilityCode {
  package static func isValid(_ text: String) -> Bool {
    text.utf8.count == 5 && text.utf8.allSatisfy { $0.isDigit || $0.isCapital }
  }
}

/// A code of ICD-10 (WHO, and the Ministry of Health's list): a letter, two digits, up to two more after a dot.
package struct ICD10: Sendable, Hashable {
  package let text: String

  /// Takes `I21`, `I21.0`, `S02.10`, also with the dagger or asterisk of dual coding, which is dropped: the mark
  /// says how a code is used beside another, and both engines and insurers know the code without it.
  package init?(_ raw: String) {
    var text = raw
    if let last = text.last, last == "†" || last == "*" { text.removeLast() }
    let bytes = Array(text.utf8)
    guard [3, 5, 6].contains(bytes.count), bytes[0].isCapital, bytes[1].isDigit, bytes[2].isDigit else { return nil }
    guard bytes.count == 3 || bytes[3] == UInt8(ascii: "."), bytes.dropFirst(4).allSatisfy(\.isDigit) else {
      return nil
    }
    self.text = text
  }
}

extension UInt8 {
  var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  var isCapital: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }
}
