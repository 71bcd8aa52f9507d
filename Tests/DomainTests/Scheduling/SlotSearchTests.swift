import Domain
import Foundation
import Testing

@Suite struct SlotSearchTests {
  /// Saturday.
  static let saturday = CalendarDay(number: 20_778)

  static func at(_ minute: Int64) -> Instant { saturday.start + .minutes(minute) }

  static func calendar(
    _ id: String, _ sessions: [(from: Int64, to: Int64, visit: Int64)], taken: [(from: Int64, minutes: Int64)] = []
  ) -> SlotSearch.Calendar {
    var busy = BusyCells(from: at(-2880), to: at(20_160))
    for (from, minutes) in taken { busy.insert(Cell.range(start: at(from), minutes: minutes)) }
    return .init(
      practitioner: .init(id: id, name: id, facility: "38901", specialty: .cardiology),
      sessions: sessions.enumerated().map {
        .init(
          id: "\(id)\($0)", practitioner: id, weekday: 6, startMinute: $1.from, endMinute: $1.to, visitMinutes: $1.visit
        )
      },
      busy: busy)
  }

  /// Slots as `practitioner@minute` of the Saturday.
  static func find(
    _ calendars: [SlotSearch.Calendar], from: Int64 = 0, to: Int64 = 1440, minutes: Int64 = 30, limit: Int = 100
  ) -> [String] {
    SlotSearch.find(calendars, from: at(from), to: at(to), minutes: minutes, limit: limit).map {
      "\($0.practitioner)@\(($0.start - saturday.start).milliseconds / 60_000)"
    }
  }

  @Test func earliestFirstThenById() {
    let calendars = [Self.calendar("b", [(480, 570, 30)]), Self.calendar("a", [(510, 600, 30)])]
    #expect(Self.find(calendars) == ["b@480", "a@510", "b@510", "a@540", "b@540", "a@570"])
    #expect(Self.find(calendars, limit: 3) == ["b@480", "a@510", "b@510"])
    #expect(Self.find(calendars, limit: 0).isEmpty)
  }

  @Test func keepsToTheGrid() {
    #expect(Self.find([Self.calendar("a", [(480, 560, 20)])]) == ["a@480", "a@520"])
    #expect(Self.find([Self.calendar("a", [(480, 560, 20)])], minutes: 80) == ["a@480"])
    #expect(Self.find([Self.calendar("a", [(480, 560, 20)])], minutes: 85).isEmpty)
    #expect(Self.find([Self.calendar("a", [(485, 560, 60)])], minutes: 5) == ["a@485", "a@545"])
  }

  @Test func skipsTakenCells() {
    let calendar = Self.calendar("a", [(480, 660, 30)], taken: [(505, 5), (600, 15)])
    #expect(Self.find([calendar]) == ["a@510", "a@540", "a@570", "a@630"])
    #expect(Self.find([calendar], minutes: 90) == ["a@510"])
  }

  @Test func staysInTheWindow() {
    let calendar = Self.calendar("a", [(480, 660, 30)])
    #expect(Self.find([calendar], from: 481, to: 570) == ["a@510", "a@540"])
    #expect(Self.find([calendar], from: 480, to: 539) == ["a@480"])
    #expect(Self.find([calendar], from: 600, to: 600).isEmpty && Self.find([calendar], from: 700, to: 600).isEmpty)
    let late = SlotSearch.find(
      [calendar], from: Self.at(480) + .milliseconds(1), to: Self.at(600), minutes: 30, limit: 1)
    #expect(late.map(\.start) == [Self.at(510)], "never before `from`, not by a millisecond")
  }

  @Test func offersASharedSlotOnce() {
    let calendar = Self.calendar("a", [(480, 570, 30), (480, 540, 15), (510, 570, 60)])
    #expect(Self.find([calendar]) == ["a@480", "a@510", "a@540"])
  }

  @Test func nothingOutsideWhatWasRead() {
    var calendar = Self.calendar("a", [(480, 660, 30)])
    calendar.busy = BusyCells(from: Self.at(500), to: Self.at(600))
    #expect(Self.find([calendar]) == ["a@510", "a@540", "a@570"])
  }

  @Test func carriesThePractitioner() {
    let slot = SlotSearch.find(
      [Self.calendar("a", [(480, 660, 30)])], from: Self.at(0), to: Self.at(900), minutes: 25, limit: 1)
    #expect(
      slot.map(\.json.text) == [
        #"{"practitionerId":"a","facilityId":"38901","specialty":"cardiology","start":"2026-11-21T08:00:00+07:00","end":"2026-11-21T08:25:00+07:00"}"#
      ])
  }

  /// Everything random at once, against a model that looks at every grid start of every day, one cell at a time, and
  /// takes its calendar from Foundation.
  @Test(arguments: 0..<64 as Range<UInt64>)
  func equalsTheModel(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<10 {
      let scene = try Scene(&random)
      let found = SlotSearch.find(
        scene.calendars.map(\.calendar), from: scene.from, to: scene.to, minutes: scene.minutes, limit: scene.limit)
      #expect(found == scene.expected(), "seed \(seed)")
      for slot in found {
        // Whatever is offered can be booked by the rule for bookings.
        let calendar = try #require(scene.calendars.first { $0.calendar.practitioner.id == slot.practitioner }).calendar
        let availability = Availability(
          sessions: calendar.sessions, lastDay: calendar.practitioner.validTo, from: slot.start, to: slot.end)
        #expect(availability.covers(start: slot.start, minutes: scene.minutes), "seed \(seed)")
        #expect(Cell.isBoundary(slot.start), "seed \(seed)")
      }
    }
  }
}

