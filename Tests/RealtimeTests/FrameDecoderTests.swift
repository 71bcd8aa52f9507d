import NIOCore
import Testing

@testable import Realtime

/// Frames as bytes, fed in one piece, byte by byte, and cut in two at every place: the outcome must be the same.
@Suite struct FrameDecoderTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let events: [FrameEvent]
    let failure: CloseCode?

    init(_ name: String, _ bytes: [UInt8], _ events: [FrameEvent] = [], fails failure: CloseCode? = nil) {
      self.name = name
      self.bytes = bytes
      self.events = events
      self.failure = failure
    }

    var testDescription: String { name }
  }

  static let limits = SocketLimits(frame: 70_000, message: 100_000)

  @Test(arguments: good + controls + fragments + broken + texts + closes + sizes)
  func decodes(_ test: Case) {
    decodes(test, deflates: false)
  }

  /// What was agreed on changes nothing for messages that do not use it.
  @Test(arguments: good + controls + fragments + broken.filter { $0.name != "RSV1" } + texts + closes + compressed)
  func decodesWithPermessageDeflate(_ test: Case) {
    decodes(test, deflates: true)
  }

  private func decodes(_ test: Case, deflates: Bool) {
    let whole = outcome([test.bytes], deflates)
    #expect(whole.events == test.events)
    #expect(whole.failure == test.failure)
    let single = outcome(test.bytes.map { [$0] }, deflates)
    #expect(single.events == test.events)
    #expect(single.failure == test.failure)
    // Long payloads are cut around their ends only; between them lies nothing but more of the same.
    for cut in test.bytes.indices where cut < 300 || test.bytes.count - cut < 20 {
      let parts = outcome([Array(test.bytes[..<cut]), Array(test.bytes[cut...])], deflates)
      #expect(parts.events == test.events, "cut at \(cut)")
      #expect(parts.failure == test.failure, "cut at \(cut)")
    }
  }

  @Test func clientRefusesMaskedFrames() {
    var decoder = FrameDecoder(role: .client)
    var masked = ByteBuffer(bytes: frame(.text, "x"))
    #expect(throws: ProtocolFailure(.protocolError, "frame masked")) { try decoder.next(&masked) }
  }

  @Test func clientReadsUnmaskedFrames() throws {
    var decoder = FrameDecoder(role: .client)
    var input = FrameEncoder.text("xin chào")
    #expect(try decoder.next(&input) == .message(.text(ByteBuffer(string: "xin chào"))))
    #expect(input.readableBytes == 0)
  }

  /// Broken text is refused at its first impossible byte, not at the frame's end.
  @Test func failsFast() throws {
    var decoder = FrameDecoder()
    let whole = frame(.text, [0xCE, 0xBA, 0xF4, 0x90, 0x80, 0x80, 0x65])
    var head = ByteBuffer(bytes: whole.prefix(6 + 3))
    #expect(try decoder.next(&head) == nil)
    var next = ByteBuffer(bytes: whole[9...9])
    #expect(throws: ProtocolFailure(.invalidPayload, "text is not UTF-8")) { try decoder.next(&next) }
  }

  /// The announced length costs no memory, and one beyond the limit is refused before any payload came.
  @Test func refusesLengthBeforePayload() {
    var decoder = FrameDecoder(limits: Self.limits)
    var input = ByteBuffer(bytes: [0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4])
    #expect(throws: ProtocolFailure(.tooBig, "message too big")) { try decoder.next(&input) }
  }

  private func outcome(_ parts: [[UInt8]], _ deflates: Bool) -> (events: [FrameEvent], failure: CloseCode?) {
    var decoder = FrameDecoder(limits: Self.limits, deflates: deflates)
    var input = ByteBuffer()
    var events: [FrameEvent] = []
    for part in parts {
      input.writeBytes(part)
      do throws(ProtocolFailure) {
        while let event = try decoder.next(&input) { events.append(event) }
      } catch {
        return (events, error.code)
      }
    }
    return (events, nil)
  }
}

/// A client's frame.
func frame(_ opcode: Opcode, _ payload: [UInt8], final: Bool = true, key: UInt32 = 0x3D21_FA37) -> [UInt8] {
  Array(FrameEncoder.frame(opcode, ByteBuffer(bytes: payload), final: final, mask: key).readableBytesView)
}

func frame(_ opcode: Opcode, _ text: String, final: Bool = true) -> [UInt8] {
  frame(opcode, Array(text.utf8), final: final)
}

