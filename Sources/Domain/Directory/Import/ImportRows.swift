import Foundation

/// Reads the fields of one row after another by their columns' names, and gathers what is wrong with them.
struct ImportRows {
  let kind: ImportKind
  private(set) var problems: [ImportProblem] = []
  private var places: [String: Int] = [:]
  private var width = 0
  private var row = CSVTable.Row(line: 0, fields: [])
  private var firstLines: [String: Int] = [:]

  init(kind: ImportKind) { self.kind = kind }

  /// Takes the header; false when the rows cannot be read by it.
  mutating func begin(_ header: CSVTable.Row) -> Bool {
    let (required, optional) = kind.columns
    width = header.fields.count
    for (index, field) in header.fields.enumerated() {
      let written = field.trimmingCharacters(in: .whitespaces).lowercased()
      let name = Self.otherNames[written] ?? written
      let problem: String? =
        if !required.contains(name), !optional.contains(name) {
          "Unknown column '\(name.prefix(40))'; \(kind.rawValue) may have \((required + optional).joined(separator: ", "))."
        } else if places[name] != nil { "The column '\(name)' is there twice." } else { nil }
      if let problem { problems.append(.init(line: header.line, column: index + 1, message: problem)) }
      places[name] = index
    }
    for name in required where places[name] == nil {
      problems.append(.init(line: header.line, message: "The column '\(name)' is missing."))
    }
    return problems.isEmpty
  }

  /// Short names that people write for some columns.
  private static let otherNames = ["lat": "latitude", "lon": "longitude"]

  /// Reads each row with `read`; a row without a value has its problems noted. Stops when there are too many.
  mutating func each<Value>(_ rows: [CSVTable.Row], _ read: (inout ImportRows) -> Value?) -> [Value] {
    var values: [Value] = []
    for row in rows {
      guard problems.count < Limits.csvProblems else {
        problems.append(.init(line: row.line, message: "Too many problems; the rest of the file was not read."))
        break
      }
      guard row.fields.count == width else {
        problems.append(.init(line: row.line, message: "\(row.fields.count) fields, but the header has \(width)."))
        continue
      }
      self.row = row
      if let value = read(&self) { values.append(value) }
    }
    return values
  }

  mutating func problem(_ name: String, _ message: String) {
    problem(onLine: row.line, name, message)
  }

  /// The same for a row that was read before.
  mutating func problem(onLine line: Int, _ name: String, _ message: String) {
    problems.append(.init(line: line, column: places[name].map { $0 + 1 }, name: name, message: message))
  }

  /// The line that is being read.
  var line: Int { row.line }

  /// The field without spaces around it, in NFC; nil when it is empty or its column was left out.
  func optional(_ name: String) -> String? {
    guard let place = places[name] else { return nil }
    let text = row.fields[place].trimmingCharacters(in: .whitespacesAndNewlines)
    return text.isEmpty ? nil : text.precomposedStringWithCanonicalMapping
  }

  mutating func required(_ name: String) -> String? {
    if let text = optional(name) { return text }
    problem(name, "A value is missing.")
    return nil
  }

