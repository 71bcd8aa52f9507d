/// The times at which a practitioner can be booked at all, before anything is booked: sessions that overlap or touch
/// are one stretch.
package struct Availability: Sendable, Equatable {
  /// One time that a session takes place.
  package struct Occurrence: Sendable, Equatable {
    package var session: ScheduleSession
    package var start: Instant
    package var end: Instant
  }

  /// A stretch of time, `end` excluded.
  package struct Stretch: Sendable, Equatable {
    package var start: Instant
    package var end: Instant

    package init(start: Instant, end: Instant) {
      self.start = start
      self.end = end
    }
  }

  /// In order, apart from each other.
  package let stretches: [Stretch]

  /// The availability that touches the time from `from` to `to`; stretches keep their whole length.
  ///
  /// - lastDay: the last day on which the practitioner works; a session that began on it runs to its end.
  package init(sessions: [ScheduleSession], lastDay: CalendarDay? = nil, from: Instant, to: Instant) {
    var merged: [Stretch] = []
    for occurrence in Self.occurrences(of: sessions, lastDay: lastDay, from: from, to: to) {
      if let last = merged.last, occurrence.start <= last.end {
        merged[merged.count - 1].end = max(last.end, occurrence.end)
      } else {
        merged.append(.init(start: occurrence.start, end: occurrence.end))
      }
    }
    stretches = merged
  }

  /// Whether a visit fits inside.
  package func covers(start: Instant, minutes: Int64) -> Bool {
    let end = start + .minutes(minutes)
    return minutes > 0 && stretches.contains { $0.start <= start && end <= $0.end }
  }

  /// What is left of the availability, within the window of `busy`, without its taken cells.
  package func free(without busy: BusyCells) -> [Stretch] {
    var free: [Stretch] = []
    for stretch in stretches {
      let cells = (Cell.ceiling(stretch.start)..<max(Cell.ceiling(stretch.start), Cell.number(stretch.end)))
        .clamped(to: busy.window)
      var first: Int64?
      for cell in cells {
        if busy.contains(cell) {
          if let begin = first { free.append(.init(start: Cell.start(begin), end: Cell.start(cell))) }
          first = nil
        } else if first == nil {
          first = cell
        }
      }
      if let begin = first { free.append(.init(start: Cell.start(begin), end: Cell.start(cells.upperBound))) }
    }
    return free
  }

  /// Every time a session takes place that touches the time from `from` to `to`, by start, then by session id; also
  /// those that began the day before and run past midnight.
  package static func occurrences(
    of sessions: [ScheduleSession], lastDay: CalendarDay? = nil, from: Instant, to: Instant
  ) -> [Occurrence] {
    guard from < to else { return [] }
    var found: [Occurrence] = []
    for session in sessions {
      // A session ends up to two days after the midnight of the day on which it begins.
      var day = session.firstDay(onOrAfter: from.day + -2)
      while let current = day, current.start < to, current <= lastDay ?? current {
        let start = current.start + .minutes(session.startMinute)
        let end = current.start + .minutes(session.endMinute)
        if start < to, from < end, start < end { found.append(.init(session: session, start: start, end: end)) }
        day = session.firstDay(onOrAfter: current + 1)
      }
    }
    return found.sorted { ($0.start, $0.session.id) < ($1.start, $1.session.id) }
  }
}

extension CalendarDay {
  /// Weeks since the one of 1970-01-01, each beginning on Monday.
  package var weekNumber: Int64 { (number + 3).flooredDivision(by: 7).quotient }
}

extension ScheduleSession {
  /// The first day on which it takes place, not before `day`; nil when it never does again.
  package func firstDay(onOrAfter day: CalendarDay) -> CalendarDay? {
    guard (1...7).contains(weekday), everyWeeks >= 1, (0..<everyWeeks).contains(weekOffset) else { return nil }
    let earliest = max(day, validFrom ?? day)
    var candidate = earliest + Int64((weekday - earliest.weekday + 7) % 7)
    let weeks = Int64(everyWeeks)
    let ahead = (Int64(weekOffset) - candidate.weekNumber).flooredDivision(by: weeks).remainder
    candidate = candidate + ahead * 7
    if let validTo, validTo < candidate { return nil }
    return candidate
  }
}
