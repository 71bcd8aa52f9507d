/// Time is claimed in cells of five minutes, numbered from 1970-01-01T00:00Z.
package enum Cell {
  package static let milliseconds: Int64 = Limits.cellMinutes * 60_000

  /// The cell that holds a moment.
  package static func number(_ instant: Instant) -> Int64 {
    instant.milliseconds.flooredDivision(by: milliseconds).quotient
  }

  /// The moment at which a cell begins.
  package static func start(_ number: Int64) -> Instant { Instant(milliseconds: number * milliseconds) }

  /// Whether a visit may begin at this moment: on a five-minute boundary.
  package static func isBoundary(_ instant: Instant) -> Bool {
    instant.milliseconds.flooredDivision(by: milliseconds).remainder == 0
  }

  /// The cells of a visit that begins at `start`; a length that is no multiple of five takes its last cell whole.
  package static func range(start: Instant, minutes: Int64) -> Range<Int64> {
    range(start: start, end: start + .minutes(max(0, minutes)))
  }

  /// Every cell that the time from `start` to `end` touches.
  package static func range(start: Instant, end: Instant) -> Range<Int64> {
    let first = number(start)
    return first..<max(first, ceiling(end))
  }

  /// The first cell that begins at this moment or later.
  package static func ceiling(_ instant: Instant) -> Int64 {
    let (quotient, remainder) = instant.milliseconds.flooredDivision(by: milliseconds)
    return remainder == 0 ? quotient : quotient + 1
  }
}
