import Domain
import Testing

@Suite struct IdentifiersTests {
  @Test(arguments: [
    ("038085001234", "038085001234", PersonalID.Kind.citizen), (" 0380 8500 1234 ", "038085001234", .citizen),
    ("172345678", "172345678", .oldCard), ("b1234567", "B1234567", .other), ("DAK-2026-17", "DAK-2026-17", .other),
    ("1", "1", .other),
  ])
  func personalID(raw: String, text: String, kind: PersonalID.Kind) throws {
    let id = try #require(PersonalID(raw))
    #expect(id.text == text && id.kind == kind)
  }

  @Test(arguments: [
    "", "  ", "038085001234\u{0}", "038/085", "số 1", "０３８０８５００１２３４", String(repeating: "1", count: 31),
  ])
  func refusesPersonalID(raw: String) { #expect(PersonalID(raw) == nil) }

  @Test(
    arguments: [
      ("038085001234", "1985-06-01", Sex.male, []), ("038185001234", "1985-06-01", .female, []),
      ("038205001234", "2005-06-01", .male, []), ("038305001234", "2005-06-01", .female, []),
      ("038085001234", "1986-06-01", .male, [.birthYear]), ("038085001234", "2085-06-01", .male, [.birthYear]),
      ("038085001234", "1985-06-01", .female, [.sex]), ("038185001234", "1985-06-01", .male, [.sex]),
      ("038185001234", "1990-06-01", .male, [.birthYear, .sex]), ("038085001234", "1985-06-01", .other, []),
      ("038085001234", "1985-06-01", .unknown, []), ("000085001234", "1985-06-01", .male, [.birthPlace]),
      ("097085001234", "1985-06-01", .male, [.birthPlace]), ("096085001234", "1985-06-01", .male, []),
      ("129085001234", "1985-06-01", .male, []), ("172345678", "1985-06-01", .male, []),
      ("B1234567", "1985-06-01", .male, []),
    ] as [(String, String, Sex, [PersonalID.Warning])])
  func personalIDWarns(raw: String, birth: String, sex: Sex, warnings: [PersonalID.Warning]) throws {
    let id = try #require(PersonalID(raw))
    #expect(id.warnings(birthDate: CalendarDay(birth), sex: sex) == warnings)
    #expect(id.warnings() == warnings.filter { $0 == .birthPlace })
  }

  @Test(arguments: [
    ("GD4380112345678", "GD4380112345678"), ("gd 4 38 01 12345678", "GD4380112345678"), ("3812345678", "3812345678"),
    ("038085001234", "038085001234"),
  ])
  func insuranceNumber(raw: String, text: String) { #expect(InsuranceNumber(raw)?.text == text) }

  @Test(arguments: [
    "", "GD0380112345678", "GD6380112345678", "G14380112345678", "GD438011234567", "GD438011234567X", "12345678",
    "12345678901",
  ])
  func refusesInsuranceNumber(raw: String) { #expect(InsuranceNumber(raw) == nil) }

  @Test(arguments: ["38001", "00001", "PP901", "79A01"])
  func facilityCode(code: String) { #expect(FacilityCode.isValid(code)) }

  @Test(arguments: ["", "3800", "380011", "38 01", "38a01", "3800Đ", "38-01", "../..", "３８００１"])
  func refusesFacilityCode(code: String) { #expect(!FacilityCode.isValid(code)) }

  @Test(arguments: [
    ("I21", "I21"), ("I21.0", "I21.0"), ("S02.10", "S02.10"), ("U07.1", "U07.1"), ("A17.0†", "A17.0"), ("G01*", "G01"),
  ])
  func icd10(raw: String, text: String) { #expect(ICD10(raw)?.text == text) }

  @Test(arguments: [
    "", "I", "I2", "i21.0", "I21.", "I210", "I21.012", "21.0", "II1.0", "I21,0", "I2A", " I21", "I21 ", "Đ21", "*",
    "I21**", "I2１",
  ])
  func refusesICD10(raw: String) { #expect(ICD10(raw) == nil) }
}
