import Domain
import Foundation
import Testing

@Suite struct DemoProvinceTests {
  /// The official list, as the program ships it.
  static let list: [UInt8] = {
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../Sources/hoichan/Resources/communes-2025.csv")
    return (try? Data(contentsOf: path)).map(Array.init) ?? []
  }()

  static let provinces = [
    "01", "04", "08", "11", "12", "14", "15", "19", "20", "22", "24", "25", "31", "33", "37", "38", "40", "42", "44",
    "46", "48", "51", "52", "56", "66", "68", "75", "79", "80", "82", "86", "91", "92", "96",
  ]

  @Test func thanhHoa() throws {
    let demo = try DemoProvince(communes: Self.list)
    #expect(demo.code == "38" && demo.name == "Thanh Hóa")
    let kinds = Dictionary(grouping: demo.batch.facilities, by: \.kind).mapValues(\.count)
    #expect(kinds == [.province: 1, .station: 166, .hospital: 8])
    #expect(demo.batch.practitioners.count == 120)
    #expect(Set(demo.batch.practitioners.map(\.specialty)) == Set(Specialty.allCases))
    #expect(demo.batch.vehicles.count == 12)
    #expect(demo.batch.facilities.first?.code == "38000")
    #expect(demo.batch.facilities.first { $0.code == "38001" }?.name == "Trạm Y tế phường Hạc Thành")
    #expect(demo.batch.facilities.first { $0.code == "38901" }?.name == "Bệnh viện Đa khoa tỉnh Thanh Hóa")
  }

  @Test func isDeterministic() throws {
    let demo = try DemoProvince(communes: Self.list, province: "48", seed: 7)
    #expect(try DemoProvince(communes: Self.list, province: "48", seed: 7) == demo)
    #expect(try DemoProvince(communes: Self.list, province: "48", seed: 8) != demo)
    // Held to the letter, so that no change of a release moves the demo's ids.
    #expect(try DemoProvince(communes: Self.list).batch.practitioners[0].id == "019b755a-2280-7b38-a714-b1b74f4e8ebd")
  }

  @Test(arguments: provinces)
  func isSound(code: String) throws {
    let demo = try DemoProvince(communes: Self.list, province: code)
    let batch = demo.batch
    let codes = Set(batch.facilities.map(\.code))
    #expect(codes.count == batch.facilities.count && codes.allSatisfy(FacilityCode.isValid))
    let root = code + "000"
    for facility in batch.facilities {
      #expect(facility.kind == .province ? facility.code == root && facility.parent == nil : facility.parent == root)
      #expect(facility.name == facility.name.precomposedStringWithCanonicalMapping)
      let (latitude, longitude) = (try #require(facility.latitude), try #require(facility.longitude))
      #expect((8.3...23.5).contains(latitude) && (102.1...109.6).contains(longitude), "in Viet Nam")
    }
    let stations = batch.facilities.filter { $0.kind == .station }
    #expect(Set(stations.map(\.communeCode)).count == stations.count)
    #expect(
      stations.allSatisfy { $0.name.hasPrefix("Trạm Y tế ") && ["p", "x", "đ"].contains($0.name.dropFirst(10).first) })

    let ids =
      batch.practitioners.map(\.id) + batch.vehicles.map(\.id) + batch.sessions.map(\.id) + demo.accounts.map(\.id)
    #expect(Set(ids).count == ids.count)
    let form = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
    #expect(ids.allSatisfy { $0.wholeMatch(of: form) != nil && UUID(uuidString: $0) != nil })
    #expect(Set(batch.practitioners.map(\.name)).count == 120)
    #expect(batch.practitioners.allSatisfy { codes.contains($0.facility) })
    #expect(batch.vehicles.allSatisfy { codes.contains($0.facility) })

    let people = Set(batch.practitioners.map(\.id))
    #expect(Set(batch.sessions.map(\.practitioner)) == people, "everyone has a schedule")
    for session in batch.sessions {
      #expect((1...7).contains(session.weekday) && (0..<session.everyWeeks).contains(session.weekOffset))
      #expect((0..<1440).contains(session.startMinute) && session.endMinute <= 2880)
      #expect(session.startMinute % 5 == 0 && session.endMinute % 5 == 0 && session.visitMinutes % 5 == 0)
      #expect(session.endMinute - session.startMinute >= session.visitMinutes)
    }
  }

