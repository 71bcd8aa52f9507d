import Domain
import Testing

@Suite struct BusyCellsTests {
  @Test func insertsAndRemoves() {
    var busy = BusyCells(window: 100..<300)
    #expect(!busy.contains(100) && !busy.contains(299))
    #expect(busy.contains(99) && busy.contains(300), "outside the window nothing is offered")
    busy.insert(163)
    busy.insert(164..<167)
    #expect((160..<170).filter { busy.contains($0) } == [163, 164, 165, 166])
    busy.remove(164)
    busy.remove(166..<1000)
    #expect((160..<170).filter { busy.contains($0) } == [163, 165])
    busy.insert(-5)
    busy.insert(5000)
    #expect(busy == BusyCells(window: 100..<300, taken: [165, 163, 99, 300]))
  }

  @Test func emptyWindow() {
    let busy = BusyCells(window: 5..<5)
    #expect(busy.contains(5))
    #expect(busy.lastTaken(in: 5..<7) == 6)
    #expect(busy.lastTaken(in: 5..<5) == nil)
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func findsTheLastTaken(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    for _ in 0..<100 {
      let lower = Int64(random.below(200)) - 100
      let window = lower..<lower + Int64(random.below(300))
      let share = random.pick([0, 1, 30])
      let taken = Set(window.filter { _ in random.below(60) < share })
      let busy = BusyCells(window: window, taken: taken)
      let first = window.lowerBound - 10 + Int64(random.below(window.count + 20))
      let asked = first..<first + Int64(random.below(150))
      let expected = asked.last { !window.contains($0) || taken.contains($0) }
      #expect(busy.lastTaken(in: asked) == expected, "seed \(seed): \(asked) in \(window)")
    }
  }
}
