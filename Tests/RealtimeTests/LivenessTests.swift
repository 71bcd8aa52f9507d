import NIOCore
import Testing

@testable import Realtime

@Suite struct LivenessTests {
  private func second(_ count: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(count) }

  @Test func pingsAfterQuiet() {
    var liveness = Liveness(quiet: .seconds(20), timeout: .seconds(60), now: second(0))
    #expect(liveness.check(at: second(0)) == .wait(until: second(20)))
    liveness.heard(at: second(15))
    #expect(liveness.check(at: second(20)) == .wait(until: second(35)))
    #expect(liveness.check(at: second(35)) == .ping(next: second(55)))
  }

  @Test func anySignAnswersThePing() {
    var liveness = Liveness(quiet: .seconds(20), timeout: .seconds(60), now: second(0))
    #expect(liveness.check(at: second(20)) == .ping(next: second(40)))
    liveness.heard(at: second(21))
    #expect(liveness.check(at: second(40)) == .wait(until: second(41)))
    #expect(liveness.check(at: second(90)) == .ping(next: second(110)))
  }

  @Test func silenceIsDeathSixtySecondsAfterThePing() {
    var liveness = Liveness(quiet: .seconds(20), timeout: .seconds(60), now: second(0))
    #expect(liveness.check(at: second(20)) == .ping(next: second(40)))
    #expect(liveness.check(at: second(40)) == .ping(next: second(60)))
    #expect(liveness.check(at: second(60)) == .ping(next: second(80)))
    #expect(liveness.check(at: second(80)) == .dead)
  }
}
