import Domain
import Testing

@Suite struct DirectoryTests {
  @Test(arguments: [
    ("2025-06-30", false), ("2025-07-01", true), ("2026-01-01", true), ("2026-12-31", true), ("2027-01-01", false),
  ])
  func facilityValidity(day: String, valid: Bool) throws {
    let day = try #require(CalendarDay(day))
    var facility = Facility(
      code: "38001", name: "Trạm Y tế phường Hạc Thành", kind: .station, province: "38",
      validFrom: CalendarDay("2025-07-01"), validTo: CalendarDay("2026-12-31"))
    #expect(facility.isValid(on: day) == valid)
    (facility.validFrom, facility.validTo) = (nil, nil)
    #expect(facility.isValid(on: day))
  }

  @Test func forms() {
    let facility = Facility(
      code: "38001", name: "Trạm", kind: .station, province: "38", parent: "38000", latitude: 19.5, phone: "115")
    #expect(
      facility.json.text
        == #"{"id":"38001","name":"Trạm","kind":"station","parent":"38000","lat":19.5,"lon":null,"phone":"115"}"#)
    let practitioner = Practitioner(id: "p", name: "Lê An", facility: "38901", specialty: .cardiology)
    #expect(
      practitioner.json(facilityName: "BV").text
        == #"{"id":"p","name":"Lê An","specialty":"cardiology","facilityId":"38901","facilityName":"BV"}"#)
    #expect(
      Vehicle(id: "v", label: "36A-115.01", facility: "38901", kind: "ambulance").json.text
        == #"{"id":"v","label":"36A-115.01","facilityId":"38901","kind":"ambulance"}"#)
    #expect(Specialty.cardiology.json.text == #"{"id":"cardiology","name":{"vi":"Tim mạch","en":"Cardiology"}}"#)
  }

  @Test func specialtiesAreThoseOfTheContract() {
    #expect(
      Specialty.allCases.map(\.rawValue).joined(separator: " ")
        == """
        cardiology neurology emergencyMedicine internalMedicine pediatrics obstetrics surgery orthopedics \
        infectiousDiseases respiratory endocrinology nephrology dermatology ophthalmology otolaryngology psychiatry
        """)
    #expect(Set(Specialty.allCases.map(\.name.vi)).count == 16)
    #expect(Set(Specialty.allCases.map(\.name.en)).count == 16)
  }
}