private func text(_ text: String) -> FrameEvent { .message(.text(ByteBuffer(string: text))) }
private func binary(_ bytes: [UInt8]) -> FrameEvent { .message(.binary(ByteBuffer(bytes: bytes))) }
private func ping(_ text: String) -> FrameEvent { .ping(ByteBuffer(string: text)) }
private func pong(_ text: String) -> FrameEvent { .pong(ByteBuffer(string: text)) }

extension FrameDecoderTests {
  static let good: [Case] = [
    // RFC 6455, section 5.7: a masked "Hello".
    Case("RFC's example", [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], [text("Hello")]),
    Case("empty text", frame(.text, ""), [text("")]),
    Case("empty binary", frame(.binary, []), [binary([])]),
    Case("binary needs no UTF-8", frame(.binary, [0xFF, 0xFE]), [binary([0xFF, 0xFE])]),
    Case("two messages", frame(.text, "a") + frame(.text, "b"), [text("a"), text("b")]),
    Case("zero key", frame(.text, Array("chào".utf8), key: 0), [text("chào")]),
  ]

  static let controls: [Case] = [
    Case("ping", frame(.ping, "hi"), [ping("hi")]),
    Case("empty ping", frame(.ping, ""), [ping("")]),
    Case("longest ping", frame(.ping, String(repeating: "p", count: 125)), [ping(String(repeating: "p", count: 125))]),
    Case("unasked pong", frame(.pong, "x"), [pong("x")]),
    Case("ping of 126", frame(.ping, String(repeating: "p", count: 126)), fails: .protocolError),
    Case("fragmented ping", frame(.ping, "", final: false), fails: .protocolError),
    Case("fragmented close", frame(.close, "", final: false), fails: .protocolError),
    Case(
      "ping then more", frame(.ping, "1") + frame(.text, "t") + frame(.pong, "2"), [ping("1"), text("t"), pong("2")]),
  ]

  static let fragments: [Case] = [
    Case("two fragments", frame(.text, "ab", final: false) + frame(.continuation, "cd"), [text("abcd")]),
    Case(
      "ping between fragments",
      frame(.text, "ab", final: false) + frame(.ping, "p") + frame(.continuation, "cd"), [ping("p"), text("abcd")]),
    Case(
      "empty fragments",
      frame(.binary, [], final: false) + frame(.continuation, [], final: false) + frame(.continuation, []), [binary([])]
    ),
    Case(
      "character over fragments",
      frame(.text, [0xE1, 0xBB], final: false) + frame(.continuation, [], final: false)
        + frame(.continuation, [0x87]), [text("ệ")]),
    Case("continuation of nothing", frame(.continuation, "x"), fails: .protocolError),
    Case(
      "continuation after a whole", frame(.text, "x") + frame(.continuation, "y"), [text("x")], fails: .protocolError),
    Case("text inside text", frame(.text, "x", final: false) + frame(.text, "y"), fails: .protocolError),
    Case("binary inside text", frame(.text, "x", final: false) + frame(.binary, [1]), fails: .protocolError),
  ]

