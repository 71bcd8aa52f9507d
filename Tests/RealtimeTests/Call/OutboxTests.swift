import Domain
import Testing

@testable import Realtime

@Suite struct OutboxTests {
  private func message(_ number: Int, from: String? = "p1") -> Outbox.Message {
    .init(json: ["n": .int(Int64(number))], signalFrom: from)
  }

  private func numbers(_ outbox: Box) -> [Int64] { outbox.messages.compactMap { $0.json["n"]?.int } }

  @Test func forgetsWhatArrived() {
    let outbox = Box()
    outbox.add(message(1), isLinked: true)
    #expect(outbox.ping())
    outbox.add(message(2), isLinked: true)
    #expect(!outbox.ping())
    outbox.pong()
    #expect(numbers(outbox) == [2])
    #expect(outbox.ping())
    outbox.pong()
    #expect(outbox.messages.isEmpty)
    #expect(!outbox.ping())
    #expect(!outbox.hasLost)
  }

  @Test func keepsWhatWasNotSeenToArrive() {
    let outbox = Box()
    for number in 1...3 {
      outbox.add(message(number), isLinked: true)
      _ = outbox.ping()
    }
    outbox.linkLost()
    // An answer to the lost link's ping counts for nothing.
    outbox.pong()
    outbox.add(message(4), isLinked: false)
    #expect(numbers(outbox) == [1, 2, 3, 4])
    #expect(outbox.ping())
    outbox.pong()
    #expect(outbox.messages.isEmpty)
  }

  @Test func withoutALinkTheNewestAreLost() {
    let outbox = Box()
    for number in 1...Limits.undelivered + 5 { outbox.add(message(number), isLinked: false) }
    #expect(numbers(outbox) == (1...Int64(Limits.undelivered)).map { $0 })
    #expect(outbox.hasLost)
    #expect(outbox.ping())
    outbox.pong()
    #expect(!outbox.hasLost)
  }

  @Test func withALinkTheOldestMakeRoom() {
    let outbox = Box()
    for number in 1...Limits.undelivered + 5 { outbox.add(message(number), isLinked: true) }
    #expect(numbers(outbox).first == 6)
    #expect(numbers(outbox).count == Limits.undelivered)
    #expect(outbox.hasLost)
  }

  @Test func aLateLossOutlivesAnEarlierPing() {
    let outbox = Box()
    outbox.add(message(1), isLinked: true)
    #expect(outbox.ping())
    for number in 2...Limits.undelivered + 3 { outbox.add(message(number), isLinked: true) }
    outbox.pong()
    // 1 arrived; 2 and 3 fell out, and nobody knows.
    #expect(outbox.hasLost)
    #expect(outbox.ping())
    outbox.pong()
    #expect(!outbox.hasLost)
  }

  @Test func bytesAreBoundedToo() {
    let outbox = Box()
    let large = Outbox.Message(json: .string(String(repeating: "x", count: 300_000)), signalFrom: nil)
    for _ in 0..<5 { outbox.add(large, isLinked: false) }
    #expect(outbox.messages.count == 3)
    #expect(outbox.hasLost)
  }

  @Test func olderSignalsAreDroppedAndWordsStay() {
    let outbox = Box()
    outbox.add(message(1, from: "p1"), isLinked: false)
    outbox.add(message(2, from: nil), isLinked: false)
    outbox.add(message(3, from: "p3"), isLinked: false)
    outbox.dropSignals(from: "p1")
    #expect(numbers(outbox) == [2, 3])
  }
}

/// An outbox in a class: expectations call what changes it.
private final class Box {
  private var outbox = Outbox()
  var messages: [Outbox.Message] { outbox.messages }
  var hasLost: Bool { outbox.hasLost }
  func add(_ message: Outbox.Message, isLinked: Bool) { outbox.add(message, isLinked: isLinked) }
  func ping() -> Bool { outbox.ping() }
  func pong() { outbox.pong() }
  func linkLost() { outbox.linkLost() }
  func dropSignals(from member: String) { outbox.dropSignals(from: member) }
}