/// A random question with all that the answer depends on.
private struct Scene {
  var calendars: [(calendar: SlotSearch.Calendar, taken: Set<Int64>)] = []
  var from: Instant
  var to: Instant
  var minutes: Int64
  var limit: Int

  /// Days around which calendars go wrong: ends of months, of years, of February with and without its 29th.
  static let centres = [
    "2026-11-21", "2026-12-31", "2027-01-01", "2027-02-28", "2028-02-29", "2028-12-31", "2100-02-28",
  ]

  init(_ random: inout SplitMix64) throws {
    let centre = try #require(CalendarDay(random.pick(Self.centres)))
    let first = centre + Int64(random.below(20)) + -10
    let days = Int64(1 + random.below(20))
    // Mostly not on a cell's boundary, often in the middle of a session.
    from = first.start + .milliseconds(Int64(random.below(86_400_000)))
    if random.below(3) == 0 { from = first.start + .minutes(Int64(random.below(288)) * 5) }
    to = from + .minutes(days * Int64(random.below(1440)))
    minutes = random.pick([5, 10, 15, 20, 25, 30, 45, 60, 90, 240])
    limit = random.pick([1, 2, 7, 50, 100_000])
    for number in 0..<1 + random.below(4) {
      // Ids whose order is not that of their making.
      calendars.append(
        Self.calendar(&random, id: "\(random.below(1000))-\(number)", from: from, to: to, centre: centre))
    }
  }

  static func calendar(
    _ random: inout SplitMix64, id: String, from: Instant, to: Instant, centre: CalendarDay
  ) -> (calendar: SlotSearch.Calendar, taken: Set<Int64>) {
    var practitioner = Practitioner(id: id, name: id, facility: "38901", specialty: .neurology)
    if random.below(6) == 0 { practitioner.validTo = centre + Int64(random.below(10)) + -5 }
    var sessions: [ScheduleSession] = []
    for index in 0..<random.below(7) {
      let start = Int64(random.below(288)) * 5
      let length = Int64(1 + random.below(random.pick([12, 48, 288]))) * 5
      let weeks = random.pick([1, 1, 2, 3])
      sessions.append(
        ScheduleSession(
          id: "\(id)-\(index)", practitioner: id, weekday: 1 + random.below(7), startMinute: start,
          endMinute: min(2880, start + length), visitMinutes: random.pick([5, 10, 15, 20, 30, 45, 60]),
          validFrom: random.below(4) == 0 ? centre + Int64(random.below(12)) + -8 : nil,
          validTo: random.below(4) == 0 ? centre + Int64(random.below(12)) + -4 : nil, everyWeeks: weeks,
          weekOffset: random.below(weeks)))
    }
    // Absences take single cells and long ranges; bookings take a visit.
    let window = Cell.range(start: from, end: to)
    var taken: Set<Int64> = []
    for _ in 0..<(window.isEmpty ? 0 : random.below(60)) {
      let cell = window.lowerBound + Int64(random.below(window.count))
      taken.formUnion(cell..<cell + Int64(1 + random.below(random.pick([1, 6, 200]))))
    }
    let calendar = SlotSearch.Calendar(
      practitioner: practitioner, sessions: sessions, busy: BusyCells(window: window, taken: taken))
    return (calendar, taken)
  }

  func expected() -> [Slot] {
    var utc = Calendar(identifier: .gregorian)
    utc.timeZone = .gmt
    var slots: [Slot] = []
    for (calendar, taken) in calendars {
      let practitioner = calendar.practitioner
      var starts: Set<Int64> = []
      var number = from.day.number - 3
      while number <= to.day.number {
        let day = CalendarDay(number: number)
        // Monday 5 January 1970 is day 4 and begins week 1; Foundation counts Sunday as 1.
        let foundation = utc.component(.weekday, from: Date(timeIntervalSince1970: Double(number) * 86_400))
        let weekday = foundation == 1 ? 7 : foundation - 1
        let week = Int(((Double(number) + 3) / 7).rounded(.down))
        for session in calendar.sessions
        where session.weekday == weekday && week % session.everyWeeks == session.weekOffset
          && number >= session.validFrom?.number ?? .min && number <= session.validTo?.number ?? .max
          && number <= practitioner.validTo?.number ?? .max
        {
          var end = session.startMinute
          for minute in stride(
            from: session.startMinute, through: session.endMinute - minutes, by: Int(session.visitMinutes))
          where minute >= end {
            let start = day.start.milliseconds + minute * 60_000
            guard start >= from.milliseconds, start + minutes * 60_000 <= to.milliseconds else { continue }
            if (0..<minutes / 5).allSatisfy({ !taken.contains(start / 300_000 + $0) }) {
              starts.insert(start)
              end = minute + minutes
            }
          }
        }
        number += 1
      }
      slots += starts.map {
        Slot(
          practitioner: practitioner.id, facility: practitioner.facility, specialty: practitioner.specialty,
          start: Instant(milliseconds: $0), end: Instant(milliseconds: $0) + .minutes(minutes))
      }
    }
    return Array(slots.sorted { ($0.start, $0.practitioner) < ($1.start, $1.practitioner) }.prefix(limit))
  }
}
