/// Which cells of a window are taken: a bit each, so that 90 days of a practitioner are 3 kB and a visit is tested
/// in a step or two. Cells outside the window count as taken: what was not read is never offered.
package struct BusyCells: Sendable, Equatable {
  package let window: Range<Int64>
  private var words: [UInt64]

  /// A window in which every cell is free.
  package init(window: Range<Int64>) {
    self.window = window
    words = Array(repeating: 0, count: (window.count + 63) / 64)
  }

  /// A window with these cells taken, in any order; those outside it are dropped.
  package init(window: Range<Int64>, taken: some Sequence<Int64>) {
    self.init(window: window)
    for cell in taken { insert(cell) }
  }

  package init(from: Instant, to: Instant) { self.init(window: Cell.range(start: from, end: to)) }

  package mutating func insert(_ cell: Int64) {
    guard window.contains(cell) else { return }
    let bit = Int(cell - window.lowerBound)
    words[bit >> 6] |= 1 << UInt64(bit & 63)
  }

  package mutating func remove(_ cell: Int64) {
    guard window.contains(cell) else { return }
    let bit = Int(cell - window.lowerBound)
    words[bit >> 6] &= ~(1 << UInt64(bit & 63))
  }

  package mutating func insert(_ cells: Range<Int64>) { for cell in cells.clamped(to: window) { insert(cell) } }
  package mutating func remove(_ cells: Range<Int64>) { for cell in cells.clamped(to: window) { remove(cell) } }

  package func contains(_ cell: Int64) -> Bool {
    guard window.contains(cell) else { return true }
    let bit = Int(cell - window.lowerBound)
    return words[bit >> 6] >> UInt64(bit & 63) & 1 == 1
  }

  /// The last taken cell of these, nil when all are free: a search can jump behind it.
  package func lastTaken(in cells: Range<Int64>) -> Int64? {
    guard !cells.isEmpty else { return nil }
    guard cells.upperBound <= window.upperBound else { return cells.upperBound - 1 }
    let first = max(cells.lowerBound, window.lowerBound)
    if first < cells.upperBound {
      let low = Int(first - window.lowerBound)
      let high = Int(cells.upperBound - 1 - window.lowerBound)
      var index = high >> 6
      // The bits above `high` in its word are not asked for, nor those below `low` in its.
      var word = words[index] & (UInt64.max >> UInt64(63 - high & 63))
      while true {
        if index == low >> 6 { word &= UInt64.max << UInt64(low & 63) }
        if word != 0 { return window.lowerBound + Int64(index << 6 + 63 - word.leadingZeroBitCount) }
        if index == low >> 6 { break }
        index -= 1
        word = words[index]
      }
    }
    return cells.lowerBound < window.lowerBound ? min(window.lowerBound, cells.upperBound) - 1 : nil
  }
}
