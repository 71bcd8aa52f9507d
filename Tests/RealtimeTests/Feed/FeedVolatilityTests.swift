import Domain
import NIOCore
import Testing

@testable import Realtime

@Suite struct FeedVolatilityTests {
  private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

  private func item(_ subject: String, _ number: Int) -> VolatileItem {
    VolatileItem(
      VolatileEvent(
        id: "\(number)", type: .tripPosition, time: Instant(seconds: 1_795_190_400), subject: "trips/\(subject)",
        facilities: ["38000"], data: EventData()))
  }

  /// The numbers of the items in the frames of a buffer.
  private func numbers(_ bytes: ByteBuffer?) throws -> [Int] {
    var decoder = FrameDecoder(role: .client)
    guard var bytes else { return [] }
    var numbers: [Int] = []
    while case .message(.text(let text)) = try decoder.next(&bytes) {
      let json = try JSON(parsing: text.readableBytesView)
      numbers.append(try #require(json["event"]?["id"]?.string.flatMap { Int($0) }))
    }
    return numbers
  }

  @Test func allAreSentToWhoWantsAll() throws {
    let batch = VolatileBatch([item("a", 1), item("b", 2), item("a", 3)])
    var desk = VolatileDesk(FeedVolatility(.all))
    #expect(try numbers(desk.take(batch, isWritable: true, at: Self.start)) == [1, 2, 3])
    #expect(desk.isEmpty)
  }

  @Test func theNewestOfEachSubjectIsUsual() throws {
    let batch = VolatileBatch([item("a", 1), item("b", 2), item("a", 3)])
    var desk = VolatileDesk(FeedVolatility())
    #expect(try numbers(desk.take(batch, isWritable: true, at: Self.start)) == [3, 2])
  }

  @Test func noneAreSentToWhoWantsNone() throws {
    var desk = VolatileDesk(FeedVolatility(.off))
    #expect(desk.take(VolatileBatch([item("a", 1)]), isWritable: true, at: Self.start) == nil)
    #expect(desk.isEmpty && desk.takeKept(at: Self.start) == nil)
  }

  @Test(arguments: [FeedVolatility.Mode.latest, .all])
  func whoDoesNotKeepUpGetsTheNewest(mode: FeedVolatility.Mode) throws {
    var desk = VolatileDesk(FeedVolatility(mode))
    #expect(desk.take(VolatileBatch([item("a", 1), item("a", 2)]), isWritable: false, at: Self.start) == nil)
    // Nothing overtakes what is kept.
    #expect(desk.take(VolatileBatch([item("b", 3), item("a", 4)]), isWritable: true, at: Self.start) == nil)
    #expect(try numbers(desk.takeKept(at: Self.start)) == [4, 3])
    #expect(desk.isEmpty)
    #expect(try numbers(desk.take(VolatileBatch([item("a", 5)]), isWritable: true, at: Self.start)) == [5])
  }

  @Test func aRateHoldsBackToTheNewest() throws {
    var desk = VolatileDesk(FeedVolatility(.latest, maxRate: 2))
    #expect(try numbers(desk.take(VolatileBatch([item("a", 1)]), isWritable: true, at: Self.start)) == [1])
    let soon = Self.start + .milliseconds(499)
    #expect(desk.take(VolatileBatch([item("a", 2)]), isWritable: true, at: soon) == nil)
    #expect(desk.take(VolatileBatch([item("a", 3), item("b", 4)]), isWritable: true, at: soon) == nil)
    #expect(desk.takeKept(at: soon) == nil && desk.due == Self.start + .milliseconds(500))
    #expect(try numbers(desk.takeKept(at: desk.due)) == [3, 4])
    #expect(desk.due == Self.start + .seconds(1))
  }
}
