import Domain
import Testing

@Suite struct EventRetentionTests {
  private static let now = Instant("2026-11-21T06:00:00+07:00")!

  /// Events from number 11 on, of these ages in days.
  private func events(_ ages: [Int64]) -> [EventRecord] {
    ages.enumerated().map { index, age in
      EventRecord(
        seq: Int64(11 + index), id: "e", type: "consult.requested", time: Self.now - .days(age), subject: "consults/c",
        facilities: [], specialty: nil, actor: "p", data: "{}", chain: [])
    }
  }

  private func cut(_ retention: EventRetention, _ ages: [Int64], head: Int64 = 100) -> Int64? {
    retention.cut(events(ages), head: head, now: Self.now)
  }

  @Test func withoutBoundsEverythingStays() {
    #expect(cut(EventRetention(), [4_000, 3_000]) == nil)
    #expect(cut(EventRetention(age: .days(1), count: 1), []) == nil)
  }

  @Test func byAge() {
    let year = EventRetention(age: .days(366))
    #expect(cut(year, [400, 367, 366, 365, 1]) == 13)
    #expect(cut(year, [365, 300]) == nil)
  }

  /// What stands before one that goes has gone with it.
  @Test func aClockThatWasAheadHoldsNothingUp() {
    #expect(cut(EventRetention(age: .days(366)), [400, -5_000, 400, 10]) == 13)
  }

  @Test func byNumber() {
    // Of 11 to 20 the newest four stay.
    #expect(cut(EventRetention(count: 4), Array(repeating: 0, count: 10), head: 20) == 16)
    #expect(cut(EventRetention(count: 10), Array(repeating: 0, count: 10), head: 20) == nil)
    #expect(cut(EventRetention(age: .days(9), count: 8), Array(repeating: 10, count: 5), head: 20) == 15)
  }

  @Test func theNewestStays() {
    #expect(cut(EventRetention(age: .days(1)), [9, 9, 9], head: 13) == 12)
    #expect(cut(EventRetention(age: .days(1)), [9], head: 11) == nil)
    #expect(cut(EventRetention(count: 1), [9, 9, 9], head: 13) == 12)
  }
}
