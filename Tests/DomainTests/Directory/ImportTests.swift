import Domain
import Testing

@Suite struct ImportTests {
  static let known = KnownDirectory(
    facilities: [
      Facility(code: "38000", name: "Sở Y tế", kind: .province, province: "38"),
      Facility(code: "38901", name: "Bệnh viện", kind: .hospital, province: "38", parent: "38000"),
    ], practitioners: ["BS1", "BS2"])

  static func read(_ kind: ImportKind, _ text: String) -> ImportResult { kind.read(Array(text.utf8), known: known) }

  // MARK: Facilities

  @Test func facilities() throws {
    let result = Self.read(
      .facilities,
      #"""
      \#u{FEFF}Code;name;kind;province;commune_code;parent;successor;valid_from;valid_to;latitude;longitude;phone
      38001; Trạm Y tế phường Hạc Thành ;station;38;14797;38000;;2025-07-01;;19,807;105.776;0237 385 2345
      00001;"Phòng khám ""Số 1""";Centre;38;;38001;38901;1/7/2025;31/12/2026;;;
      """#)
    #expect(result.problems == [] && result.rows == 2)
    #expect(
      result.batch.facilities == [
        Facility(
          code: "38001", name: "Trạm Y tế phường Hạc Thành", kind: .station, province: "38", communeCode: "14797",
          parent: "38000", validFrom: CalendarDay("2025-07-01"), latitude: 19.807, longitude: 105.776,
          phone: "+842373852345"),
        Facility(
          code: "00001", name: "Phòng khám \"Số 1\"", kind: .centre, province: "38", parent: "38001",
          successor: "38901",
          validFrom: CalendarDay("2025-07-01"), validTo: CalendarDay("2026-12-31")),
      ])
  }

  @Test(
    arguments: [
      ("1001,A,station,38,,", 1, "leading zeros"), ("3800a,A,station,38,,", 1, "no facility code"),
      (",A,station,38,,", 1, "missing"),
      ("38001,,station,38,,", 2, "missing"), ("38001,\(String(repeating: "x", count: 201)),station,38,,", 2, "Longer"),
      ("38001,A\u{7}B,station,38,,", 2, "control"),
      ("38001,A,clinic,38,,", 3, "none of province, hospital, centre, station"),
      ("38001,A,station,3,,", 4, "province code"), ("38001,A,station,38,99999,", 5, "no facility '99999'"),
      ("38001,A,station,38,38001,", 5, "under itself"), ("38000,A,province,38,38901,", 5, "under itself"),
      ("38001,A,station,38,,abc", 6, "no telephone number"),
    ] as [(String, Int, String)])
  func refusesFacility(row: String, column: Int, message: String) {
    let result = Self.read(.facilities, "code,name,kind,province,parent,phone\n\(row)\n")
    #expect(result.problems.map(\.line) == [2] && result.problems.map(\.column) == [column])
    #expect(result.problems.first?.message.contains(message) == true, "\(result.problems)")
    #expect(result.batch == DirectoryBatch())
  }

  @Test(
    arguments: [
      ("2026-02-30,,,", 3, "no date"), ("21-11-2026,,,", 3, "no date"), ("2026-01-02,2026-01-01,,", 4, "before"),
      (",,91,0", 5, "degrees"), (",,1,181", 6, "degrees"), (",,1.2.3,0", 5, "degrees"), (",,nan,0", 5, "degrees"),
      (",,1,", 5, "belong together"), (",,0x10,1", 5, "degrees"),
    ] as [(String, Int, String)])
  func refusesFacilityDetail(rest: String, column: Int, message: String) {
    let result = Self.read(
      .facilities, "kind,province,valid_from,valid_to,latitude,longitude,code,name\nstation,38,\(rest),38001,A")
    #expect(result.problems.map(\.column) == [column], "\(result.problems)")
    #expect(result.problems.first?.message.contains(message) == true, "\(result.problems)")
  }

  @Test func parentsMayStandLaterInTheFile() {
    let good = Self.read(
      .facilities, "code,name,kind,province,parent\n38001,A,station,38,38010\n38010,B,centre,38,38000")
    #expect(good.problems.isEmpty && good.batch.facilities.count == 2)
    let ring = Self.read(
      .facilities, "code,name,kind,province,parent\n38001,A,station,38,38010\n38010,B,centre,38,38001")
    #expect(ring.problems.map(\.line) == [2, 3])
    // What the directory has is changed by the file: 38901 would come to lie under 38001, which lies under it.
    let moved = Self.read(
      .facilities, "code,name,kind,province,parent\n38001,A,station,38,38901\n38901,B,hospital,38,38001")
    #expect(moved.problems.count == 2)
  }

  @Test func refusesDuplicates() {
    let result = Self.read(.facilities, "code,name,kind,province\n38001,A,station,38\n\n38001,B,station,38\n")
    #expect(result.problems.map(\.description) == ["line 4, column code (1): '38001' is already on line 2."])
  }

  @Test func shortForms() {
    let result = Self.read(.facilities, "code,name,kind,parent,lat,lon,phone\n38007,A,station,38000,19.8,105.7,115\n")
    #expect(result.problems == [])
    #expect(result.batch.facilities.first?.province == "38" && result.batch.facilities.first?.longitude == 105.7)
    #expect(Self.read(.facilities, "code,name,kind\nPP007,A,station\n").problems.map(\.name) == ["province"])
  }

  // MARK: Header and form

  @Test(
    arguments: [
      ("code,name,province", [1], "'kind' is missing"),
      ("code,name,kind,province,colour", [1], "Unknown column 'colour'"),
      ("code,name,kind,province,name", [1], "there twice"),
      ("38001,A,station,38", [1, 1, 1, 1, 1, 1, 1], "Unknown column"),
    ] as [(String, [Int], String)])
  func refusesHeader(header: String, lines: [Int], message: String) {
    let result = Self.read(.facilities, header + "\n38001,A,station,38\n")
    #expect(result.problems.map(\.line) == lines)
    #expect(result.problems.first?.message.contains(message) == true, "\(result.problems)")
  }

  @Test func namesEveryProblem() {
    let result = Self.read(
      .practitioners, "id,name,facility,specialty\nx y,,99999,magic\nBS3,An,38901\nBS4,Bình,38901,cardiology\n")
    #expect(
      result.problems.map { "\($0.line):\($0.column ?? 0)" } == ["2:1", "2:2", "2:3", "2:4", "3:0"])
    #expect(result.batch == DirectoryBatch(), "all or nothing")
    #expect(result.rows == 3)
  }

  @Test func stopsAtTooManyProblems() {
    let rows = String(repeating: "x y,,,\n", count: 5_000)
    let result = Self.read(.practitioners, "id,name,facility,specialty\n" + rows)
    #expect(result.problems.count < Limits.csvProblems + 10)
    #expect(result.problems.last?.message.contains("Too many") == true)
  }

  @Test func reportsTheForm() {
    let result = Self.read(.vehicles, "id,label,facility\nX1,\"open,38901\n")
    #expect(
      result.problems.map(\.description) == ["line 2, column 2: The quote that opens this field is never closed."])
  }

  // MARK: Practitioners and vehicles

  @Test func practitioners() {
    let result = Self.read(
      .practitioners,
      "specialty,id,name,facility,phone,valid_to\ncardiology,BS.3-a,Lê Thị An,38901,0912345678,2030-12-31\nTim mạch,BS4,Đỗ Bình,38901,,\nneurology,BS5,Vũ Chi,38901,,\n"
    )
    #expect(result.problems == [])
    #expect(
      result.batch.practitioners.first
        == Practitioner(
          id: "BS.3-a", name: "Lê Thị An", facility: "38901", specialty: .cardiology, phone: "+84912345678",
          validTo: CalendarDay("2030-12-31")))
    #expect(result.batch.practitioners.map(\.specialty) == [.cardiology, .cardiology, .neurology])
  }

  @Test(arguments: ["-a", "a b", "a/b", "đ", "..", String(repeating: "a", count: 65)])
  func refusesIdentifier(id: String) {
    let result = Self.read(.vehicles, "id,label,facility\n\(id),Xe,38901\n")
    #expect(result.problems.map(\.column) == [1])
  }

  @Test func vehicles() {
    let result = Self.read(.vehicles, "id,label,facility,kind\nX1,Xe cứu thương 01,38901,\nX2,Xe 02,38901,volunteer\n")
    #expect(result.problems == [])
    #expect(
      result.batch.vehicles == [
        Vehicle(id: "X1", label: "Xe cứu thương 01", facility: "38901", kind: "ambulance"),
        Vehicle(id: "X2", label: "Xe 02", facility: "38901", kind: "volunteer"),
      ])
    let unnamed = Self.read(.vehicles, "label,facility,kind\nXe cứu thương số 3,38901,\nXe cứu thương số 3,38901,\n")
    #expect(
      unnamed.problems.map { "\($0.line): \($0.message)" } == ["3: '38901-xe-cuu-thuong-so-3' is already on line 2."])
    let bad = Self.read(.vehicles, "id,label,facility,kind\nX1,Xe,38902,ambulance\nX2,Xe,38901,tank\nX2,Xe,38901,\n")
    #expect(bad.problems.map { "\($0.line):\($0.column ?? 0)" } == ["2:3", "3:4", "4:1"])
  }

  // MARK: Schedules

  static func schedule(_ row: String) -> ImportResult {
    read(
      .schedules,
      "practitioner,weekday,start,end,visit_minutes,id,valid_from,valid_to,every_weeks,week_offset\n\(row)\n")
  }

  @Test(arguments: [
    ("BS1,1,07:30,11:30,30,,,,,", "BS1-1-0730 1 450-690 /30 1:0"),
    ("BS1,T2,7:30,11:30,15,,,,,", "BS1-1-0730 1 450-690 /15 1:0"),
    ("BS1,CN,20:00,06:00,60,N1,,,,", "N1 7 1200-1800 /60 1:0"),
    ("BS1,7,20:00,30:00,60,,,,,", "BS1-7-2000 7 1200-1800 /60 1:0"),
    ("BS1,3,00:00,24:00,5,,,,,", "BS1-3-0000 3 0-1440 /5 1:0"),
    ("BS1,3,00:00,48:00,480,,,,,", "BS1-3-0000 3 0-2880 /480 1:0"),
    ("BS1,3,08:00,08:00,30,,,,,", "BS1-3-0800 3 480-1920 /30 1:0"),
    ("BS2,t7,08:00,09:00,10,,,,2,1", "BS2-6-0800-w1of2 6 480-540 /10 2:1"),
    // 2026-11-23 is the Monday of week 2969; the first Saturday from Sunday 22 on lies in it as well.
    ("BS2,1,08:00,09:00,10,,2026-11-23,,2,", "BS2-1-0800-w1of2-20261123 1 480-540 /10 2:1"),
    ("BS2,6,08:00,09:00,10,,2026-11-22,,2,", "BS2-6-0800-w1of2-20261122 6 480-540 /10 2:1"),
    ("BS2,6,08:00,09:00,10,,2026-11-21,,2,", "BS2-6-0800-w0of2-20261121 6 480-540 /10 2:0"),
  ])
  func schedules(row: String, expected: String) throws {
    let result = Self.schedule(row)
    #expect(result.problems == [])
    let session = try #require(result.batch.sessions.first)
    let text =
      "\(session.id) \(session.weekday) \(session.startMinute)-\(session.endMinute) /\(session.visitMinutes) \(session.everyWeeks):\(session.weekOffset)"
    #expect(text == expected)
  }

  @Test(
    arguments: [
      ("BS9,1,07:30,11:30,30,,,,,", 1, "no practitioner"), ("BS1,0,07:30,11:30,30,,,,,", 2, "weekday"),
      ("BS1,T8,07:30,11:30,30,,,,,", 2, "weekday"), ("BS1,1,7h30,11:30,30,,,,,", 3, "no time"),
      ("BS1,1,07:60,11:30,30,,,,,", 3, "no time"), ("BS1,1,07:31,11:30,30,,,,,", 3, "not on five"),
      ("BS1,1,24:00,25:00,30,,,,,", 3, "before 24:00"), ("BS1,1,07:30,48:05,30,,,,,", 4, "no time"),
      ("BS1,1,07:30,,30,,,,,", 4, "missing"), ("BS1,1,07:30,11:30,31,,,,,", 5, "multiple of five"),
      ("BS1,1,07:30,11:30,0,,,,,", 5, "whole number"), ("BS1,1,07:30,11:30,500,,,,,", 5, "whole number"),
      ("BS1,1,07:30,07:50,30,,,,,", 5, "fits into"), ("BS1,1,07:30,11:30,,,,,,", 5, "missing"),
      ("BS1,1,07:30,11:30,30,a b,,,,", 6, "identifier"), ("BS1,1,07:30,11:30,30,,soon,,,", 7, "no date"),
      ("BS1,1,07:30,11:30,30,,2026-11-21,2026-11-20,,", 8, "before"), ("BS1,1,07:30,11:30,30,,,,0,", 9, "whole number"),
      ("BS1,1,07:30,11:30,30,,,,2,", 10, "which"), ("BS1,1,07:30,11:30,30,,,,2,2", 10, "whole number"),
    ] as [(String, Int, String)])
  func refusesSchedule(row: String, column: Int, message: String) {
    let result = Self.schedule(row)
    #expect(result.problems.map(\.column) == [column], "\(result.problems)")
    #expect(result.problems.first?.message.contains(message) == true, "\(result.problems)")
    #expect(result.batch == DirectoryBatch())
  }

  @Test func sameSessionTwice() {
    let twice = Self.schedule("BS1,1,07:30,11:30,30,,,,,\nBS1,1,07:30,10:30,30,,,,,")
    #expect(twice.problems.map { "\($0.line):\($0.column ?? 0)" } == ["3:6"])
    #expect(Self.schedule("BS1,1,07:30,11:30,30,,,,2,0\nBS1,1,07:30,10:30,30,,,,2,1").problems.isEmpty)
  }
}
