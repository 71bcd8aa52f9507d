extension ImportRows {
  mutating func practitioners(_ rows: [CSVTable.Row], known: KnownDirectory) -> [Practitioner] {
    each(rows) { row in
      let (id, name) = (row.id("id"), row.name("name"))
      let facility = row.facility("facility", known: known)
      let (specialty, phone, validTo) = (row.specialty(), row.phone("phone"), row.day("valid_to"))
      guard let id, let name, let facility, let specialty, row.unique("id", id) else { return nil }
      return Practitioner(
        id: id, name: name, facility: facility, specialty: specialty, phone: phone, validTo: validTo)
    }
  }

  mutating func vehicles(_ rows: [CSVTable.Row], known: KnownDirectory) -> [Vehicle] {
    each(rows) { row in
      let label = row.name("label")
      let facility = row.facility("facility", known: known)
      let id = row.optional("id") == nil ? Self.vehicleId(facility, label) : row.id("id")
      let kind = row.optional("kind") ?? Vehicle.kinds[0]
      if !Vehicle.kinds.contains(kind) {
        row.problem("kind", "'\(kind.prefix(40))' is none of \(Vehicle.kinds.joined(separator: ", ")).")
      }
      guard let id, let label, let facility, row.unique("id", id) else { return nil }
      return Vehicle(id: id, label: label, facility: facility, kind: kind)
    }
  }

  /// A vehicle without an id is known by where it belongs and its label: `38901-xe-cuu-thuong-01`.
  private static func vehicleId(_ facility: String?, _ label: String?) -> String? {
    guard let facility, let label else { return nil }
    let words = Folded.key(label).split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
    return String("\(facility)-\(words.joined(separator: "-"))".prefix(64))
  }

  mutating func schedules(_ rows: [CSVTable.Row], known: KnownDirectory) -> [ScheduleSession] {
    each(rows) { row in
      let practitioner = row.practitioner(known: known)
      let weekday = row.weekday()
      let (start, end) = row.times()
      let visit = row.visit(start: start, end: end)
      let (from, to) = row.validity()
      let weeks = row.int("every_weeks", 1...52) ?? 1
      let offset = row.weekOffset(weeks: weeks, from: from, weekday: weekday)
      let given = row.optional("id") == nil ? nil : row.id("id")
      guard let practitioner, let weekday, let start, let end, let visit, let offset else { return nil }
      let id =
        given
        ?? Self.sessionId(practitioner, weekday: weekday, start: start, weeks: weeks, offset: offset, from: from)
      guard row.unique("id", id) else { return nil }
      return ScheduleSession(
        id: id, practitioner: practitioner, weekday: weekday, startMinute: start, endMinute: end, visitMinutes: visit,
        validFrom: from, validTo: to, everyWeeks: Int(weeks), weekOffset: Int(offset))
    }
  }

  /// A session without an id is known by what it is, so that the same file imported again changes nothing.
  private static func sessionId(
    _ practitioner: String, weekday: Int, start: Int64, weeks: Int64, offset: Int64, from: CalendarDay?
  ) -> String {
    let time = String(10_000 + start / 60 * 100 + start % 60).dropFirst()
    let turn = weeks == 1 ? "" : "-w\(offset)of\(weeks)"
    let begin = from.map { "-" + $0.text.replacing("-", with: "") } ?? ""
    return "\(practitioner)-\(weekday)-\(time)\(turn)\(begin)"
  }

  /// By its code, or by its name in either language, without regard to marks and case.
  private mutating func specialty() -> Specialty? {
    guard let text = required("specialty") else { return nil }
    let key = Folded.key(text)
    let found = Specialty.allCases.first {
      [$0.rawValue.lowercased(), Folded.key($0.name.vi), Folded.key($0.name.en)].contains(key)
    }
    if found == nil {
      problem(
        "specialty", "'\(text.prefix(40))' is none of \(Specialty.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return found
  }

  private mutating func practitioner(known: KnownDirectory) -> String? {
    guard let id = id("practitioner") else { return nil }
    guard known.practitioners.contains(id) else {
      problem("practitioner", "There is no practitioner '\(id)'.")
      return nil
    }
    return id
  }

  /// 1 = Monday … 7 = Sunday, or as calendars in Viet Nam write it: T2 … T7, CN.
  private mutating func weekday() -> Int? {
    guard let text = required("weekday") else { return nil }
    let day = ["T2", "T3", "T4", "T5", "T6", "T7", "CN"].firstIndex(of: text.uppercased()).map { $0 + 1 } ?? Int(text)
    guard let day, (1...7).contains(day) else {
      problem("weekday", "'\(text.prefix(20))' is no weekday: 1 (Monday) to 7 (Sunday), or T2 to T7 and CN.")
      return nil
    }
    return day
  }

  /// An end that is not after the start is meant for the next day.
  private mutating func times() -> (start: Int64?, end: Int64?) {
    let (start, end) = (minute("start"), minute("end"))
    guard let start, let end else { return (nil, nil) }
    guard start < 1440 else {
      problem("start", "A session begins before 24:00 of its day.")
      return (nil, nil)
    }
    return (start, end <= start ? end + 1440 : end)
  }

  private mutating func visit(start: Int64?, end: Int64?) -> Int64? {
    guard required("visit_minutes") != nil, let visit = int("visit_minutes", Limits.visitMinutes) else { return nil }
    guard visit % Limits.cellMinutes == 0 else {
      problem("visit_minutes", "\(visit) is no multiple of five.")
      return nil
    }
    if let start, let end, end - start < visit {
      problem("visit_minutes", "No visit of \(visit) minutes fits into the session.")
      return nil
    }
    return visit
  }

  /// Which of every few weeks: as given, or that of the first such weekday from `valid_from` on.
  private mutating func weekOffset(weeks: Int64, from: CalendarDay?, weekday: Int?) -> Int64? {
    if optional("week_offset") != nil { return int("week_offset", 0...weeks - 1) }
    guard weeks > 1 else { return 0 }
    guard let from else {
      problem("week_offset", "Every \(weeks) weeks: write week_offset or valid_from, to say which.")
      return nil
    }
    guard let weekday else { return nil }
    let first = from + Int64((weekday - from.weekday + 7) % 7)
    return first.weekNumber.flooredDivision(by: weeks).remainder
  }
}

extension Vehicle {
  /// What a vehicle may be; the first is meant where nothing is said.
  package static let kinds = ["ambulance", "hospitalCar", "volunteer", "boat"]
}