  static let broken: [Case] =
    [
      Case("RSV1", [0xC1, 0x80, 0, 0, 0, 0], fails: .protocolError),
      Case("RSV2", [0xA1, 0x80, 0, 0, 0, 0], fails: .protocolError),
      Case("RSV3", [0x91, 0x80, 0, 0, 0, 0], fails: .protocolError),
      Case("RSV1 on a ping", [0xC9, 0x80, 0, 0, 0, 0], fails: .protocolError),
      Case("unmasked", [0x81, 0x01, 0x61], fails: .protocolError),
      Case("unmasked close", [0x88, 0x00], fails: .protocolError),
      Case("125 in 16 bits", [0x82, 0xFE, 0, 125, 0, 0, 0, 0], fails: .protocolError),
      Case("65535 in 64 bits", [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0], fails: .protocolError),
      Case("top bit of the length", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], fails: .protocolError),
    ]
    + [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map {
      Case("opcode \($0)", [0x80 | $0, 0x80, 0, 0, 0, 0], fails: .protocolError)
    }

  static let texts: [Case] = [
    Case("Vietnamese", frame(.text, "Hội chẩn từ xa 🚑"), [text("Hội chẩn từ xa 🚑")]),
    Case("lone continuation byte", frame(.text, [0x80]), fails: .invalidPayload),
    Case("overlong slash", frame(.text, [0xC0, 0xAF]), fails: .invalidPayload),
    Case("surrogate", frame(.text, [0xED, 0xA0, 0x80]), fails: .invalidPayload),
    Case("above U+10FFFF", frame(.text, [0xF4, 0x90, 0x80, 0x80]), fails: .invalidPayload),
    Case("FF", frame(.text, [0x61, 0xFF]), fails: .invalidPayload),
    Case("ends inside a character", frame(.text, [0xCE]), fails: .invalidPayload),
    Case(
      "last fragment ends inside a character",
      frame(.text, [0x61], final: false) + frame(.continuation, [0xE1, 0xBB]), fails: .invalidPayload),
    Case(
      "the message after a broken end is not reached", frame(.text, [0xCE]) + frame(.text, "x"), fails: .invalidPayload),
    Case("control's payload is not validated", frame(.ping, [0xFF]), [.ping(ByteBuffer(bytes: [0xFF]))]),
  ]

  static let closes: [Case] =
    [
      Case("empty", frame(.close, ""), [.close(.noStatus, reason: "")]),
      Case("with reason", frame(.close, [0x03, 0xE8] + Array("hết".utf8)), [.close(.normal, reason: "hết")]),
      Case(
        "longest reason", frame(.close, [0x03, 0xE8] + [UInt8](repeating: 0x61, count: 123)),
        [.close(.normal, reason: String(repeating: "a", count: 123))]),
      Case("one byte", frame(.close, [0x03]), fails: .protocolError),
      Case("reason of 124", frame(.close, [0x03, 0xE8] + [UInt8](repeating: 0x61, count: 124)), fails: .protocolError),
      Case("reason not UTF-8", frame(.close, [0x03, 0xE8, 0xCE]), fails: .invalidPayload),
    ]
    + [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map { code in
      Case("code \(code)", close(code), [.close(CloseCode(rawValue: code), reason: "")])
    }
    + [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map { code in
      Case("code \(code)", close(code), fails: .protocolError)
    }

  private static func close(_ code: UInt16) -> [UInt8] {
    frame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)])
  }

  /// "Hello" as RFC 7692 compresses it, sections 7.2.3.1 and 7.2.3.4.
  private static let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]

  private static func packed(_ opcode: Opcode, _ payload: [UInt8], final: Bool = true) -> [UInt8] {
    var bytes = frame(opcode, payload, final: final)
    bytes[0] |= 0x40
    return bytes
  }

  static let compressed: [Case] = [
    Case("compressed", packed(.text, hello), [text("Hello")]),
    Case("binary", packed(.binary, hello), [binary(Array("Hello".utf8))]),
    Case("then plain", packed(.text, hello) + frame(.text, "x"), [text("Hello"), text("x")]),
    Case("plain, then compressed", frame(.text, "x") + packed(.text, hello), [text("x"), text("Hello")]),
    Case(
      "in fragments, with a ping between",
      packed(.text, Array(hello.prefix(3)), final: false) + frame(.ping, "p")
        + frame(.continuation, Array(hello.dropFirst(3))), [ping("p"), text("Hello")]),
    Case("empty", packed(.text, [0x00]), [text("")]),
    Case(
      "RSV1 on a continuation", packed(.text, hello, final: false) + packed(.continuation, [0x00]),
      fails: .protocolError),
    Case("RSV1 on a pong", packed(.pong, []), fails: .protocolError),
    Case("RSV1 on a close", packed(.close, []), fails: .protocolError),
    Case("RSV2 with it", [0xE1, 0x80, 0, 0, 0, 0], fails: .protocolError),
    Case("no UTF-8 inside", packed(.text, [0x00, 0x01, 0x00, 0xFE, 0xFF, 0xFF, 0x00]), fails: .invalidPayload),
    Case("broken", packed(.text, [0xFF, 0xFF]), fails: .invalidPayload),
    Case(
      "too big when expanded",
      packed(
        .text,
        Deflater.shared.compress(ByteBuffer(repeating: 0x61, count: 100_001)).map { Array($0.readableBytesView) } ?? []),
      fails: .tooBig),
  ]

  static let sizes: [Case] =
    [125, 126, 127, 128, 65535, 65536, 70_000].map { count in
      let bytes = [UInt8](repeating: 0xFE, count: count)
      return Case("\(count) bytes", frame(.binary, bytes), [binary(bytes)])
    } + [
      Case("frame too long", frame(.binary, [UInt8](repeating: 1, count: 70_001)), fails: .tooBig),
      Case(
        "message too long",
        frame(.binary, [UInt8](repeating: 1, count: 60_000), final: false)
          + frame(.continuation, [UInt8](repeating: 1, count: 40_001)), fails: .tooBig),
    ]
}