  @Test func schedulesHaveSeveralShapes() throws {
    let sessions = try DemoProvince(communes: Self.list).batch.sessions
    #expect(Set(sessions.map(\.visitMinutes)).isSuperset(of: [10, 15, 20, 30, 60]))
    #expect(sessions.contains { $0.endMinute > 1440 } && sessions.contains { $0.everyWeeks == 2 && $0.weekOffset == 1 })
    #expect(Set(sessions.map(\.weekday)) == Set(1...7))
  }

  @Test func accounts() throws {
    let demo = try DemoProvince(communes: Self.list)
    let accounts = Dictionary(uniqueKeysWithValues: demo.accounts.map { ($0.username, $0) })
    let expected: [(String, Role, String)] = [
      ("tram", .station, "38001"), ("tram2", .station, "38002"), ("bacsi", .specialist, "38901"),
      ("bacsi2", .specialist, "38901"), ("dieuphoi", .dispatcher, "38000"), ("xe", .crew, "38000"),
      ("giamsat", .monitor, "38000"), ("quantri", .admin, "38000"), ("kiemtra", .auditor, "38000"),
    ]
    #expect(accounts.count == expected.count)
    for (username, role, facility) in expected {
      #expect(accounts[username]?.grants == [Grant(role: role, facilities: [facility])])
    }
    let person = { (username: String) in demo.batch.practitioners.first { $0.id == accounts[username]?.practitioner } }
    #expect(person("bacsi")?.specialty == .cardiology && person("bacsi")?.name == accounts["bacsi"]?.name)
    #expect(person("bacsi2")?.specialty == .neurology)
    #expect(accounts["xe"]?.vehicle == demo.batch.vehicles.first?.id && accounts["tram"]?.practitioner == nil)
  }

  /// At any minute of a fortnight the earliest cardiology slot is `bacsi`'s, and by day it begins within half an hour:
  /// the demo's story can be played at any time.
  @Test func someoneIsAlwaysThere() throws {
    let demo = try DemoProvince(communes: Self.list)
    let doctor = demo.accounts.first { $0.username == "bacsi" }?.practitioner
    let start = CalendarDay(number: 20_778).start
    let calendars = demo.batch.practitioners.filter { $0.specialty == .cardiology }.map { practitioner in
      SlotSearch.Calendar(
        practitioner: practitioner, sessions: demo.batch.sessions.filter { $0.practitioner == practitioner.id },
        busy: BusyCells(from: start, to: start + .days(16)))
    }
    for minute in stride(from: 0, to: 14 * 1440, by: 7) {
      let now = start + .minutes(Int64(minute)) + .milliseconds(Int64(minute % 3))
      let slot = try #require(
        SlotSearch.find(calendars, from: now, to: now + .days(1), minutes: 30, limit: 1).first, "minute \(minute)")
      let byDay = (360...1290).contains(minute % 1440)
      #expect(slot.practitioner == doctor && slot.start - now <= (byDay ? .minutes(30) : .hours(9)), "minute \(minute)")
    }
  }

  @Test func refusesOthers() {
    let unknown = #expect(throws: DemoProvince.Failure.self) { try DemoProvince(communes: Self.list, province: "02") }
    #expect(unknown == .unknownProvince("02", known: Self.provinces))
    #expect(throws: DemoProvince.Failure.self) { try DemoProvince(communes: Array("a,b\n1,2".utf8)) }
    #expect(throws: DemoProvince.Failure.self) { try DemoProvince(communes: []) }
  }
}
