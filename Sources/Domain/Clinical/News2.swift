/// National Early Warning Score 2 (Royal College of Physicians, 2017): seven scores, their sum and its band.
/// It advises; the clinician decides.
package struct News2: Sendable, Equatable {
  package enum Band: String, Sendable, CaseIterable { case low, lowMedium, medium, high }

  package var respiratoryRate: Int
  package var spo2: Int
  package var oxygen: Int
  package var systolic: Int
  package var pulse: Int
  package var consciousness: Int
  package var temperature: Int

  package var all: [(name: String, score: Int)] {
    [
      ("respiratoryRate", respiratoryRate), ("spo2", spo2), ("oxygen", oxygen), ("systolic", systolic),
      ("pulse", pulse), ("consciousness", consciousness), ("temperature", temperature),
    ]
  }

  package var total: Int { respiratoryRate + spo2 + oxygen + systolic + pulse + consciousness + temperature }

  /// `lowMedium`: a single parameter in red (3) with a total that alone would be low.
  package var band: Band {
    switch total {
    case 7...: .high
    case 5...6: .medium
    default: all.contains { $0.score == 3 } ? .lowMedium : .low
    }
  }

  /// Scores a patient's vitals. Nil when a parameter is missing (no total is better than a low one), and where the
  /// score was not made for: under 16 on that day, or pregnant. A missing birth date does not stop it: stations see
  /// unidentified adults.
  package init?(_ vitals: Vitals, birthDate: CalendarDay?, on day: CalendarDay, pregnant: Bool) {
    guard !pregnant else { return nil }
    if let birthDate, birthDate.years(until: day) < 16 { return nil }
    guard let rate = vitals.respiratoryRate, let saturation = vitals.spo2, let onOxygen = vitals.oxygen,
      let pressure = vitals.systolic, let beats = vitals.pulse, let consciousness = vitals.consciousness,
      let degrees = vitals.temperature
    else { return nil }
    respiratoryRate = Self.respiratoryRate(rate)
    spo2 =
      vitals.spo2Scale == 2
      ? Self.saturationScale2(saturation, onOxygen: onOxygen) : Self.saturationScale1(saturation)
    oxygen = onOxygen ? 2 : 0
    systolic = Self.systolic(pressure)
    pulse = Self.pulse(beats)
    self.consciousness = consciousness == .alert ? 0 : 3
    temperature = Self.temperature(degrees)
  }

  private static func respiratoryRate(_ value: Int64) -> Int {
    switch value {
    case ...8: 3
    case 9...11: 1
    case 12...20: 0
    case 21...24: 2
    default: 3
    }
  }

  private static func saturationScale1(_ value: Int64) -> Int {
    switch value {
    case ...91: 3
    case 92...93: 2
    case 94...95: 1
    default: 0
    }
  }

  /// Above its target a patient on oxygen gets too much of it, which scores as well.
  private static func saturationScale2(_ value: Int64, onOxygen: Bool) -> Int {
    switch value {
    case ...83: 3
    case 84...85: 2
    case 86...87: 1
    case 88...92: 0
    case 93...94: onOxygen ? 1 : 0
    case 95...96: onOxygen ? 2 : 0
    default: onOxygen ? 3 : 0
    }
  }

  private static func systolic(_ value: Int64) -> Int {
    switch value {
    case ...90: 3
    case 91...100: 2
    case 101...110: 1
    case 111...219: 0
    default: 3
    }
  }

  private static func pulse(_ value: Int64) -> Int {
    switch value {
    case ...40: 3
    case 41...50: 1
    case 51...90: 0
    case 91...110: 1
    case 111...130: 2
    default: 3
    }
  }

  /// The table steps in tenths, so the value is rounded to tenths first: 38.04 is 38.0.
  private static func temperature(_ value: Double) -> Int {
    switch Int((value * 10).rounded()) {
    case ...350: 3
    case 351...360: 1
    case 361...380: 0
    case 381...390: 1
    default: 2
    }
  }

  /// The form on the wire: `{total, band, scores}`.
  package var json: JSON {
    [
      "total": .int(Int64(total)), "band": .string(band.rawValue),
      "scores": .object(.init(all.map { ($0.name, .int(Int64($0.score))) })),
    ]
  }
}
