import Domain
import NIOCore
import Testing

@testable import Realtime

@Suite struct CallMessageTests {
  private func parse(_ text: String) throws -> CallMessage {
    try CallMessage.parse(ByteBuffer(string: text))
  }

  @Test func readsEveryOp() throws {
    #expect(try parse(#"{"op":"join"}"#) == .join(resume: nil))
    #expect(try parse(#"{"op":"join","resume":null}"#) == .join(resume: nil))
    #expect(try parse(#"{"op":"join","resume":"abc"}"#) == .join(resume: "abc"))
    #expect(try parse(#"{"op":"leave"}"#) == .leave)
    #expect(try parse(#"{"op":"ping"}"#) == .ping)
    #expect(try parse(#"{"op":"pong"}"#) == .pong)
    #expect(try parse(#"{"op":"chat","text":"Nghe rõ không ạ?"}"#) == .chat("Nghe rõ không ạ?"))
    #expect(try parse(#"{"op":"quality"}"#) == .quality(CallQuality()))
    #expect(
      try parse(#"{"op":"quality","rttMs":80,"lossPct":1.5,"mode":"audio"}"#)
        == .quality(CallQuality(rttMs: 80, lossPct: 1.5, mode: .audio)))
  }

  @Test func readsSignalsAndDropsWhatItDoesNotKnow() throws {
    #expect(
      try parse(
        #"{"op":"description","to":"p2","generation":1,"description":{"type":"offer","sdp":"v=0","x":1},"from":"p9"}"#)
        == .description(to: "p2", generation: 1, ["type": "offer", "sdp": "v=0"]))
    #expect(
      try parse(#"{"op":"candidate","to":"p2","generation":3,"candidate":null}"#)
        == .candidate(to: "p2", generation: 3, .null))
    #expect(
      try parse(
        #"{"op":"candidate","to":"p2","generation":3,"candidate":{"candidate":"c","sdpMid":"0","sdpMLineIndex":0,"#
          + #""usernameFragment":null,"y":{}}}"#)
        == .candidate(to: "p2", generation: 3, ["candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0]))
  }

  @Test(
    arguments: [
      "", "x", "[]", "7", "{}", #"{"op":7}"#, #"{"op":"fly"}"#, #"{"op":"joined"}"#, #"{"op":"ping","op":"ping"}"#,
    ])
  func whatIsNoMessageIsMalformed(text: String) {
    #expect { try parse(text) } throws: { ($0 as? CallMistake)?.code == .malformed }
  }

  @Test(
    arguments: [
      #"{"op":"join","resume":7}"#, #"{"op":"chat"}"#, #"{"op":"chat","text":""}"#, #"{"op":"chat","text":7}"#,
      #"{"op":"quality","mode":"telepathy"}"#, #"{"op":"quality","rttMs":-1}"#, #"{"op":"quality","lossPct":101}"#,
      #"{"op":"quality","lossPct":"1"}"#,
      #"{"op":"description","generation":1,"description":{"type":"offer","sdp":""}}"#,
      #"{"op":"description","to":"p2","generation":"1","description":{"type":"offer","sdp":"x"}}"#,
      #"{"op":"description","to":"p2","generation":1.5,"description":{"type":"offer","sdp":"x"}}"#,
      #"{"op":"description","to":"p2","generation":1,"description":{"type":"bribe","sdp":"x"}}"#,
      #"{"op":"description","to":"p2","generation":1,"description":{"type":"offer"}}"#,
      #"{"op":"description","to":"p2","generation":1}"#, #"{"op":"candidate","to":"p2","generation":1}"#,
      #"{"op":"candidate","to":"p2","generation":1,"candidate":"c"}"#,
      #"{"op":"candidate","to":"p2","generation":1,"candidate":{"candidate":"c","sdpMid":1}}"#,
    ])
  func wrongMembersAreInvalid(text: String) {
    #expect { try parse(text) } throws: { ($0 as? CallMistake)?.code == .invalid }
  }

  @Test func longTextsAreInvalid() throws {
    let text = String(repeating: "ạ", count: Limits.chatText)
    #expect(try parse(#"{"op":"chat","text":"\#(text)"}"#) == .chat(text))
    #expect(throws: CallMistake.self) { try parse(#"{"op":"chat","text":"\#(text)x"}"#) }
    let candidate = String(repeating: "c", count: Limits.candidateText + 1)
    #expect(throws: CallMistake.self) {
      try parse(#"{"op":"candidate","to":"p2","generation":1,"candidate":{"candidate":"\#(candidate)"}}"#)
    }
  }

  @Test func whoTalksTooMuchIsStopped() {
    var budget = MessageBudget(now: .uptimeNanoseconds(0))
    func taken(_ tries: Int, seconds: UInt64) -> Int {
      (0..<tries).count { _ in budget.take(now: .uptimeNanoseconds(seconds * 1_000_000_000)) }
    }
    #expect(taken(Limits.callBurst + 9, seconds: 0) == Limits.callBurst)
    #expect(taken(Limits.callBurst, seconds: 1) == Limits.callMessagesPerSecond)
    #expect(taken(2 * Limits.callBurst, seconds: 1_000) == Limits.callBurst)
  }
}
