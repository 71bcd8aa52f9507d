import Domain
import Testing

@Suite struct News2Tests {
  static let today = CalendarDay(number: 20_778)
  static let well = Vitals(
    respiratoryRate: 16, spo2: 97, oxygen: false, systolic: 120, pulse: 70, consciousness: .alert, temperature: 37)

  static func score(_ change: (inout Vitals) -> Void) throws -> News2 {
    var vitals = well
    change(&vitals)
    return try #require(News2(vitals, birthDate: nil, on: today, pregnant: false))
  }

  /// The table of the Royal College of Physicians: every value up to a bound has the score, until the next bound.
  static let respiratoryRates: [(through: Int64, score: Int)] = [(8, 3), (11, 1), (20, 0), (24, 2), (150, 3)]
  static let saturations1: [(through: Int64, score: Int)] = [(91, 3), (93, 2), (95, 1), (100, 0)]
  static let saturations2Air: [(through: Int64, score: Int)] = [(83, 3), (85, 2), (87, 1), (100, 0)]
  static let saturations2Oxygen: [(through: Int64, score: Int)] = [
    (83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (100, 3),
  ]
  static let systolics: [(through: Int64, score: Int)] = [(90, 3), (100, 2), (110, 1), (219, 0), (350, 3)]
  static let pulses: [(through: Int64, score: Int)] = [(40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (400, 3)]
  /// In tenths of a degree.
  static let temperatures: [(through: Int64, score: Int)] = [(350, 3), (360, 1), (380, 0), (390, 1), (460, 2)]

  static func each(_ table: [(through: Int64, score: Int)], from: Int64 = 0, _ check: (Int64, Int) throws -> Void)
    rethrows
  {
    var value = from
    for row in table {
      while value <= row.through {
        try check(value, row.score)
        value += 1
      }
    }
  }

  @Test func respiratoryRate() throws {
    try Self.each(Self.respiratoryRates) { value, expected in
      let score = try Self.score { $0.respiratoryRate = value }
      #expect(score.respiratoryRate == expected && score.total == expected, "\(value)/min")
    }
  }

  @Test(arguments: [nil, 1] as [Int64?], [false, true])
  func saturationOnScale1(scale: Int64?, oxygen: Bool) throws {
    try Self.each(Self.saturations1) { value, expected in
      let score = try Self.score { ($0.spo2, $0.spo2Scale, $0.oxygen) = (value, scale, oxygen) }
      #expect(score.spo2 == expected && score.oxygen == (oxygen ? 2 : 0), "\(value) %")
      #expect(score.total == expected + (oxygen ? 2 : 0), "\(value) %")
    }
  }

  @Test(arguments: [false, true])
  func saturationOnScale2(oxygen: Bool) throws {
    try Self.each(oxygen ? Self.saturations2Oxygen : Self.saturations2Air) { value, expected in
      let score = try Self.score { ($0.spo2, $0.spo2Scale, $0.oxygen) = (value, 2, oxygen) }
      #expect(score.spo2 == expected && score.oxygen == (oxygen ? 2 : 0), "\(value) %")
    }
  }

  @Test func systolic() throws {
    try Self.each(Self.systolics) { value, expected in
      let score = try Self.score { $0.systolic = value }
      #expect(score.systolic == expected && score.total == expected, "\(value) mmHg")
    }
  }

  @Test func pulse() throws {
    try Self.each(Self.pulses) { value, expected in
      let score = try Self.score { $0.pulse = value }
      #expect(score.pulse == expected && score.total == expected, "\(value)/min")
    }
  }

  @Test func temperature() throws {
    try Self.each(Self.temperatures, from: 100) { value, expected in
      let score = try Self.score { $0.temperature = Double(value) / 10 }
      #expect(score.temperature == expected && score.total == expected, "\(value) tenths")
    }
  }

  @Test(arguments: [(35.04, 3), (35.06, 1), (36.04, 1), (36.06, 0), (38.04, 0), (38.06, 1), (39.04, 1), (39.06, 2)])
  func temperatureIsRoundedToTenths(value: Double, expected: Int) throws {
    #expect(try Self.score { $0.temperature = value }.temperature == expected)
  }

  @Test(arguments: zip(Vitals.Consciousness.allCases, [0, 3, 3, 3, 3]))
  func consciousness(level: Vitals.Consciousness, expected: Int) throws {
    #expect(try Self.score { $0.consciousness = level }.consciousness == expected)
  }

  @Test func diastolicDoesNotCount() throws {
    #expect(try Self.score { $0.diastolic = 20 }.total == 0)
  }

  @Test func bands() throws {
    #expect(try Self.score { _ in }.band == .low)
    // Four, without a three: low. Oxygen 2, pulse 1, systolic 1.
    let four = try Self.score { ($0.oxygen, $0.pulse, $0.systolic) = (true, 100, 105) }
    #expect(four.total == 4 && four.band == .low)
    // Three in one, and four with a three in it: lowMedium.
    let red = try Self.score { $0.systolic = 90 }
    #expect(red.total == 3 && red.band == .lowMedium)
    let redAndOne = try Self.score { ($0.systolic, $0.pulse) = (90, 100) }
    #expect(redAndOne.total == 4 && redAndOne.band == .lowMedium)
    // Five and six are medium, with a three or without.
    let redAndTwo = try Self.score { ($0.systolic, $0.pulse) = (90, 120) }
    #expect(redAndTwo.total == 5 && redAndTwo.band == .medium)
    let five = try Self.score { ($0.oxygen, $0.pulse, $0.systolic) = (true, 120, 105) }
    #expect(five.total == 5 && five.band == .medium)
    let six = try Self.score { ($0.oxygen, $0.pulse, $0.systolic) = (true, 120, 95) }
    #expect(six.total == 6 && six.band == .medium)
    let seven = try Self.score { ($0.oxygen, $0.pulse, $0.systolic, $0.temperature) = (true, 120, 95, 38.5) }
    #expect(seven.total == 7 && seven.band == .high)
  }

  @Test func highestTotal() throws {
    let worst = try Self.score {
      $0 = Vitals(
        respiratoryRate: 40, spo2: 70, oxygen: true, systolic: 60, pulse: 180, consciousness: .unresponsive,
        temperature: 34)
    }
    #expect(worst.total == 20 && worst.band == .high)
    #expect(
      worst.json.text
        == #"{"total":20,"band":"high","scores":{"respiratoryRate":3,"spo2":3,"oxygen":2,"systolic":3,"pulse":3,"consciousness":3,"temperature":3}}"#
    )
  }

  static let removals: [(name: String, remove: @Sendable (inout Vitals) -> Void)] = [
    ("respiratoryRate", { $0.respiratoryRate = nil }), ("spo2", { $0.spo2 = nil }), ("oxygen", { $0.oxygen = nil }),
    ("systolic", { $0.systolic = nil }), ("pulse", { $0.pulse = nil }), ("consciousness", { $0.consciousness = nil }),
    ("temperature", { $0.temperature = nil }),
  ]

  @Test func noTotalWithoutAParameter() {
    for (name, remove) in Self.removals {
      var vitals = Self.well
      remove(&vitals)
      #expect(News2(vitals, birthDate: nil, on: Self.today, pregnant: false) == nil, "without \(name)")
    }
  }

  @Test(arguments: [
    ("1950-01-01", true), ("2010-11-21", true), ("2010-11-22", false), ("2025-01-01", false), ("2027-01-01", false),
  ])
  func onlyFromSixteen(birth: String, scored: Bool) throws {
    let birthDate = try #require(CalendarDay(birth))
    let news = News2(Self.well, birthDate: birthDate, on: Self.today, pregnant: false)
    #expect((news != nil) == scored)
  }

  @Test func notInPregnancy() {
    #expect(News2(Self.well, birthDate: nil, on: Self.today, pregnant: true) == nil)
  }
}
