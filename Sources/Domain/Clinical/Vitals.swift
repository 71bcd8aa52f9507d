/// A set of measurements at one time; what was not measured is nil.
package struct Vitals: Sendable, Equatable {
  package enum Consciousness: String, Sendable, CaseIterable { case alert, confusion, voice, pain, unresponsive }

  package var at: Instant?
  /// Breaths a minute.
  package var respiratoryRate: Int64?
  /// Oxygen saturation in percent.
  package var spo2: Int64?
  /// NEWS2's scale: 2 only where a clinician has set a target of 88–92 % (hypercapnic failure).
  package var spo2Scale: Int64?
  /// Breathing supplemental oxygen.
  package var oxygen: Bool?
  /// mmHg.
  package var systolic: Int64?
  package var diastolic: Int64?
  /// Beats a minute.
  package var pulse: Int64?
  package var consciousness: Consciousness?
  /// Degrees Celsius.
  package var temperature: Double?

  package init(
    at: Instant? = nil, respiratoryRate: Int64? = nil, spo2: Int64? = nil, spo2Scale: Int64? = nil,
    oxygen: Bool? = nil, systolic: Int64? = nil, diastolic: Int64? = nil, pulse: Int64? = nil,
    consciousness: Consciousness? = nil, temperature: Double? = nil
  ) {
    self.at = at
    self.respiratoryRate = respiratoryRate
    self.spo2 = spo2
    self.spo2Scale = spo2Scale
    self.oxygen = oxygen
    self.systolic = systolic
    self.diastolic = diastolic
    self.pulse = pulse
    self.consciousness = consciousness
    self.temperature = temperature
  }

  /// The form on the wire, without what was not measured.
  package var json: JSON {
    .compact([
      "at": at.map { .instant($0) }, "respiratoryRate": respiratoryRate.map { .int($0) }, "spo2": spo2.map { .int($0) },
      "spo2Scale": spo2Scale.map { .int($0) }, "oxygen": oxygen.map { .bool($0) },
      "systolic": systolic.map { .int($0) },
      "diastolic": diastolic.map { .int($0) }, "pulse": pulse.map { .int($0) },
      "consciousness": consciousness.map { .string($0.rawValue) }, "temperature": temperature.map { .double($0) },
    ])
  }

  /// What a living or dying person can show; outside it somebody mistyped.
  package static let respiratoryRates: ClosedRange<Int64> = 0...150
  package static let saturations: ClosedRange<Int64> = 0...100
  package static let pressures: ClosedRange<Int64> = 0...350
  package static let pulses: ClosedRange<Int64> = 0...400
  package static let temperatures: ClosedRange<Double> = 10...46

  /// Reads the form on the wire; every fault is added to `faults` with its pointer below `pointer`.
  package init(json: JSON, at pointer: String, faults: inout [Rejection.Field]) {
    guard case .object = json else {
      faults.append(.init(pointer, "type", "An object was expected."))
      self.init()
      return
    }
    var reader = Reader(json: json, pointer: pointer)
    self.init(
      at: reader.instant("at"), respiratoryRate: reader.int("respiratoryRate", Self.respiratoryRates),
      spo2: reader.int("spo2", Self.saturations), spo2Scale: reader.int("spo2Scale", 1...2),
      oxygen: reader.bool("oxygen"), systolic: reader.int("systolic", Self.pressures),
      diastolic: reader.int("diastolic", Self.pressures), pulse: reader.int("pulse", Self.pulses),
      consciousness: reader.consciousness("consciousness"),
      temperature: reader.number("temperature", Self.temperatures))
    faults += reader.faults
  }
}

private struct Reader {
  var json: JSON
  var pointer: String
  var faults: [Rejection.Field] = []

  init(json: JSON, pointer: String) {
    self.json = json
    self.pointer = pointer
  }

  private mutating func fault(_ name: String, _ code: String, _ detail: String) {
    faults.append(.init("\(pointer)/\(name)", code, detail))
  }

  mutating func int(_ name: String, _ range: ClosedRange<Int64>) -> Int64? {
    guard let member = json[name] else { return nil }
    guard let value = member.int else {
      fault(name, "type", "A whole number was expected.")
      return nil
    }
    guard range.contains(value) else {
      fault(name, "range", "From \(range.lowerBound) to \(range.upperBound).")
      return nil
    }
    return value
  }

  mutating func number(_ name: String, _ range: ClosedRange<Double>) -> Double? {
    guard let member = json[name] else { return nil }
    guard let value = member.number else {
      fault(name, "type", "A number was expected.")
      return nil
    }
    guard range.contains(value) else {
      fault(name, "range", "From \(range.lowerBound) to \(range.upperBound).")
      return nil
    }
    return value
  }

  mutating func bool(_ name: String) -> Bool? {
    guard let member = json[name] else { return nil }
    if member.bool == nil { fault(name, "type", "true or false was expected.") }
    return member.bool
  }

  mutating func instant(_ name: String) -> Instant? {
    guard let member = json[name] else { return nil }
    let instant = member.string.flatMap { Instant($0) }
    if instant == nil { fault(name, "format", "A time with its offset was expected (RFC 3339).") }
    return instant
  }

  mutating func consciousness(_ name: String) -> Vitals.Consciousness? {
    guard let member = json[name] else { return nil }
    let value = member.string.flatMap { Vitals.Consciousness(rawValue: $0) }
    if value == nil {
      fault(name, "unknown", "One of \(Vitals.Consciousness.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return value
  }
}
