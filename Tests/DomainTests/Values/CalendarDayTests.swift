import Domain
import Testing

@Suite struct CalendarDayTests {
  @Test(
    arguments: [
      ("1970-01-01", 0, 4), ("1969-12-31", -1, 3), ("2000-02-29", 11_016, 2), ("2026-11-21", 20_778, 6),
      ("2026-12-31", 20_818, 4), ("2027-01-01", 20_819, 5), ("0000-03-01", -719_468, 3), ("9999-12-31", 2_932_896, 5),
    ] as [(String, Int64, Int)])
  func parses(text: String, number: Int64, weekday: Int) throws {
    let day = try #require(CalendarDay(text))
    #expect(day.number == number)
    #expect(day.weekday == weekday)
    #expect(day.text == text)
  }

  @Test(arguments: [
    "", "2026", "2026-11", "2026-1-1", "26-11-21", "2026-11-21-", "-2026-11-21", "2026-02-29", "2100-02-29",
    "2026-04-31",
    "2026-00-10", "2026-13-10", "2026-10-00", "2026-10-32", "2026/10/10", " 2026-10-10", "2026-10-1O", "２026-10-10",
  ])
  func refuses(text: String) { #expect(CalendarDay(text) == nil) }

  @Test func walksEveryDay() throws {
    var expected = try #require(CalendarDay("1896-01-01"))
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    for year in 1896...2104 {
      for month in 1...12 {
        let leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let length = lengths[month - 1] + (leap ? 1 : 0)
        for day in 1...length {
          #expect(CalendarDay(year: year, month: month, day: day) == expected)
          expected = expected + 1
        }
        #expect(CalendarDay(year: year, month: month, day: length + 1) == nil)
      }
    }
  }

  @Test func beginsAtMidnightInVietNam() throws {
    let day = try #require(CalendarDay("2026-11-21"))
    #expect(day.start == Instant("2026-11-21T00:00:00+07:00"))
    #expect(day.start.day == day)
    #expect((day.start - .milliseconds(1)).day == day + -1)
  }

  @Test(arguments: [
    ("2010-11-21", "2026-11-20", 15), ("2010-11-21", "2026-11-21", 16), ("2010-11-22", "2026-11-21", 15),
    ("2012-02-29", "2028-02-28", 15), ("2012-02-29", "2028-02-29", 16), ("2011-02-28", "2027-02-28", 16),
    ("2012-02-29", "2027-02-28", 14), ("2012-02-29", "2027-03-01", 15), ("2026-11-21", "2026-11-21", 0),
    ("2026-11-22", "2026-11-21", -1),
  ])
  func countsYears(from: String, to: String, years: Int) throws {
    #expect(try #require(CalendarDay(from)).years(until: #require(CalendarDay(to))) == years)
  }

  @Test(
    arguments: [
      ("1970-01-04", 0), ("1970-01-05", 1), ("1969-12-29", 0), ("1969-12-28", -1), ("2026-11-22", 2968),
      ("2026-11-23", 2969),
    ] as [(String, Int64)])
  func weeksBeginOnMonday(text: String, week: Int64) throws {
    #expect(try #require(CalendarDay(text)).weekNumber == week)
  }
}
