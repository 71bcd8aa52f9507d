import Foundation

/// A moment: milliseconds since 1970-01-01T00:00:00Z. UTC inside; Asia/Ho_Chi_Minh (always +07:00) at the edges.
package struct Instant: Hashable, Comparable, Sendable {
  package var milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }
  package init(seconds: Int64) { self.milliseconds = seconds * 1000 }

  package static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }
  package static func + (left: Instant, right: Span) -> Instant {
    .init(milliseconds: left.milliseconds + right.milliseconds)
  }
  package static func - (left: Instant, right: Span) -> Instant {
    .init(milliseconds: left.milliseconds - right.milliseconds)
  }
  package static func - (left: Instant, right: Instant) -> Span {
    .init(milliseconds: left.milliseconds - right.milliseconds)
  }

  /// The system's clock, now. Only the wiring reads it; everything else is given a time.
  package static var system: Instant {
    .init(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
  }
}

/// A length of time in milliseconds.
package struct Span: Hashable, Comparable, Sendable {
  package var milliseconds: Int64
  package init(milliseconds: Int64) { self.milliseconds = milliseconds }
  package static func milliseconds(_ count: Int64) -> Span { .init(milliseconds: count) }
  package static func seconds(_ count: Int64) -> Span { .init(milliseconds: count * 1000) }
  package static func minutes(_ count: Int64) -> Span { .seconds(count * 60) }
  package static func hours(_ count: Int64) -> Span { .minutes(count * 60) }
  package static func days(_ count: Int64) -> Span { .hours(count * 24) }
  package static func < (left: Span, right: Span) -> Bool { left.milliseconds < right.milliseconds }
  package var wholeSeconds: Int64 { milliseconds / 1000 }
}

extension Instant {
  /// The years that the wire takes: far enough for any schedule, near enough that no arithmetic overflows.
  static let years = 1900...2200

  /// RFC 3339 with the offset of Viet Nam: `2026-11-21T08:30:00+07:00`; a fraction only when there is one.
  package var text: String {
    let local = milliseconds + 7 * 3_600_000
    let (days, ofDay) = local.flooredDivision(by: 86_400_000)
    let (seconds, fraction) = (ofDay / 1000, ofDay % 1000)
    return Digits.text { text in
      text.put(CalendarDay(number: days))
      text.put("T")
      text.put(seconds / 3600, width: 2)
      text.put(":")
      text.put(seconds / 60 % 60, width: 2)
      text.put(":")
      text.put(seconds % 60, width: 2)
      if fraction != 0 {
        text.put(".")
        text.put(fraction, width: 3)
      }
      text.put("+")
      text.put(7, width: 2)
      text.put(":")
      text.put(0, width: 2)
    }
  }

  /// Parses RFC 3339 (`date-time`): offset required; impossible dates and leap seconds beyond :60 are refused.
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.count <= 40, bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t"),
      bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      let day = CalendarDay(bytes[0..<10]), Self.years.contains(day.year),
      let hour = digits(bytes[11..<13]), hour < 24, let minute = digits(bytes[14..<16]), minute < 60,
      let second = digits(bytes[17..<19]), second <= 60
    else { return nil }
    var at = 19
    var fraction: Int64 = 0
    if bytes[at] == UInt8(ascii: ".") {
      at += 1
      var places = 0
      while at < bytes.count, let digit = digits(bytes[at...at]) {
        if places < 3 { fraction = fraction * 10 + digit }
        places += 1
        at += 1
      }
      guard places > 0 else { return nil }
      while places < 3 {
        fraction *= 10
        places += 1
      }
    }
    guard at < bytes.count else { return nil }
    var offset: Int64 = 0
    switch bytes[at] {
    case UInt8(ascii: "Z"), UInt8(ascii: "z"): guard at + 1 == bytes.count else { return nil }
    case UInt8(ascii: "+"), UInt8(ascii: "-"):
      guard bytes.count == at + 6, bytes[at + 3] == UInt8(ascii: ":"), let hours = digits(bytes[at + 1..<at + 3]),
        hours < 24,
        let minutes = digits(bytes[at + 4..<at + 6]), minutes < 60
      else { return nil }
      offset = (hours * 60 + minutes) * (bytes[at] == UInt8(ascii: "-") ? -1 : 1)
    default: return nil
    }
    let seconds = day.number * 86_400 + hour * 3600 + minute * 60 + second - offset * 60
    self.init(milliseconds: seconds * 1000 + fraction)
  }

  /// The civil day in Viet Nam that holds this moment.
  package var day: CalendarDay {
    CalendarDay(number: (milliseconds + 7 * 3_600_000).flooredDivision(by: 86_400_000).quotient)
  }
}

/// Text of digits in fixed columns, written in place: answers and events are full of times.
struct Digits {
  private var bytes: UnsafeMutableBufferPointer<UInt8>
  private var count = 0

  /// The text that the body writes, of up to 40 bytes.
  static func text(_ body: (inout Digits) -> Void) -> String {
    String(unsafeUninitializedCapacity: 40) { bytes in
      var digits = Digits(bytes: bytes)
      body(&digits)
      return digits.count
    }
  }

  private mutating func put(_ byte: UInt8) {
    bytes[count] = byte
    count += 1
  }

  mutating func put(_ character: Unicode.Scalar) { put(UInt8(ascii: character)) }

  /// A number that is not negative, with zeros before it.
  mutating func put(_ value: Int64, width: Int) {
    var width = width
    var limit: Int64 = 10
    for _ in 1..<width { limit *= 10 }
    while value >= limit {
      limit *= 10
      width += 1
    }
    var rest = value
    for place in stride(from: count + width - 1, through: count, by: -1) {
      bytes[place] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
    count += width
  }

  mutating func put(_ day: CalendarDay) {
    let (year, month, dayOfMonth) = day.civil
    if year < 0 { put("-") }
    put(Int64(abs(year)), width: 4)
    put("-")
    put(Int64(month), width: 2)
    put("-")
    put(Int64(dayOfMonth), width: 2)
  }
}

/// The number that these bytes write in ASCII; nil when one of them is no digit.
func digits(_ bytes: ArraySlice<UInt8>) -> Int64? {
  var value: Int64 = 0
  for byte in bytes {
    guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
    value = value * 10 + Int64(byte - UInt8(ascii: "0"))
  }
  return value
}

extension Int64 {
  /// Division that rounds towards minus infinity, so that moments before 1970 fall on the right day.
  package func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
