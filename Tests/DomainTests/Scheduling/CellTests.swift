import Domain
import Testing

@Suite struct CellTests {
  @Test(arguments: [(0, 0), (299_999, 0), (300_000, 1), (-1, -1), (-300_000, -1), (-300_001, -2)] as [(Int64, Int64)])
  func number(milliseconds: Int64, cell: Int64) {
    #expect(Cell.number(Instant(milliseconds: milliseconds)) == cell)
    #expect(Cell.start(cell) <= Instant(milliseconds: milliseconds))
    #expect(Instant(milliseconds: milliseconds) < Cell.start(cell + 1))
  }

  @Test(arguments: [
    ("2026-11-21T08:30:00+07:00", true), ("2026-11-21T08:35:00+07:00", true), ("2026-11-21T08:31:00+07:00", false),
    ("2026-11-21T08:30:01+07:00", false), ("2026-11-21T08:30:00.001+07:00", false), ("1969-12-31T23:55:00Z", true),
  ])
  func boundary(text: String, expected: Bool) throws {
    #expect(Cell.isBoundary(try #require(Instant(text))) == expected)
  }

  @Test func ranges() throws {
    let start = try #require(Instant("2026-11-21T08:30:00+07:00"))
    let first = Cell.number(start)
    #expect(Cell.range(start: start, minutes: 30) == first..<first + 6)
    #expect(Cell.range(start: start, minutes: 5) == first..<first + 1)
    #expect(Cell.range(start: start, minutes: 7) == first..<first + 2)
    #expect(Cell.range(start: start, minutes: 0).isEmpty)
    #expect(Cell.range(start: start, minutes: -30).isEmpty)
    #expect(Cell.range(start: start, end: start - .hours(1)).isEmpty)
    #expect(Cell.range(start: start + .minutes(1), minutes: 5) == first..<first + 2)
    #expect(Cell.ceiling(start) == first && Cell.ceiling(start + .milliseconds(1)) == first + 1)
  }
}
