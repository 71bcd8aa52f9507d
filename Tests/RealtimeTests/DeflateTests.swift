import NIOCore
import Testing

@testable import Realtime

@Suite struct DeflateTests {
  static let text = String(repeating: "{\"kind\":\"event\",\"type\":\"consult.scheduled\"}", count: 30)

  @Test(arguments: [8, 9, 10, 12, 15])
  func whatIsCompressedExpandsToTheSame(windowBits: Int) throws {
    var random = SystemRandomNumberGenerator()
    let deflater = Deflater.with(PermessageDeflate(serverWindowBits: windowBits))
    // Also those that fill the buffers of the expansion to the last byte.
    for length in [128, 129, 1_000, 1_023, 1_024, 1_025, 3_072, 7_168, 65_537, 300_000] {
      // Few letters, so that it can be shorter, and long enough to refer back beyond every window.
      let message = ByteBuffer(bytes: (0..<length).map { _ in UInt8.random(in: 97...100, using: &random) })
      let packed = try #require(deflater.compress(message))
      #expect(packed.readableBytes < length)
      #expect(try Inflater.expand(packed, limit: length) == message)
    }
  }

  @Test func eachMessageStandsForItself() throws {
    let message = ByteBuffer(string: Self.text)
    #expect(Deflater.shared.compress(message) == Deflater.shared.compress(message))
  }

  @Test func whatGetsNoShorterIsLeftAsItIs() {
    var random = SystemRandomNumberGenerator()
    let noise = ByteBuffer(bytes: (0..<1_000).map { _ in UInt8.random(in: 0...255, using: &random) })
    #expect(Deflater.shared.compress(noise) == nil)
    #expect(Deflater.shared.compress(ByteBuffer(string: "short")) == nil)
    #expect(Deflater.shared.compress(ByteBuffer()) == nil)
  }

  /// The examples of section 7.2.3.
  @Test(arguments: [
    [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00] as [UInt8],
    [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
    [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
    [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
  ])
  func expandsTheExamplesOfTheRFC(bytes: [UInt8]) throws {
    #expect(try Inflater.expand(ByteBuffer(bytes: bytes), limit: 5) == ByteBuffer(string: "Hello"))
  }

  @Test func anEmptyMessageIsOneByte() throws {
    #expect(try Inflater.expand(ByteBuffer(bytes: [0x00]), limit: 10).readableBytes == 0)
  }

  /// A kilobyte that claims to be a megabyte costs no more than the limit.
  @Test func aBombStopsAtTheLimit() throws {
    let packed = try #require(Deflater.shared.compress(ByteBuffer(repeating: 0, count: 1 << 20)))
    #expect(packed.readableBytes < 2_000)
    let failure = ProtocolFailure(.tooBig, "message too big when expanded")
    for limit in [0, 1, 1_023, 1_024, 65_536, (1 << 20) - 1] {
      #expect(throws: failure) { try Inflater.expand(packed, limit: limit) }
    }
    #expect(try Inflater.expand(packed, limit: 1 << 20).readableBytes == 1 << 20)
  }

  @Test func brokenDataIsRefused() throws {
    let packed = try #require(Deflater.shared.compress(ByteBuffer(string: Self.text)))
    let failure = ProtocolFailure(.invalidPayload, "compressed data is broken")
    #expect(throws: failure) { try Inflater.expand(ByteBuffer(bytes: [0xFF, 0xFF, 0xFF]), limit: 100) }
    #expect(throws: failure) { try Inflater.expand(ByteBuffer(), limit: 100) }
    // The second block of the RFC's example refers to a message that was not kept.
    #expect(throws: failure) { try Inflater.expand(ByteBuffer(bytes: [0xF2, 0x00, 0x11, 0x00, 0x00]), limit: 100) }
    var shortened = packed
    shortened.moveWriterIndex(to: packed.writerIndex - 3)
    #expect(throws: failure) { try Inflater.expand(shortened, limit: 100_000) }
  }

  /// Whatever comes, it ends, and gives no more than it may.
  @Test func noiseIsRefusedOrBounded() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<5_000 {
      let noise = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      do throws(ProtocolFailure) {
        #expect(try Inflater.expand(ByteBuffer(bytes: noise), limit: 1_000).readableBytes <= 1_000)
      } catch {
        #expect([.invalidPayload, .tooBig].contains(error.code))
      }
    }
  }
}
