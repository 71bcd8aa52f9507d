import NIOCore
import Testing

@testable import Realtime

/// RFC 7692, sections 5 and 7.1.
@Suite struct PermessageDeflateTests {
  @Test(arguments: [
    ("permessage-deflate", nil),
    ("permessage-deflate; client_max_window_bits", nil),
    ("PERMESSAGE-DEFLATE;Client_No_Context_Takeover ; server_no_context_takeover", nil),
    ("permessage-deflate; server_max_window_bits=10", 10),
    ("permessage-deflate; server_max_window_bits=\"8\"; client_max_window_bits=15", 8),
    ("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=15", 15),
    (" , ,permessage-deflate", nil),
    // What can't be kept is passed over for what can.
    ("permessage-deflate; server_max_window_bits=7, permessage-deflate", nil),
    ("permessage-deflate; mux=1, permessage-deflate; server_max_window_bits=9", 9),
  ])
  func takesTheFirstOfferThatItCanKeep(header: String, window: Int?) throws {
    #expect(try PermessageDeflate.choose(from: [header]) == PermessageDeflate(serverWindowBits: window))
    #expect(try PermessageDeflate.choose(from: ["x-other; a=b", header])?.serverWindowBits == window)
  }

  @Test(arguments: [
    "", "x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits", "permessage-deflate; unknown",
    "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=010",
    "permessage-deflate; server_max_window_bits=x", "permessage-deflate; client_max_window_bits=7",
    "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_no_context_takeover=true",
    "permessage-deflate; client_max_window_bits; client_max_window_bits",
  ])
  func declinesWhatItCannotKeep(header: String) throws {
    #expect(try PermessageDeflate.choose(from: [header]) == nil)
  }

  @Test(arguments: [
    "permessage-deflate; ", "permessage-deflate; =1", "permessage-deflate; a=", "permessage-deflate; a=\"1",
    "permessage-deflate; a=\"\"", "permessage-deflate a", "; a", "\"permessage-deflate\"", "a/b",
  ])
  func refusesWhatIsNoList(header: String) {
    let refusal = WebSocketUpgrade.Refusal.malformed("Sec-WebSocket-Extensions is no list of extensions")
    #expect(throws: refusal) { try PermessageDeflate.choose(from: [header]) }
  }

  @Test func answersWhatItWillDo() {
    #expect(
      PermessageDeflate().answer == "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    #expect(PermessageDeflate(serverWindowBits: 9).answer.hasSuffix("; server_max_window_bits=9"))
    #expect(PermessageDeflate().takesSharedFrames && PermessageDeflate(serverWindowBits: 15).takesSharedFrames)
    #expect(!PermessageDeflate(serverWindowBits: 14).takesSharedFrames)
  }

  @Test func aSocketSpeaksItOverARealConnection() async throws {
    let text = String(repeating: "Trạm Y tế Mường Lát. ", count: 40)
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        try await client.send(SharedPortTests.upgrade("/ws", offer))
        let answer = try await client.response()
        #expect(answer.headers["sec-websocket-extensions"] == PermessageDeflate().answer)
        client.deflates()
        #expect(try await client.frame() == .message(.text(.init(string: "welcome"))))
        let packed = try #require(Deflater.shared.compress(.init(string: text)))
        #expect(packed.readableBytes < text.utf8.count / 5)
        try await client.send(Array(FrameEncoder.frame(.text, packed, isCompressed: true, mask: 7).readableBytesView))
        #expect(try await client.frame() == .message(.text(.init(string: text))))
        // What was not compressed is read as well.
        try await client.send(frame(.text, "here"))
        #expect(try await client.frame() == .message(.text(.init(string: "here"))))
      }
    }
  }

  @Test func nobodyGetsItUnasked() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(SharedPortTests.upgrade())
        #expect(try await client.response().headers["sec-websocket-extensions"] == nil)
        #expect(try await client.frame() == .message(.text(.init(string: "welcome"))))
        try await client.send([0xC1, 0x80, 0, 0, 0, 0])
        #expect(try await client.frame() == .close(.protocolError, reason: "reserved bit set"))
      }
    }
  }
}
