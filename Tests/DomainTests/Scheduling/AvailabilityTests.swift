import Domain
import Testing

@Suite struct AvailabilityTests {
  /// Saturday.
  static let saturday = CalendarDay(number: 20_778)

  static func session(
    _ id: String = "s", weekday: Int = 6, from: Int64 = 480, to: Int64 = 690, validFrom: String? = nil,
    validTo: String? = nil, everyWeeks: Int = 1, weekOffset: Int = 0
  ) -> ScheduleSession {
    ScheduleSession(
      id: id, practitioner: "p", weekday: weekday, startMinute: from, endMinute: to, visitMinutes: 30,
      validFrom: validFrom.flatMap { CalendarDay($0) }, validTo: validTo.flatMap { CalendarDay($0) },
      everyWeeks: everyWeeks, weekOffset: weekOffset)
  }

  static func at(_ minute: Int64) -> Instant { saturday.start + .minutes(minute) }

  static func availability(_ sessions: [ScheduleSession], days: Int64 = 1) -> Availability {
    Availability(sessions: sessions, from: saturday.start, to: (saturday + days).start)
  }

  @Test(
    arguments: [
      (480, 30, true), (485, 30, true), (660, 30, true), (480, 210, true), (475, 30, false), (665, 30, false),
      (480, 215, false),
      (690, 5, false), (480, 0, false), (480, -5, false),
    ] as [(Int64, Int64, Bool)])
  func covers(minute: Int64, minutes: Int64, expected: Bool) {
    #expect(Self.availability([Self.session()]).covers(start: Self.at(minute), minutes: minutes) == expected)
  }

  @Test func mergesSessionsThatTouchOrOverlap() {
    let touching = Self.availability([Self.session("a", to: 600), Self.session("b", from: 600, to: 660)])
    #expect(touching.stretches == [.init(start: Self.at(480), end: Self.at(660))])
    #expect(touching.covers(start: Self.at(590), minutes: 30))
    let inside = Self.availability([Self.session("a"), Self.session("b", from: 500, to: 520)])
    #expect(inside.stretches == [.init(start: Self.at(480), end: Self.at(690))])
    let apart = Self.availability([Self.session("a", from: 700, to: 800), Self.session("b")])
    #expect(
      apart.stretches == [.init(start: Self.at(480), end: Self.at(690)), .init(start: Self.at(700), end: Self.at(800))])
    #expect(!apart.covers(start: Self.at(680), minutes: 30))
  }

  @Test func runsPastMidnight() {
    // Friday night to Saturday morning, seen from Saturday; and a whole second day, seen from Sunday.
    let night = Self.session(weekday: 5, from: 1200, to: 1440 + 360)
    #expect(Self.availability([night]).stretches == [.init(start: Self.at(-240), end: Self.at(360))])
    #expect(Self.availability([night]).covers(start: Self.at(-15), minutes: 30))
    let long = Self.session(weekday: 5, from: 0, to: 2880)
    #expect(Self.availability([long]).covers(start: Self.at(1410), minutes: 30))
    #expect(Availability(sessions: [long], from: Self.at(1440), to: Self.at(2000)).stretches.isEmpty)
  }

  @Test func validity() {
    let days = { (session: ScheduleSession) in
      Availability.occurrences(of: [session], from: Self.saturday.start, to: (Self.saturday + 28).start).map(
        \.start.day.text)
    }
    #expect(days(Self.session()) == ["2026-11-21", "2026-11-28", "2026-12-05", "2026-12-12"])
    #expect(days(Self.session(validFrom: "2026-11-28", validTo: "2026-12-05")) == ["2026-11-28", "2026-12-05"])
    #expect(days(Self.session(validFrom: "2026-11-29", validTo: "2026-12-04")) == [])
    #expect(
      days(Self.session(everyWeeks: 2, weekOffset: Int(Self.saturday.weekNumber % 2))) == ["2026-11-21", "2026-12-05"])
    #expect(
      days(Self.session(everyWeeks: 2, weekOffset: Int((Self.saturday.weekNumber + 1) % 2))) == [
        "2026-11-28", "2026-12-12",
      ])
    #expect(
      days(Self.session(validFrom: "2026-11-22", everyWeeks: 2, weekOffset: Int(Self.saturday.weekNumber % 2)))
        == ["2026-12-05"])
  }

  @Test func lastDayOfThePractitioner() {
    let night = Self.session(weekday: 6, from: 1200, to: 1440 + 360)
    let until = Availability(sessions: [night], lastDay: Self.saturday, from: Self.at(0), to: Self.at(20_000))
    #expect(until.stretches == [.init(start: Self.at(1200), end: Self.at(1800))], "a night begun is worked to its end")
    #expect(
      Availability(sessions: [night], lastDay: Self.saturday + -1, from: Self.at(0), to: Self.at(9000)).stretches
        .isEmpty)
  }

  @Test func nonsenseGivesNothing() {
    for session in [
      Self.session(weekday: 0), Self.session(weekday: 8), Self.session(everyWeeks: 0),
      Self.session(everyWeeks: 2, weekOffset: 2),
      Self.session(weekOffset: -1), Self.session(from: 600, to: 600), Self.session(from: 600, to: 500),
    ] {
      #expect(Self.availability([session], days: 30).stretches.isEmpty)
    }
    #expect(Availability(sessions: [Self.session()], from: Self.at(1440), to: Self.at(0)).stretches.isEmpty)
  }

  @Test func free() {
    let availability = Self.availability([Self.session()])
    var busy = BusyCells(from: Self.at(0), to: Self.at(1440))
    #expect(availability.free(without: busy) == availability.stretches)
    busy.insert(Cell.range(start: Self.at(480), minutes: 10))
    busy.insert(Cell.range(start: Self.at(600), minutes: 30))
    #expect(
      availability.free(without: busy)
        == [.init(start: Self.at(490), end: Self.at(600)), .init(start: Self.at(630), end: Self.at(690))])
    busy.insert(Cell.range(start: Self.at(0), minutes: 1440))
    #expect(availability.free(without: busy).isEmpty)
    let narrow = BusyCells(from: Self.at(500), to: Self.at(520))
    #expect(availability.free(without: narrow) == [.init(start: Self.at(500), end: Self.at(520))])
  }
}
