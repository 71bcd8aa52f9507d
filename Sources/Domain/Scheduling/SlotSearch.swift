/// Finds the earliest free slots of many practitioners.
///
/// Each session walks its own grid and stops at its next free slot; a heap over the sessions gives the earliest of
/// those. So the work grows with the slots that are asked for and the taken ones before them, not with the window.
package enum SlotSearch {
  /// A practitioner with what the search must know about them.
  package struct Calendar: Sendable {
    package var practitioner: Practitioner
    package var sessions: [ScheduleSession]
    /// Its window must hold the searched time: cells outside count as taken.
    package var busy: BusyCells

    package init(practitioner: Practitioner, sessions: [ScheduleSession], busy: BusyCells) {
      self.practitioner = practitioner
      self.sessions = sessions
      self.busy = busy
    }
  }

  /// Slots of `minutes` that begin at `from` or later and end by `to`, earliest first, then by practitioner's id.
  ///
  /// A slot begins on its session's grid, lies within that session and has all its cells free. Behind a
  /// slot the search goes on where it ends, so that a session's slots never overlap: both of two neighbours can be
  /// booked. The same slot from two sessions of one practitioner is offered once.
  package static func find(
    _ calendars: [Calendar], from: Instant, to: Instant, minutes: Int64, limit: Int
  ) -> [Slot] {
    let length = (minutes + Limits.cellMinutes - 1) / Limits.cellMinutes
    guard length > 0, limit > 0, from < to else { return [] }
    let bounds = Cell.ceiling(from)..<max(Cell.ceiling(from), Cell.number(to))
    // Ties are broken by position, so positions must follow the ids.
    let calendars = calendars.sorted { $0.practitioner.id < $1.practitioner.id }
    var heap = Heap()
    for (rank, calendar) in calendars.enumerated() {
      for session in calendar.sessions {
        var walk = Walk(
          session: session, rank: rank, lastDay: calendar.practitioner.validTo, bounds: bounds, length: length)
        if walk.settle(calendar.busy) { heap.push(walk) }
      }
    }
    var slots: [Slot] = []
    var last: (cell: Int64, rank: Int)?
    while slots.count < limit, var walk = heap.first {
      if last?.cell != walk.cell || last?.rank != walk.rank {
        let practitioner = calendars[walk.rank].practitioner
        let start = Cell.start(walk.cell)
        slots.append(
          .init(
            practitioner: practitioner.id, facility: practitioner.facility, specialty: practitioner.specialty,
            start: start, end: start + .minutes(minutes)))
        last = (walk.cell, walk.rank)
      }
      walk.step()
      if walk.settle(calendars[walk.rank].busy) { heap.replaceFirst(walk) } else { heap.removeFirst() }
    }
    return slots
  }
}

/// A session's place on its grid, in cells.
private struct Walk {
  let rank: Int
  private let length: Int64
  private let grid: Int64
  private let bounds: Range<Int64>
  private let startMinute: Int64
  private let endMinute: Int64
  private let period: Int64
  private let lastDay: Int64
  /// The day of the occurrence it stands in, the occurrence's first cell and the cell behind its last.
  private var day: Int64
  private var first: Int64 = 0
  private var end: Int64 = 0
  /// Where the next candidate begins.
  private(set) var cell: Int64 = 0

  init(session: ScheduleSession, rank: Int, lastDay: CalendarDay?, bounds: Range<Int64>, length: Int64) {
    self.rank = rank
    self.length = length
    self.bounds = bounds
    grid = max(1, session.visitMinutes / Limits.cellMinutes)
    startMinute = session.startMinute
    endMinute = session.endMinute
    period = 7 * Int64(max(1, session.everyWeeks))
    self.lastDay = min(session.validTo?.number ?? .max, lastDay?.number ?? .max)
    // A session ends at the latest when the next day does, so one that still runs began yesterday at the earliest.
    let from = Cell.start(bounds.lowerBound).day + -1
    day = session.firstDay(onOrAfter: from)?.number ?? .max
    enter()
  }

  /// Stands at the first grid start of the day's occurrence that is not before the bounds.
  private mutating func enter() {
    guard day <= lastDay, day != .max else { return }
    let midnight = CalendarDay(number: day).start
    first = Cell.ceiling(midnight + .minutes(startMinute))
    end = Cell.number(midnight + .minutes(endMinute))
    cell = first
    if cell < bounds.lowerBound { advance(to: bounds.lowerBound) }
  }

  /// To the first grid start that is not before `target`.
  private mutating func advance(to target: Int64) {
    cell = first + (target - first + grid - 1) / grid * grid
  }

  /// Behind the slot it stands at.
  mutating func step() { advance(to: cell + length) }

  /// Goes on to the next free candidate, from the present one on; false when there is none within the bounds.
  mutating func settle(_ busy: borrowing BusyCells) -> Bool {
    while day <= lastDay, day != .max {
      while cell + length <= end {
        guard cell + length <= bounds.upperBound else { return false }
        guard let taken = busy.lastTaken(in: cell..<cell + length) else { return true }
        advance(to: taken + 1)
      }
      guard first < bounds.upperBound else { return false }
      day += period
      enter()
    }
    return false
  }

  static func < (left: Walk, right: Walk) -> Bool {
    left.cell != right.cell ? left.cell < right.cell : left.rank < right.rank
  }
}

/// A binary heap, smallest first.
private struct Heap {
  private var items: [Walk] = []

  var first: Walk? { items.first }

  mutating func push(_ item: Walk) {
    items.append(item)
    var child = items.count - 1
    while child > 0, items[child] < items[(child - 1) / 2] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func replaceFirst(_ item: Walk) {
    items[0] = item
    sink()
  }

  mutating func removeFirst() {
    items.swapAt(0, items.count - 1)
    items.removeLast()
    sink()
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && items[child] < items[least] {
        least = child
      }
      guard least != parent else { return }
      items.swapAt(parent, least)
      parent = least
    }
  }
}
