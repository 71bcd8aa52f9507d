extension DemoMaker {
  /// Weekly schedules of several shapes, one after another within each specialty.
  func sessions(of practitioners: [Practitioner], _ random: inout SplitMix64) -> [ScheduleSession] {
    var sessions: [ScheduleSession] = []
    var places: [Specialty: Int] = [:]
    for practitioner in practitioners {
      let place = places[practitioner.specialty, default: 0]
      places[practitioner.specialty] = place + 1
      for entry in shape(practitioner.specialty, place: place) {
        sessions.append(
          ScheduleSession(
            id: id(10_000 + sessions.count, &random), practitioner: practitioner.id, weekday: entry.weekday,
            startMinute: entry.start, endMinute: entry.end, visitMinutes: entry.visit, everyWeeks: entry.everyWeeks,
            weekOffset: entry.weekOffset))
      }
    }
    return sessions
  }

  private struct Entry {
    var weekday: Int
    var start: Int64
    var end: Int64
    var visit: Int64
    var everyWeeks = 1
    var weekOffset = 0
  }

  private func shape(_ specialty: Specialty, place: Int) -> [Entry] {
    // The first emergency physician is on duty at all hours; the first cardiologist and neurologist from six to ten
    // every day. The others' grids lie within theirs, and ids decide between equals: a demo's earliest slot in
    // cardiology is `bacsi`'s.
    let urgent = [.cardiology, .neurology, .emergencyMedicine].contains(specialty)
    if urgent, place == 0 { return specialty == .emergencyMedicine ? Self.duty : Array(Self.longDays) }
    switch place % 7 {
    case 1: return Self.fullDays(1...5, visit: 30)
    case 2: return Self.mornings([1, 2, 3, 4, 5], visit: urgent ? 30 : 15)
    case 3: return Self.evenings([2, 4, 6], visit: urgent ? 30 : 20)
    case 4: return urgent ? Self.fullDays(3...6, visit: 60) : Self.nights([1, 3, 5, 7], visit: 60)
    case 5: return Self.mornings([1, 3, 5], visit: urgent ? 30 : 10) + Self.everySecond(6, visit: 30, offset: 0)
    case 6:
      return Self.fullDays(2...4, visit: urgent ? 30 : 15) + Self.everySecond(6, visit: 30, offset: 1)
        + Self.mornings([7], visit: 30)
    default: return Self.fullDays(1...6, visit: urgent ? 30 : 20)
    }
  }

  /// Three shifts round the clock; the last runs into the next day.
  private static var duty: [Entry] {
    (1...7).flatMap { weekday in
      [(360, 840), (840, 1320), (1320, 1800)].map { Entry(weekday: weekday, start: $0.0, end: $0.1, visit: 15) }
    }
  }

  /// Two shifts from 06:00 to 22:00.
  private static var longDays: [Entry] {
    (1...7).flatMap { weekday in
      [(360, 840), (840, 1320)].map { Entry(weekday: weekday, start: $0.0, end: $0.1, visit: 15) }
    }
  }

  /// 07:00–11:30.
  private static func mornings(_ weekdays: [Int], visit: Int64) -> [Entry] {
    weekdays.map { Entry(weekday: $0, start: 420, end: 690, visit: visit) }
  }

  /// 07:00–11:30 and, behind the lunch break, 13:30–17:00.
  private static func fullDays(_ weekdays: ClosedRange<Int>, visit: Int64) -> [Entry] {
    mornings(Array(weekdays), visit: visit) + weekdays.map { Entry(weekday: $0, start: 810, end: 1020, visit: visit) }
  }

  /// 17:30–20:30.
  private static func evenings(_ weekdays: [Int], visit: Int64) -> [Entry] {
    weekdays.map { Entry(weekday: $0, start: 1050, end: 1230, visit: visit) }
  }

  /// 20:00–06:00, across midnight.
  private static func nights(_ weekdays: [Int], visit: Int64) -> [Entry] {
    weekdays.map { Entry(weekday: $0, start: 1200, end: 1800, visit: visit) }
  }

  /// One morning in every second week.
  private static func everySecond(_ weekday: Int, visit: Int64, offset: Int) -> [Entry] {
    [Entry(weekday: weekday, start: 450, end: 690, visit: visit, everyWeeks: 2, weekOffset: offset)]
  }
}