  /// A name or label: one line of at most `Limits.name` characters.
  mutating func name(_ name: String) -> String? {
    guard let text = required(name) else { return nil }
    guard text.unicodeScalars.count <= Limits.name else {
      problem(name, "Longer than \(Limits.name) characters.")
      return nil
    }
    guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      problem(name, "There is a control character in it.")
      return nil
    }
    return text
  }

  /// An identifier of the importing organisation: also part of addresses, so letters, digits, `.`, `_` and `-`.
  mutating func id(_ name: String) -> String? {
    guard let text = required(name) else { return nil }
    guard Self.isId(text) else {
      problem(name, "'\(text.prefix(70))' is no identifier: 1 to 64 of A–Z a–z 0–9 . _ -, the first a letter or digit.")
      return nil
    }
    return text
  }

  static func isId(_ text: String) -> Bool {
    let plain = { (byte: UInt8) in
      byte.isDigit || byte.isCapital || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }
    guard (1...64).contains(text.utf8.count), let first = text.utf8.first, plain(first) else { return false }
    return text.utf8.allSatisfy { plain($0) || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0) }
  }

  /// Notes a value that an earlier row has already.
  mutating func unique(_ name: String, _ value: String) -> Bool {
    if let first = firstLines[value] {
      problem(name, "'\(value)' is already on line \(first).")
      return false
    }
    firstLines[value] = row.line
    return true
  }

  mutating func facilityCode(_ name: String) -> String? {
    guard let text = optional(name) else { return nil }
    guard FacilityCode.isValid(text) else {
      let hint = text.utf8.count < 5 ? " Did a spreadsheet drop its leading zeros?" : ""
      problem(name, "'\(text.prefix(20))' is no facility code: five digits or capital letters.\(hint)")
      return nil
    }
    return text
  }

  /// The code of a facility that exists.
  mutating func facility(_ name: String, known: KnownDirectory) -> String? {
    guard required(name) != nil, let code = facilityCode(name) else { return nil }
    guard known.parents[code] != nil else {
      problem(name, "There is no facility '\(code)'.")
      return nil
    }
    return code
  }

  mutating func int(_ name: String, _ range: ClosedRange<Int64>) -> Int64? {
    guard let text = optional(name) else { return nil }
    guard let value = Int64(text), range.contains(value) else {
      problem(name, "'\(text.prefix(20))' is no whole number from \(range.lowerBound) to \(range.upperBound).")
      return nil
    }
    return value
  }

  /// Degrees; with a decimal comma as well, which spreadsheets in Viet Nam write.
  mutating func degrees(_ name: String, _ limit: Double) -> Double? {
    guard let text = optional(name) else { return nil }
    let plain = text.utf8.allSatisfy {
      $0.isDigit || [UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: "-")].contains($0)
    }
    guard plain, let value = Double(text.replacing(",", with: ".")), abs(value) <= limit else {
      problem(name, "'\(text.prefix(20))' is no number of degrees from -\(Int(limit)) to \(Int(limit)).")
      return nil
    }
    return value
  }

  /// `2026-11-21`, or `21/11/2026` as spreadsheets in Viet Nam write it.
  mutating func day(_ name: String) -> CalendarDay? {
    guard let text = optional(name) else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    var day = CalendarDay(text)
    if parts.count == 3, parts[2].utf8.count == 4, parts.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) }),
      let date = Int(parts[0]), let month = Int(parts[1]), let year = Int(parts[2])
    {
      day = CalendarDay(year: year, month: month, day: date)
    }
    guard let day, (1900...2200).contains(day.year) else {
      problem(name, "'\(text.prefix(20))' is no date; write 2026-11-21 or 21/11/2026.")
      return nil
    }
    return day
  }

  /// First and last day, in this order.
  mutating func validity() -> (from: CalendarDay?, to: CalendarDay?) {
    let (from, to) = (day("valid_from"), day("valid_to"))
    if let from, let to, to < from { problem("valid_to", "It lies before valid_from.") }
    return (from, to)
  }

  mutating func phone(_ name: String) -> String? {
    guard let text = optional(name) else { return nil }
    let phone = PhoneNumber(text)
    if phone == nil { problem(name, "'\(text.prefix(40))' is no telephone number.") }
    return phone?.text
  }

  /// `HH:MM` up to `48:00`, on five minutes; minutes of the day.
  mutating func minute(_ name: String) -> Int64? {
    guard let text = required(name) else { return nil }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, (1...2).contains(parts[0].utf8.count), parts[1].utf8.count == 2,
      parts.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) }), let hour = Int64(parts[0]), let minute = Int64(parts[1]),
      minute < 60, hour * 60 + minute <= 2880
    else {
      problem(name, "'\(text.prefix(20))' is no time; write 07:30.")
      return nil
    }
    guard minute % Limits.cellMinutes == 0 else {
      problem(name, "\(text) is not on five minutes.")
      return nil
    }
    return hour * 60 + minute
  }
}
