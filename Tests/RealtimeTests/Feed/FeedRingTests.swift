import Domain
import NIOCore
import Testing

@testable import Realtime

@Suite struct FeedRingTests {
  static func item(_ seq: Int64) -> FeedItem { holding("{}", seq) }

  private static func holding(_ data: String, _ seq: Int64) -> FeedItem {
    FeedItem(
      EventRecord(
        seq: seq, id: "e\(seq)", type: "consult.requested", time: Instant(seconds: seq), subject: "consults/c",
        facilities: ["38101"], specialty: nil, actor: "a", data: data,
        chain: [UInt8](repeating: UInt8(seq % 251), count: 32)),
      epoch: 7, isWanted: false)
  }

  private static func cursor(_ seq: Int64) -> Cursor { Cursor(epoch: 7, seq: seq, chain: UInt64(0)) }

  private func seqs(_ items: [FeedItem]?) -> [Int64]? { items?.map(\.cursor.seq) }

  @Test func givesWhatStandsBehindAPosition() {
    let ring = FeedRing(capacity: 4)
    ring.start(at: Self.cursor(10))
    #expect(seqs(ring.items(after: 10)) == [])
    ring.append([Self.item(11), Self.item(12), Self.item(13)])
    #expect(ring.head?.seq == 13)
    #expect(seqs(ring.items(after: 10)) == [11, 12, 13])
    #expect(seqs(ring.items(after: 12)) == [13])
    #expect(seqs(ring.items(after: 13)) == [])
    #expect(seqs(ring.items(after: 20)) == [])
    #expect(seqs(ring.items(after: 10, through: 12)) == [11, 12])
    #expect(seqs(ring.items(after: 10, limit: 1)) == [11])
  }

  @Test func theOldestMakeRoom() {
    let ring = FeedRing(capacity: 4)
    ring.start(at: Self.cursor(10))
    for seq in Int64(11)...16 { ring.append([Self.item(seq)]) }
    #expect(seqs(ring.items(after: 12)) == [13, 14, 15, 16])
    #expect(ring.items(after: 11) == nil)
    ring.append((17...30).map(Self.item))
    #expect(seqs(ring.items(after: 26)) == [27, 28, 29, 30])
    #expect(ring.items(after: 25) == nil)
  }

  @Test func theOldestMakeRoomForTheBytesOfTheNewest() {
    func big(_ seq: Int64, _ length: Int) -> FeedItem {
      Self.holding("\"" + String(repeating: "x", count: length) + "\"", seq)
    }
    let memory = Self.item(11).memory * 9 / 2
    let ring = FeedRing(capacity: 100, memory: memory)
    ring.start(at: Self.cursor(10))
    ring.append((11...20).map(Self.item))
    #expect(seqs(ring.items(after: 16)) == [17, 18, 19, 20])
    #expect(ring.items(after: 15) == nil)
    #expect(ring.size == FeedRing.Size(events: 4, bytes: 4 * Self.item(11).memory, since: Instant(seconds: 17)))
    ring.append([big(21, 1_000)])
    #expect(seqs(ring.items(after: 19)) == [20, 21])
    #expect(ring.items(after: 18) == nil && ring.size.bytes <= memory)
    // What is bigger than all of it is for the log to give.
    ring.append([big(22, 10_000)])
    #expect(ring.size == FeedRing.Size(events: 0, bytes: 0, since: nil))
    #expect(ring.head?.seq == 22 && seqs(ring.items(after: 22)) == [] && ring.items(after: 21) == nil)
    ring.append([Self.item(23)])
    #expect(seqs(ring.items(after: 22)) == [23])
    ring.restart(at: Self.cursor(3))
    #expect(ring.size.events == 0 && ring.size.bytes == 0 && seqs(ring.items(after: 3)) == [])
  }

