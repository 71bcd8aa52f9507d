import NIOCore
import Testing

@testable import Server

@Suite struct ThrottleTests {
  private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

  @Test func letsABurstThroughAndThenTheRate() {
    let throttle = Throttle<Int>(.init(perSecond: 2, burst: 3), entries: 10)
    for _ in 0..<3 { #expect(throttle.take(1, now: start) == nil) }
    #expect(throttle.take(1, now: start) == 1)
    #expect(throttle.take(1, now: start + .milliseconds(499)) == 1)
    #expect(throttle.take(1, now: start + .milliseconds(500)) == nil)
    #expect(throttle.take(1, now: start + .milliseconds(501)) == 1)
  }

  @Test func tellsHowLongToWait() {
    let throttle = Throttle<Int>(.init(perSecond: 0.1, burst: 1), entries: 10)
    #expect(throttle.take(1, now: start) == nil)
    #expect(throttle.take(1, now: start) == 10)
    #expect(throttle.take(1, now: start + .seconds(4)) == 6)
  }

  @Test func neverHoldsMoreThanTheBurst() {
    let throttle = Throttle<Int>(.init(perSecond: 100, burst: 2), entries: 10)
    #expect(throttle.take(1, now: start) == nil)
    let later = start + .hours(1)
    #expect(throttle.take(1, now: later) == nil)
    #expect(throttle.take(1, now: later) == nil)
    #expect(throttle.take(1, now: later) == 1)
  }

  @Test func keepsKeysApart() {
    let throttle = Throttle<String>(.init(perSecond: 1, burst: 1), entries: 10)
    #expect(throttle.take("a", now: start) == nil)
    #expect(throttle.take("b", now: start) == nil)
    #expect(throttle.take("a", now: start) == 1)
  }

  @Test func looksWithoutTaking() {
    let throttle = Throttle<Int>(.init(perSecond: 1, burst: 1), entries: 10)
    #expect(throttle.wait(1, now: start) == nil)
    #expect(throttle.wait(1, now: start) == nil)
    #expect(throttle.take(1, now: start) == nil)
    #expect(throttle.wait(1, now: start) == 1)
  }

  @Test func forgetsTheLongUnseenAndStaysBounded() {
    let throttle = Throttle<Int>(.init(perSecond: 0.001, burst: 1), entries: 100)
    #expect(throttle.take(-1, now: start) == nil)
    for key in 0..<10_000 {
      _ = throttle.take(key, now: start)
      // Asked for all the time, so it is not forgotten.
      #expect(throttle.take(-1, now: start) != nil)
      #expect(throttle.count <= 101)
    }
  }

  @Test func canBeSwitchedOff() {
    let throttle = Throttle<Int>(nil, entries: 10)
    for _ in 0..<1_000 { #expect(throttle.take(1, now: start) == nil) }
    #expect(throttle.count == 0)
  }
}
