import Testing

@testable import Domain

@Suite struct WebhookMachineTests {
  private static let now = Instant("2026-11-21T08:00:00+07:00")!
  private static func cursor(_ seq: Int64) -> Cursor { Cursor(epoch: 7, seq: seq, chain: UInt64(seq)) }

  private func machine(_ failures: Int = 0) -> WebhookMachine {
    var machine = WebhookMachine(cursor: Self.cursor(1))
    for _ in 0..<failures { machine.failed(.unreachable, at: Self.now, chance: 0) }
    return machine
  }

  @Test func deliversOneAfterAnother() {
    var machine = machine()
    #expect(machine.state == .active && machine.isDue(at: Self.now))
    for seq in 2...4 as ClosedRange<Int64> {
      machine.delivered(to: Self.cursor(seq), status: 204, at: Self.now + .seconds(seq))
      #expect(machine.cursor == Self.cursor(seq) && machine.isDue(at: Self.now))
      #expect(machine.lastDeliveredAt == Self.now + .seconds(seq) && machine.lastAttemptAt == machine.lastDeliveredAt)
      #expect(machine.lastStatus == 204 && machine.lastError == nil)
    }
    machine.passedOver(to: Self.cursor(9))
    #expect(machine.cursor == Self.cursor(9) && machine.lastDeliveredAt == Self.now + .seconds(4))
  }

  @Test func waitsTwiceAsLongEachTime() {
    var machine = machine()
    var now = Self.now
    for (count, seconds) in [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600].enumerated() {
      machine.failed(.status, status: 500, at: now, chance: 0)
      #expect(machine.attempts == Int64(count + 1) && machine.failingSince == Self.now)
      #expect(machine.cursor == Self.cursor(1), "the same event comes again")
      let next = now + .seconds(Int64(seconds))
      #expect(machine.nextAttemptAt == next)
      #expect(!machine.isDue(at: next - .milliseconds(1)) && machine.isDue(at: next))
      now = next
    }
    #expect(machine.lastStatus == 500 && machine.lastError == .status && machine.lastDeliveredAt == nil)
  }

  @Test(arguments: 1...40 as ClosedRange<Int64>) func chanceShortensAWaitByAQuarterAtMost(failures: Int64) {
    let whole = WebhookMachine.delay(after: failures, chance: 0)
    let short = WebhookMachine.delay(after: failures, chance: 1)
    #expect(whole >= WebhookMachine.firstDelay && whole <= WebhookMachine.longestDelay)
    #expect(short >= WebhookMachine.firstDelay && short <= whole)
    #expect(short.milliseconds >= whole.milliseconds * 3 / 4)
    let middle = WebhookMachine.delay(after: failures, chance: 0.5)
    #expect(short <= middle && middle <= whole)
  }

  @Test(arguments: [0, 0.3, 1]) func isPausedAfterADay(chance: Double) {
    var machine = machine()
    let end = Self.now + WebhookMachine.patience
    var now = Self.now
    var attempts = 0
    while machine.state == .active {
      machine.failed(.timeout, at: now, chance: chance)
      attempts += 1
      if let next = machine.nextAttemptAt {
        #expect(next > now && next <= end)
        now = next
      }
    }
    // The last attempt is made when the day is over, and not before.
    #expect(now == end && machine.pause == .failing && machine.nextAttemptAt == nil)
    #expect(machine.failingSince == Self.now && machine.lastError == .timeout)
    #expect((30...50).contains(attempts))
    #expect(!machine.isDue(at: end + .hours(99)))
  }

  /// A server that was down longer than that makes one more attempt.
  @Test func anAttemptThatComesLateIsTheLast() {
    var machine = machine(1)
    machine.failed(.unreachable, at: Self.now + .hours(25), chance: 0)
    #expect(machine.pause == .failing)
    var other = self.machine(1)
    other.delivered(to: Self.cursor(2), status: 200, at: Self.now + .hours(25))
    #expect(other.state == .active && other.failingSince == nil && other.attempts == 0 && other.nextAttemptAt == nil)
  }

  @Test func aDeliveryForgetsWhatFailed() {
    var machine = machine(6)
    machine.delivered(to: Self.cursor(2), status: 200, at: Self.now + .hours(23))
    machine.failed(.closed, at: Self.now + .hours(30), chance: 0)
    #expect(machine.failingSince == Self.now + .hours(30) && machine.attempts == 1)
    #expect(machine.nextAttemptAt == Self.now + .hours(30) + WebhookMachine.firstDelay)
  }

  @Test func goneIsGone() {
    var machine = machine()
    machine.failed(.status, status: 410, at: Self.now, chance: 0)
    #expect(machine.pause == .gone && machine.lastStatus == 410 && machine.nextAttemptAt == nil)
    #expect(machine.cursor == Self.cursor(1))
  }

  @Test(
    arguments: [(.epochChanged, .epochChanged), (.tooOld, .tooOld), (.ahead, .ahead)]
      as [(CursorGap, WebhookMachine.Pause)])
  func aPlaceThatCannotBeServed(gap: CursorGap, pause: WebhookMachine.Pause) {
    var machine = machine()
    machine.lost(gap)
    #expect(machine.pause == pause && machine.state == .paused)
    #expect(machine.pause?.rawValue == gap.rawValue)
  }

  @Test func stopsAndResumes() {
    var machine = machine(3)
    machine.stop(.stopped)
    #expect(machine.state == .paused && !machine.isDue(at: Self.now + .hours(1)))
    // The first reason is the one.
    machine.lost(.tooOld)
    #expect(machine.pause == .stopped)
    // What was under way may still arrive.
    machine.delivered(to: Self.cursor(2), status: 200, at: Self.now)
    #expect(machine.pause == .stopped && machine.cursor == Self.cursor(2))
    machine.failed(.closed, at: Self.now, chance: 0)
    machine.resume()
    #expect(machine.isDue(at: Self.now) && machine.cursor == Self.cursor(2))
    #expect(machine.failingSince == nil && machine.attempts == 0)
    machine.resume(at: Self.cursor(5))
    #expect(machine.cursor == Self.cursor(5))
  }
}
