import Domain
import Foundation
import Testing

@Suite struct InstantTests {
  @Test(
    arguments: [
      ("2026-11-21T08:30:00+07:00", 1_795_224_600_000), ("2026-11-21T01:30:00Z", 1_795_224_600_000),
      ("2026-11-21t01:30:00z", 1_795_224_600_000), ("2026-11-20T20:00:00-05:30", 1_795_224_600_000),
      ("2026-11-21T08:30:00.5+07:00", 1_795_224_600_500), ("2026-11-21T08:30:00.1239999+07:00", 1_795_224_600_123),
      ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999Z", -1), ("1970-01-01T00:00:00-00:00", 0),
      ("2028-02-29T00:00:00Z", 1_835_395_200_000), ("2016-12-31T23:59:60Z", 1_483_228_800_000),
    ] as [(String, Int64)])
  func parses(text: String, milliseconds: Int64) throws {
    let instant = try #require(Instant(text))
    #expect(instant.milliseconds == milliseconds)
    #expect(Instant(instant.text) == instant)
  }

  @Test(arguments: [
    "", "2026-11-21", "2026-11-21T08:30:00", "2026-11-21T08:30+07:00", "2026-11-21 08:30:00Z", "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-21T24:00:00Z",
    "2026-11-21T08:60:00Z", "2026-11-21T08:30:61Z", "2026-11-21T08:30:00+0700", "2026-11-21T08:30:00+07",
    "2026-11-21T08:30:00+24:00", "2026-11-21T08:30:00+07:60", "2026-11-21T08:30:00.Z", "2026-11-21T08:30:00,5Z",
    "2026-11-21T08:30:00Zx", "2026-11-21T08:30:00+07:000", "+026-11-21T08:30:00Z", "0000-01-01T00:00:00Z",
    "1899-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "９026-11-21T08:30:00Z", "2026-11-21T-8:30:00Z",
    "2026-11-21T08:30:00.5", "2026-11-21T08:30:00.00000000000000000000000000000Z",
  ])
  func refuses(text: String) { #expect(Instant(text) == nil) }

  @Test(
    arguments: [
      (0, "1970-01-01T07:00:00+07:00"), (-1, "1970-01-01T06:59:59.999+07:00"),
      (1_795_224_600_007, "2026-11-21T08:30:00.007+07:00"), (1_798_736_399_000, "2026-12-31T23:59:59+07:00"),
      (1_798_736_400_000, "2027-01-01T00:00:00+07:00"),
    ] as [(Int64, String)])
  func writes(milliseconds: Int64, text: String) { #expect(Instant(milliseconds: milliseconds).text == text) }

  /// Held against Foundation's calendar over the whole range that the wire takes.
  @Test(arguments: 0..<20 as Range<UInt64>)
  func agreesWithFoundation(seed: UInt64) throws {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(secondsFromGMT: 7 * 3600))
    var random = SplitMix64(seed: seed)
    for _ in 0..<100 {
      let seconds = Int64(random.below(9_400_000_000)) - 2_180_000_000
      let instant = Instant(seconds: seconds)
      let parts = calendar.dateComponents(
        [.year, .month, .day, .hour, .minute, .second, .weekday], from: Date(timeIntervalSince1970: Double(seconds)))
      let (year, month, day) = try (#require(parts.year), #require(parts.month), #require(parts.day))
      let (hour, minute, second) = try (#require(parts.hour), #require(parts.minute), #require(parts.second))
      let text = String(format: "%04d-%02d-%02dT%02d:%02d:%02d+07:00", year, month, day, hour, minute, second)
      #expect(instant.text == text, "seed \(seed)")
      #expect(Instant(text) == instant, "seed \(seed)")
      #expect(instant.day == CalendarDay(year: year, month: month, day: day), "seed \(seed)")
      #expect(instant.day.weekday == (try #require(parts.weekday) + 5) % 7 + 1, "seed \(seed)")
    }
  }

  @Test func reckons() {
    let start = Instant(seconds: 100)
    #expect(start + .minutes(2) == Instant(seconds: 220))
    #expect(start - .hours(1) == Instant(seconds: -3500))
    #expect((start + .days(1)) - start == .days(1))
    #expect(Span.milliseconds(1999).wholeSeconds == 1)
    #expect(start < start + .milliseconds(1))
  }
}
