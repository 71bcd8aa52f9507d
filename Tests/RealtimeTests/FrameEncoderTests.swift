import NIOCore
import Testing

@testable import Realtime

@Suite struct FrameEncoderTests {
  @Test(
    arguments: [
      (0, [0x82, 0x00]), (125, [0x82, 125]), (126, [0x82, 126, 0, 126]), (65535, [0x82, 126, 0xFF, 0xFF]),
      (65536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] as [(Int, [UInt8])])
  func usesTheShortestLength(count: Int, header: [UInt8]) {
    let frame = FrameEncoder.binary(ByteBuffer(repeating: 7, count: count))
    #expect(Array(frame.readableBytesView.prefix(header.count)) == header)
    #expect(frame.readableBytes == header.count + count)
  }

  @Test func leavesThePayloadUntouched() {
    let payload = ByteBuffer(string: "shared")
    _ = FrameEncoder.frame(.text, payload, mask: 0xFFFF_FFFF)
    #expect(payload == ByteBuffer(string: "shared"))
  }

  @Test func appendsFrames() throws {
    var batch = FrameEncoder.text("a")
    FrameEncoder.append(.text, ByteBuffer(string: "b"), to: &batch)
    var decoder = FrameDecoder(role: .client)
    #expect(try decoder.next(&batch) == .message(.text(ByteBuffer(string: "a"))))
    #expect(try decoder.next(&batch) == .message(.text(ByteBuffer(string: "b"))))
    #expect(batch.readableBytes == 0)
  }

  @Test func closeHasCodeAndReason() {
    let frame = FrameEncoder.close(.gap, reason: "gap")
    #expect(Array(frame.readableBytesView) == [0x88, 5, 0x11, 0x3A] + Array("gap".utf8))
  }

  /// A reason may have 123 bytes; a character of three bytes that would straddle the end is left out whole.
  @Test func closeCutsTheReasonBetweenCharacters() throws {
    var frame = FrameEncoder.close(.normal, reason: String(repeating: "ệ", count: 60))
    #expect(frame.readableBytes == 2 + 2 + 123)
    var decoder = FrameDecoder(role: .client)
    #expect(try decoder.next(&frame) == .close(.normal, reason: String(repeating: "ệ", count: 41)))
    var odd = FrameEncoder.close(.normal, reason: "a" + String(repeating: "ệ", count: 60))
    #expect(try decoder.next(&odd) == .close(.normal, reason: "a" + String(repeating: "ệ", count: 40)))
  }

  @Test(arguments: [CloseCode.noStatus, .abnormal])
  func closeWithoutCodeIsEmpty(code: CloseCode) {
    #expect(Array(FrameEncoder.close(code, reason: "x").readableBytesView) == [0x88, 0])
  }
}

@Suite struct MaskingTests {
  @Test func equalsTheDefinition() {
    let key: UInt32 = 0x0403_0201
    let keyBytes = withUnsafeBytes(of: key) { Array($0) }
    for count in 0...40 {
      for phase in 0..<8 {
        var bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        let expected = bytes.enumerated().map { $1 ^ keyBytes[($0 + phase) % 4] }
        bytes.withUnsafeMutableBytes { Masking.apply(key, phase: phase, to: $0) }
        #expect(bytes == expected)
      }
    }
  }
}
