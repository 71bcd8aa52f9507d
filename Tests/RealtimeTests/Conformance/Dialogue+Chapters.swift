@testable import Realtime

extension Dialogue {
  // MARK: 1, lengths

  /// The lengths around which the header changes its form.
  static let lengths: [Dialogue] = [0, 1, 125, 126, 127, 128].flatMap { both($0) }
  static let greatLengths: [Dialogue] = [65_535, 65_536, 1 << 20].flatMap { both($0) }

  private static func both(_ length: Int) -> [Dialogue] {
    let stars = [UInt8](repeating: 0x2A, count: length)
    let bytes = [UInt8](repeating: 0xFE, count: length)
    return [
      Dialogue("text of \(length)", [frame(.text, stars)], [.text(stars)]),
      Dialogue("binary of \(length)", [frame(.binary, bytes)], [.binary(bytes)]),
    ]
  }

  // MARK: 2, pings and pongs

  private static let noText: [UInt8] = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF]
  private static let longest = [UInt8](repeating: 0xFE, count: 125)

  static let pings: [Dialogue] = [
    Dialogue("empty ping", [ping("")], [.pong([])]),
    Dialogue("ping", [ping("Hello, world!")], [.pong(Array("Hello, world!".utf8))]),
    Dialogue("ping that is no text", [frame(.ping, noText)], [.pong(noText)]),
    Dialogue("ping of 125", [frame(.ping, longest)], [.pong(longest)]),
    Dialogue("ping of 126", [frame(.ping, longest + [0xFE])], [.close(1002)]),
    Dialogue("pong of 126", [frame(.pong, longest + [0xFE])], [.close(1002)]),
    Dialogue("unasked empty pong", [pong("")], []),
    Dialogue("unasked pong, then ping", [pong("unasked"), ping("ping")], [.pong(Array("ping".utf8))]),
    Dialogue(
      "ten pings", (0..<10).map { ping("payload-\($0)") }, (0..<10).map { Answer.pong(Array("payload-\($0)".utf8)) }),
  ]

  // MARK: 3, reserved bits

  /// Without an extension each of them fails the connection, and nothing behind it is looked at.
  static let reservedBits: [Dialogue] = (UInt8(1)...7).flatMap { reserved($0) }

  private static func reserved(_ bits: UInt8) -> [Dialogue] {
    let badText = setting(bits << 4, in: text("x"))
    var dialogues = [
      Dialogue(
        "reserved bits \(bits) behind a message", [text("Hello, world!"), badText, ping("behind")],
        [.said("Hello, world!"), .close(1002)]),
      Dialogue(
        "reserved bits \(bits) on a continuation", [text("a", last: false), setting(bits << 4, in: more("b"))],
        [.close(1002)]),
    ]
    for (kind, good) in [frame(.binary, noText), ping("x"), pong("x"), closing(1000)].enumerated() {
      let bad = setting(bits << 4, in: good)
      dialogues.append(Dialogue("reserved bits \(bits), frame \(kind)", [bad, ping("behind")], [.close(1002)]))
    }
    return dialogues
  }

  // MARK: 4, opcodes

  static let reservedOpcodes: [Dialogue] = unknown.flatMap { reserved(opcode: $0) }
  private static let unknown: [UInt8] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]

  private static func reserved(opcode: UInt8) -> [Dialogue] {
    // A continuation's opcode is zero.
    let empty = setting(opcode, in: more(""))
    let full = setting(opcode, in: more("payload"))
    return [
      Dialogue("opcode \(opcode)", [empty], [.close(1002)]),
      Dialogue("opcode \(opcode) with a payload", [full], [.close(1002)]),
      Dialogue(
        "opcode \(opcode) behind a message", [text("Hello, world!"), full, ping("behind")],
        [.said("Hello, world!"), .close(1002)]),
      Dialogue("opcode \(opcode) inside a message", [text("a", last: false), empty, more("b")], [.close(1002)]),
    ]
  }

  // MARK: 5, fragments

  static let fragments: [Dialogue] = [
    Dialogue("fragmented ping", [ping("1", last: false), more("2")], [.close(1002)]),
    Dialogue("fragmented pong", [pong("1", last: false), more("2")], [.close(1002)]),
    Dialogue("two fragments", [text("one ", last: false), more("two")], [.said("one two")]),
    Dialogue(
      "a ping between", [text("one ", last: false), ping("p"), more("two")], [.pong([0x70]), .said("one two")]),
    Dialogue(
      "two pings between",
      [
        text("1", last: false), more("2", last: false), ping("p"), more("3", last: false), more("4", last: false),
        ping("q"), more("5"),
      ], [.pong([0x70]), .pong([0x71]), .said("12345")]),
    Dialogue("a last continuation of nothing", [more("1"), text("2")], [.close(1002)]),
    Dialogue("a first continuation of nothing", [more("1", last: false), text("2")], [.close(1002)]),
    Dialogue(
      "a continuation behind the last", [text("1", last: false), more("2"), more("3", last: false), text("4")],
      [.said("12"), .close(1002)]),
    Dialogue(
      "a continuation before a message", [more("1", last: false), text("2", last: false), more("3")], [.close(1002)]),
    Dialogue("text inside text", [text("1", last: false), text("2")], [.close(1002)]),
    Dialogue("binary inside text", [text("1", last: false), frame(.binary, noText)], [.close(1002)]),
    Dialogue("text inside binary", [frame(.binary, noText, final: false), text("2")], [.close(1002)]),
    Dialogue(
      "binary in fragments that are no text",
      [frame(.binary, noText, final: false), frame(.continuation, noText)], [.binary(noText + noText)]),
    Dialogue(
      "a whole message behind one in fragments", [text("1", last: false), more("2"), text("3")],
      [.said("12"), .said("3")]),
    Dialogue("three empty fragments", [text("", last: false), more("", last: false), more("")], [.said("")]),
    Dialogue(
      "empty fragments around one", [text("", last: false), more("middle", last: false), more("")], [.said("middle")]),
  ]

  // MARK: 7, closing

  static let closes: [Dialogue] =
    [
      Dialogue("message, then close", [text("Hello World!"), closing(1000)], [.said("Hello World!"), .close(1000)]),
      Dialogue("two closes", [closing(1000), frame(.close, "")], [.close(1000)]),
      Dialogue("ping behind the close", [closing(1000), ping("late")], [.close(1000)]),
      Dialogue("text behind the close", [closing(1000), text("late")], [.close(1000)]),
      Dialogue("close inside a message", [text("1", last: false), closing(1000), more("2")], [.close(1000)]),
      Dialogue("empty close", [frame(.close, "")], [.close(1005)]),
      Dialogue("close of one byte", [frame(.close, "a")], [.close(1002)]),
      Dialogue("close with a reason", [closing(1000, "Hello World!")], [.close(1000)]),
      Dialogue("longest reason", [closing(1000, String(repeating: "*", count: 123))], [.close(1000)]),
      Dialogue("reason too long", [closing(1000, String(repeating: "*", count: 124))], [.close(1002)]),
      Dialogue("reason that is no text", [frame(.close, [0x03, 0xE8, 0xCE, 0xBA, 0xED, 0xA0, 0x80])], [.close(1007)]),
      Dialogue("reason that ends in a character", [frame(.close, [0x03, 0xE8, 0xCE])], [.close(1007)]),
      Dialogue("close without a mask", [[0x88, 0x02, 0x03, 0xE8]], [.close(1002)]),
    ]
    + validCodes.map { Dialogue("code \($0)", [closing($0)], [.close($0)]) }
    + invalidCodes.map { Dialogue("code \($0)", [closing($0)], [.close(1002)]) }

  private static let validCodes: [UInt16] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
  ]
  private static let invalidCodes: [UInt16] = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]

  // MARK: 9 and 10, many fragments

  static let manyFragments: [Dialogue] = [64, 1300, 4096].flatMap { size in
    [
      inFragments(.text, [UInt8](repeating: 0x2A, count: 1 << 18), of: size),
      inFragments(.binary, [UInt8](repeating: 0xFE, count: 1 << 18), of: size),
    ]
  }

  /// A message in fragments of so many bytes, the last of them shorter where they do not come out even.
  static func inFragments(_ opcode: Opcode, _ bytes: [UInt8], of size: Int) -> Dialogue {
    let frames = stride(from: 0, to: bytes.count, by: size).map { start in
      let end = min(start + size, bytes.count)
      return frame(start == 0 ? opcode : .continuation, Array(bytes[start..<end]), final: end == bytes.count)
    }
    return Dialogue(
      "\(opcode) of \(bytes.count) in fragments of \(size)", frames, [opcode == .text ? .text(bytes) : .binary(bytes)])
  }

  // MARK: Frames

  static func text(_ payload: String, last: Bool = true) -> [UInt8] { frame(.text, payload, final: last) }
  static func more(_ payload: String, last: Bool = true) -> [UInt8] { frame(.continuation, payload, final: last) }
  static func ping(_ payload: String, last: Bool = true) -> [UInt8] { frame(.ping, payload, final: last) }
  static func pong(_ payload: String, last: Bool = true) -> [UInt8] { frame(.pong, payload, final: last) }

  static func closing(_ code: UInt16, _ reason: String = "") -> [UInt8] {
    frame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
  }

  /// The frame with these bits set in its first byte.
  static func setting(_ bits: UInt8, in frame: [UInt8]) -> [UInt8] { [frame[0] | bits] + frame.dropFirst() }
}
