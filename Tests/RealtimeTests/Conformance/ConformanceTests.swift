import NIOCore
import Testing

@testable import Realtime

/// RFC 6455 as an echo keeps it, from the bytes on the wire to those that come back.
@Suite struct ConformanceTests {
  /// However the bytes are cut, the answers are the same, and after a close frame the connection ends.
  @Test(
    arguments: Dialogue.lengths + Dialogue.pings + Dialogue.fragments + Dialogue.closes,
    [Dialogue.Cut.whole, .betweenFrames, .every(1), .every(7)])
  func answers(_ dialogue: Dialogue, cut: Dialogue.Cut) throws {
    try hold(dialogue, cut)
  }

  @Test(
    arguments: Dialogue.reservedBits + Dialogue.reservedOpcodes, [Dialogue.Cut.whole, .betweenFrames, .every(1)])
  func refuses(_ dialogue: Dialogue, cut: Dialogue.Cut) throws {
    try hold(dialogue, cut)
  }

  @Test(arguments: Dialogue.texts, [Dialogue.Cut.whole, .every(1)])
  func tellsTextFromOtherBytes(_ dialogue: Dialogue, cut: Dialogue.Cut) throws {
    try hold(dialogue, cut)
  }

  @Test(arguments: Dialogue.greatLengths + Dialogue.manyFragments, [Dialogue.Cut.whole, .every(997)])
  func echoesWhatIsLong(_ dialogue: Dialogue, cut: Dialogue.Cut) throws {
    try hold(dialogue, cut)
  }

  private func hold(_ dialogue: Dialogue, _ cut: Dialogue.Cut) throws {
    let peer = try EchoPeer()
    try peer.send(dialogue.pieces(cut))
    let answers = try peer.answers()
    // Long ones would bury what else is said.
    #expect(answers.count == dialogue.answers.count)
    let isSame = answers == dialogue.answers
    #expect(isSame, "\(answers.map { "\($0)".prefix(200) })")
    #expect(peer.isOpen == !dialogue.isClosing)
  }

  // MARK: At once

  /// A ping is answered before the message around it has ended.
  @Test func answersAPingInsideAMessageAtOnce() throws {
    let peer = try EchoPeer()
    try peer.send([Dialogue.text("1", last: false), Dialogue.more("2", last: false), Dialogue.ping("a")])
    #expect(try peer.answers() == [.pong([0x61])])
    try peer.send([Dialogue.more("3", last: false), Dialogue.ping("b"), Dialogue.more("4")])
    #expect(try peer.answers() == [.pong([0x62]), .said("1234")])
  }

  /// Broken text fails the connection at its first impossible byte: in a fragment, long before the message's end.
  @Test(arguments: [11, 12])
  func refusesBrokenTextInItsFragment(first: Int) throws {
    let bytes = Dialogue.greek + Dialogue.hex("f4 90 80 80") + Dialogue.edited
    let peer = try EchoPeer()
    try peer.send([frame(.text, Array(bytes[..<first]), final: false)])
    #expect(try peer.answers() == [])
    #expect(peer.isOpen)
    // From byte 12 on it can be no text.
    try peer.send([frame(.continuation, Array(bytes[first...12]), final: false)])
    #expect(try peer.answers() == [.close(1007)])
    #expect(!peer.isOpen)
  }

  /// And in the middle of a frame.
  @Test func refusesBrokenTextInsideItsFrame() throws {
    let bytes = frame(.text, Dialogue.greek + Dialogue.hex("f4 90 80 80") + Dialogue.edited)
    // Two bytes of header and four of mask.
    let good = bytes[..<(6 + 12)]
    let peer = try EchoPeer()
    try peer.send([Array(good)])
    #expect(try peer.answers() == [])
    #expect(peer.isOpen)
    try peer.send([[bytes[good.endIndex]]])
    #expect(try peer.answers() == [.close(1007)])
    #expect(!peer.isOpen)
  }

  // MARK: Limits

  @Test(
    arguments: [
      ([1000], true), ([1001], false), ([1000, 500], true), ([1000, 501], false), ([500, 500, 500], true),
      ([500, 500, 500, 1], false), ([500, 500, 500, 0], true),
    ] as [([Int], Bool)])
  func takesAFrameAndAMessageUpToTheirLimits(fragments: [Int], isTaken: Bool) throws {
    let peer = try EchoPeer(SocketLimits(frame: 1000, message: 1500))
    for (index, count) in fragments.enumerated() {
      let bytes = [UInt8](repeating: 0xFE, count: count)
      try peer.send([frame(index == 0 ? .binary : .continuation, bytes, final: index == fragments.count - 1)])
    }
    let whole = [UInt8](repeating: 0xFE, count: fragments.reduce(0, +))
    let expected: [Dialogue.Answer] = isTaken ? [.binary(whole)] : [.close(1009)]
    #expect(try peer.answers() == expected)
    #expect(peer.isOpen == isTaken)
  }

  @Test(arguments: [0, 16, 256, 4096])
  func echoesOneAfterTheOther(count: Int) throws {
    let peer = try EchoPeer()
    let bytes = [UInt8](repeating: 0x2A, count: count)
    let (text, binary) = (frame(.text, bytes), frame(.binary, bytes))
    for _ in 0..<200 {
      try peer.send([text])
      #expect(try peer.answers() == [.text(bytes)])
      try peer.send([binary])
      #expect(try peer.answers() == [.binary(bytes)])
    }
  }

  // MARK: Over a socket

  /// Far more than the buffers between the two hold, in one frame and in many small writes.
  @Test func echoesLongMessagesOverASocket() async throws {
    let limits = SocketLimits(frame: 1 << 22, message: 1 << 22, pending: 1 << 24)
    try await TestServer.run(limits: limits) { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(SharedPortTests.upgrade())
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == .message(.text(ByteBuffer(string: "welcome"))))
        let bytes = [UInt8](repeating: 0x2A, count: 1 << 22)
        try await client.send(frame(.binary, bytes))
        let isWhole = try await client.frame() == .message(.binary(ByteBuffer(bytes: bytes)))
        #expect(isWhole)
        let text = Dialogue.inFragments(.text, Array(bytes.prefix(65_536)), of: 1300)
        for piece in text.pieces(.every(997)) { try await client.send(piece) }
        let isText = try await client.frame() == .message(.text(ByteBuffer(bytes: bytes.prefix(65_536))))
        #expect(isText)
      }
    }
  }

  /// What came before a close frame is answered before it, however much there is to write.
  @Test func finishesItsAnswersBeforeItCloses() async throws {
    try await TestServer.run(limits: SocketLimits(frame: 1 << 20, message: 1 << 20)) { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(SharedPortTests.upgrade())
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == .message(.text(ByteBuffer(string: "welcome"))))
        let bytes = [UInt8](repeating: 0x2A, count: 1 << 18)
        try await client.send(frame(.text, bytes) + Dialogue.text("Hello World!") + Dialogue.closing(1000))
        let isWhole = try await client.frame() == .message(.text(ByteBuffer(bytes: bytes)))
        #expect(isWhole)
        #expect(try await client.frame() == .message(.text(ByteBuffer(string: "Hello World!"))))
        #expect(try await client.frame() == .close(.normal, reason: ""))
        try await client.end()
      }
    }
  }
}
