import Domain
import Testing

@Suite struct CursorTests {
  @Test(arguments: [0, 1, 42, 999_999_999_999, Int64.max], [0, 1, 0x0123_4567_89AB_CDEF, UInt64.max])
  func roundTrips(seq: Int64, word: UInt64) {
    let cursor = Cursor(epoch: word, seq: seq, chain: ~word)
    #expect(Cursor(cursor.text) == cursor)
    #expect(cursor.text.utf8.count == 32)
    #expect(cursor.text.utf8.count <= Limits.cursorBytes)
    #expect(cursor.text.utf8.allSatisfy { $0 < 0x80 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "+") })
  }

  @Test func holdsTheFirstEightBytesOfTheChain() {
    let cursor = Cursor(epoch: 1, seq: 2, chain: [1, 2, 3, 4, 5, 6, 7, 8, 99, 99] as [UInt8])
    #expect(cursor.chain == 0x0102_0304_0506_0708)
    #expect(Cursor(epoch: 1, seq: 2, chain: [1, 2] as [UInt8]).chain == 0x0102)
  }

  @Test(arguments: [
    "", "oldest", "AAAA", String(repeating: "A", count: 31), String(repeating: "A", count: 33),
    String(repeating: "A", count: 10_000), String(repeating: "+", count: 32), String(repeating: "/", count: 32),
    String(repeating: "A", count: 30) + "==", String(repeating: "A", count: 31) + " ",
    String(repeating: "é", count: 16), String(repeating: "A", count: 31) + "\u{0}", "../../../../../../../../../../..",
    String(repeating: "AAAA\nAAA", count: 4),
  ])
  func refuses(text: String) { #expect(Cursor(text) == nil) }

  @Test func refusesANegativeNumber() {
    #expect(Cursor(Cursor(epoch: 1, seq: -1, chain: 2).text) == nil)
    #expect(Cursor(Cursor(epoch: 1, seq: .min, chain: 2).text) == nil)
  }

  @Test(arguments: 0..<70)
  func base64RoundTrips(count: Int) {
    var random = SplitMix64(seed: UInt64(count))
    let bytes = (0..<count).map { _ in UInt8(random.below(256)) }
    #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
  }
}
