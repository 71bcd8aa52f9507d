/// Makes the parts of a demo province.
struct DemoMaker {
  let code: String
  /// As in the official list: "Thanh Hóa", "Thành phố Huế".
  let province: String
  let place: DemoPlace

  /// "Thanh Hóa", "Huế".
  var shortName: String { isCity ? String(province.dropFirst(Self.city.count)) : province }

  private static let city = "Thành phố "
  private var isCity: Bool { province.hasPrefix(Self.city) }
  /// "tỉnh Thanh Hóa", "thành phố Huế".
  private var kindAndName: String { isCity ? "thành phố \(shortName)" : "tỉnh \(province)" }

  var root: String { code + "000" }
  private func facilityCode(_ number: Int) -> String { code + String(1000 + number).dropFirst() }

  /// The hospitals' names, from number 901 on.
  private var hospitals: [String] {
    [
      "Bệnh viện Đa khoa \(kindAndName)", "Bệnh viện Phụ sản \(shortName)", "Bệnh viện Nhi \(shortName)",
      "Bệnh viện Phổi \(shortName)", "Bệnh viện Tâm thần \(shortName)", "Bệnh viện Mắt \(shortName)",
      "Bệnh viện Nội tiết \(shortName)", "Bệnh viện Da liễu \(shortName)",
    ]
  }

  /// Which hospital (from 1) a specialty's people work at: the general one where no other is made for it.
  private func hospital(of specialty: Specialty) -> Int {
    switch specialty {
    case .obstetrics: 2
    case .pediatrics: 3
    case .respiratory, .infectiousDiseases: 4
    case .psychiatry: 5
    case .ophthalmology: 6
    case .endocrinology: 7
    case .dermatology: 8
    default: 1
    }
  }

  func facilities(_ communes: [DemoCommune], _ random: inout SplitMix64) -> [Facility] {
    // The provinces and communes of today exist since that day.
    let since = CalendarDay(year: 2025, month: 7, day: 1)
    // Nobody's real number: 115 is what anyone would call.
    var facilities = [
      Facility(
        code: root, name: "Sở Y tế \(kindAndName)", kind: .province, province: code, validFrom: since,
        latitude: place.seat.latitude, longitude: place.seat.longitude, phone: "115")
    ]
    for (index, name) in hospitals.enumerated() {
      let (latitude, longitude) = place.hospital(&random)
      facilities.append(
        Facility(
          code: facilityCode(901 + index), name: name, kind: .hospital, province: code, parent: root, validFrom: since,
          latitude: latitude, longitude: longitude, phone: "115"))
    }
    for (index, commune) in communes.enumerated() {
      let (latitude, longitude) = place.station(index, of: communes.count, &random)
      facilities.append(
        Facility(
          code: facilityCode(index + 1),
          name: "Trạm Y tế \(commune.name.prefix(1).lowercased())\(commune.name.dropFirst())", kind: .station,
          province: code, communeCode: commune.code, parent: root, validFrom: since, latitude: latitude,
          longitude: longitude))
    }
    return facilities
  }

  /// 120: ten in cardiology and in emergency medicine, nine in neurology, seven in each other specialty.
  func practitioners(_ names: inout DemoNames, _ random: inout SplitMix64) -> [Practitioner] {
    var practitioners: [Practitioner] = []
    for specialty in Specialty.allCases {
      let count = specialty == .cardiology || specialty == .emergencyMedicine ? 10 : specialty == .neurology ? 9 : 7
      for _ in 0..<count {
        practitioners.append(
          Practitioner(
            id: id(practitioners.count, &random), name: names.next(&random),
            facility: facilityCode(900 + hospital(of: specialty)), specialty: specialty))
      }
    }
    return practitioners
  }

  /// Twelve, most of them at the general hospital.
  func vehicles(_ random: inout SplitMix64) -> [Vehicle] {
    [1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 7].enumerated().map { index, hospital in
      Vehicle(
        id: id(2_000 + index, &random), label: "Xe cứu thương \(index < 9 ? "0" : "")\(index + 1)",
        facility: facilityCode(900 + hospital), kind: Vehicle.kinds[0])
    }
  }

  func accounts(
    practitioners: [Practitioner], vehicles: [Vehicle], facilities: [Facility], _ names: inout DemoNames,
    _ random: inout SplitMix64
  ) -> [DemoProvince.Account] {
    let cardiologist = practitioners.first { $0.specialty == .cardiology }
    let neurologist = practitioners.first { $0.specialty == .neurology }
    let all = [root]
    // The second station is for showing that one station does not see another's patients.
    let rows: [(username: String, role: Role, facilities: [String], person: Practitioner?, vehicle: Vehicle?)] = [
      ("tram", .station, [facilityCode(1)], nil, nil), ("tram2", .station, [facilityCode(2)], nil, nil),
      ("bacsi", .specialist, [cardiologist?.facility ?? root], cardiologist, nil),
      ("bacsi2", .specialist, [neurologist?.facility ?? root], neurologist, nil),
      ("dieuphoi", .dispatcher, all, nil, nil), ("xe", .crew, all, nil, vehicles.first),
      ("giamsat", .monitor, all, nil, nil), ("quantri", .admin, all, nil, nil), ("kiemtra", .auditor, all, nil, nil),
    ]
    return rows.enumerated().map { index, row in
      .init(
        id: id(3_000 + index, &random), username: row.username, name: row.person?.name ?? names.next(&random),
        grants: [.init(role: row.role, facilities: row.facilities)], practitioner: row.person?.id,
        vehicle: row.vehicle?.id)
    }
  }

  /// A UUID in the form of version 7 whose time is fixed, so that ids sort by their number and never change.
  func id(_ number: Int, _ random: inout SplitMix64) -> String {
    let milliseconds: UInt64 = 1_767_200_400_000 + UInt64(number)  // 2026-01-01T00:00+07:00
    let (first, second) = (random.next(), random.next())
    let high = milliseconds << 16 | 0x7000 | first & 0x0FFF
    let low = 0x8000_0000_0000_0000 | second >> 2
    let hex = Self.hex(high) + Self.hex(low)
    return [
      hex.prefix(8), hex.dropFirst(8).prefix(4), hex.dropFirst(12).prefix(4), hex.dropFirst(16).prefix(4),
      hex.suffix(12),
    ]
    .joined(separator: "-")
  }

  private static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
