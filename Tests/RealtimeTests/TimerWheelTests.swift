import NIOCore
import NIOEmbedded
import Testing

@testable import Realtime

@Suite struct TimerWheelTests {
  /// Asks again after the same time, each time, up to a number.
  private final class Member: TimerWheelMember {
    var wheelPlace: TimerWheel.Place?
    var asked: [NIODeadline] = []
    private let interval: TimeAmount
    private let times: Int

    init(every interval: TimeAmount, times: Int = .max) {
      self.interval = interval
      self.times = times
    }

    func wheelTurned(at now: NIODeadline) -> NIODeadline? {
      asked.append(now)
      return asked.count < times ? now + interval : nil
    }
  }

  private func seconds(_ time: NIODeadline, since start: NIODeadline) -> Double {
    Double((time - start).nanoseconds) / 1e9
  }

  @Test func asksAtItsTimeOrAStepLater() {
    let loop = EmbeddedEventLoop()
    let wheel = TimerWheel(loop)
    let start = loop.now
    let (member, early) = (Member(every: .seconds(20), times: 3), Member(every: .seconds(1), times: 1))
    wheel.put(member, at: start + .milliseconds(20_100))
    wheel.put(early, at: start + .milliseconds(700))
    for _ in 0..<1_000 { loop.advanceTime(by: .milliseconds(100)) }
    #expect(member.asked.map { seconds($0, since: start) } == [20.5, 40.5, 60.5])
    #expect(early.asked.map { seconds($0, since: start) } == [1])
    #expect(wheel.count == 0)
  }

  /// Whoever is put in again while it turns begins no second timer.
  @Test func turnsOnceAStepHoweverOftenItsMembersComeAgain() {
    let loop = EmbeddedEventLoop()
    let wheel = TimerWheel(loop)
    let members = (1...20).map { Member(every: .milliseconds(700 * Int64($0))) }
    for member in members { wheel.put(member, at: loop.now + .seconds(1)) }
    loop.advanceTime(by: .minutes(10))
    #expect(wheel.turns == 1_200)
    for member in members { wheel.remove(member) }
    loop.advanceTime(by: .minutes(10))
    // The one that was under way; then it stands still, until somebody comes.
    #expect(wheel.turns == 1_201)
    wheel.put(members[0], at: loop.now + .seconds(1))
    let before = members[0].asked.count
    loop.advanceTime(by: .milliseconds(1_500))
    #expect(members[0].asked.count == before + 1)
  }

  @Test func oneWhoIsAskedMayTakeOthersOut() {
    final class Remover: TimerWheelMember {
      var wheelPlace: TimerWheel.Place?
      let wheel: TimerWheel
      let others: [Member]
      init(_ wheel: TimerWheel, _ others: [Member]) { (self.wheel, self.others) = (wheel, others) }
      func wheelTurned(at now: NIODeadline) -> NIODeadline? {
        for other in others { wheel.remove(other) }
        return nil
      }
    }
    let loop = EmbeddedEventLoop()
    let wheel = TimerWheel(loop)
    let others = (0..<5).map { _ in Member(every: .seconds(1)) }
    for other in others { wheel.put(other, at: loop.now + .seconds(1)) }
    let remover = Remover(wheel, others)
    wheel.put(remover, at: loop.now + .seconds(1))
    loop.advanceTime(by: .seconds(5))
    #expect(others.allSatisfy { $0.asked.isEmpty } && wheel.count == 0)
  }
}