  /// The bound holds only if nothing takes more than it was counted with.
  @Test(arguments: [0, 1, 90, 220, 700, 1_900, 20_000]) func isCountedWithAllThatItCanTake(length: Int) {
    var random = SystemRandomNumberGenerator()
    let noise = (0..<length).map { _ in Unicode.Scalar(UInt8.random(in: 97...122, using: &random)) }
    for text in [String(repeating: "x", count: length), String(String.UnicodeScalarView(noise))] {
      let item = Self.holding("\"\(text)\"", 4_102_444_800)
      let frames = item.frame.storageCapacity + item.deflatedFrame.storageCapacity
      #expect(frames + text.utf8.count < item.memory && item.memory >= FeedItem.leastMemory)
    }
  }

  @Test func hasNothingOlderThanItsStart() {
    let ring = FeedRing(capacity: 4)
    #expect(ring.items(after: 0) == nil)
    ring.start(at: Self.cursor(10))
    ring.start(at: Self.cursor(99))
    #expect(ring.head?.seq == 10)
    #expect(ring.items(after: 9) == nil)
  }

  @Test func mayBeginWithTheNewest() {
    let ring = FeedRing(capacity: 4)
    let items = (Int64(7)...10).map(Self.item)
    ring.start(at: items[3].cursor, holding: items)
    #expect(seqs(ring.items(after: 6)) == [7, 8, 9, 10])
    #expect(ring.items(after: 5) == nil)
    ring.append([Self.item(11)])
    #expect(seqs(ring.items(after: 7)) == [8, 9, 10, 11])
    #expect(ring.items(after: 6) == nil)
  }

  @Test func doesNotBeginWithAnotherLogsEvents() {
    let ring = FeedRing(capacity: 4)
    ring.start(at: Self.cursor(10), holding: (Int64(7)...10).map(Self.item))
    #expect(ring.head == Self.cursor(10))
    #expect(ring.items(after: 9) == nil)
  }

  @Test func overlappingReadsDoNoHarm() {
    let ring = FeedRing(capacity: 4)
    ring.start(at: Self.cursor(10))
    ring.append([Self.item(11), Self.item(12)])
    ring.append([Self.item(11), Self.item(12), Self.item(13)])
    #expect(seqs(ring.items(after: 10)) == [11, 12, 13])
  }

  @Test func aHoleIsCrossedInTheLog() {
    let ring = FeedRing(capacity: 4)
    ring.start(at: Self.cursor(10))
    ring.append([Self.item(11), Self.item(13)])
    #expect(ring.items(after: 11) == nil)
    #expect(seqs(ring.items(after: 12)) == [13])
  }

  @Test func framesHoldTheCloudEvent() throws {
    let item = Self.item(42)
    #expect(String(buffer: item.cloudEvent) == item.event.cloudEvent)
    var bytes = item.frame
    var decoder = FrameDecoder(role: .client)
    guard case .message(.text(let text)) = try decoder.next(&bytes) else {
      Issue.record("no text")
      return
    }
    let json = try JSON(parsing: text.readableBytesView)
    #expect(json["kind"] == "event")
    #expect(json["cursor"]?.string == item.cursor.text)
    #expect(json["event"]?["sequence"] == "000000000042")
  }

  @Test func keepsTheLatestOfEachSubject() {
    func item(_ id: String, _ subject: String) -> VolatileItem {
      VolatileItem(
        VolatileEvent(
          id: id, type: .tripPosition, time: Instant(seconds: 0), subject: subject, facilities: [], data: EventData()))
    }
    var latest = LatestValues()
    for (id, subject) in [("1", "trips/a"), ("2", "trips/b"), ("3", "trips/a")] { latest.put(item(id, subject)) }
    #expect(latest.take().map(\.event.id) == ["3", "2"])
    #expect(latest.isEmpty)
    for number in 0..<Limits.volatileSubjects + 5 { latest.put(item("\(number)", "trips/\(number)")) }
    #expect(latest.take().count == Limits.volatileSubjects)
  }
}
