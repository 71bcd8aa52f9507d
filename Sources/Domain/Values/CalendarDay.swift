/// A civil day (proleptic Gregorian), counted from 1970-01-01 = 0.
///
/// The conversions are Howard Hinnant's `days_from_civil` and `civil_from_days`, exact for every year we take.
package struct CalendarDay: Hashable, Comparable, Sendable {
  package var number: Int64

  package init(number: Int64) { self.number = number }

  package init?(year: Int, month: Int, day: Int) {
    guard (1...12).contains(month), day >= 1, day <= Self.length(ofMonth: month, year: year) else { return nil }
    let shifted = Int64(month <= 2 ? year - 1 : year)
    let era = shifted.flooredDivision(by: 400).quotient
    let yearOfEra = shifted - era * 400
    let monthFromMarch = Int64((month + 9) % 12)
    let dayOfYear = (153 * monthFromMarch + 2) / 5 + Int64(day) - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    number = era * 146_097 + dayOfEra - 719_468
  }

  /// Parses `YYYY-MM-DD`.
  package init?(_ text: String) {
    self.init(ArraySlice(text.utf8))
  }

  init?(_ bytes: ArraySlice<UInt8>) {
    let first = bytes.startIndex
    guard bytes.count == 10, bytes[first + 4] == UInt8(ascii: "-"), bytes[first + 7] == UInt8(ascii: "-"),
      let year = digits(bytes[first..<first + 4]), let month = digits(bytes[first + 5..<first + 7]),
      let day = digits(bytes[first + 8..<first + 10])
    else { return nil }
    self.init(year: Int(year), month: Int(month), day: Int(day))
  }

  static func length(ofMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  var civil: (year: Int, month: Int, day: Int) {
    let shifted = number + 719_468
    let (era, dayOfEra) = shifted.flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5) + 1
    let month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
    return (Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0), month, day)
  }

  package var year: Int { civil.year }

  /// 1 = Monday … 7 = Sunday (ISO 8601).
  package var weekday: Int { Int((number + 3).flooredDivision(by: 7).remainder) + 1 }

  /// ISO 8601: `2026-11-21`.
  package var text: String { Digits.text { $0.put(self) } }

  /// Midnight in Viet Nam (UTC+7, no daylight saving) at which the day begins.
  package var start: Instant { Instant(seconds: number * 86_400 - 7 * 3600) }

  package static func < (left: CalendarDay, right: CalendarDay) -> Bool { left.number < right.number }
  package static func + (left: CalendarDay, right: Int64) -> CalendarDay { .init(number: left.number + right) }

  /// Whole years from this day to another: a person's age.
  package func years(until other: CalendarDay) -> Int {
    let (from, to) = (civil, other.civil)
    return to.year - from.year - ((to.month, to.day) < (from.month, from.day) ? 1 : 0)
  }
}
