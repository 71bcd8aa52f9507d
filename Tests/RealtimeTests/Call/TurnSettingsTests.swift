import Domain
import Testing

@testable import Realtime

@Suite struct TurnSettingsTests {
  private let now = Instant(seconds: 1_700_000_000)

  @Test func mintsWhatCoturnAccepts() {
    let turn = TurnSettings(
      urls: ["stun:a:3478", "turn:a:3478", "turns:a:5349?transport=tcp"], secrets: ["north", "old"])
    // echo -n 1700007200:p1 | openssl dgst -sha1 -hmac north -binary | base64
    #expect(
      turn.iceServers(for: "p1", now: now) == [
        ["urls": ["stun:a:3478"]],
        [
          "urls": ["turn:a:3478", "turns:a:5349?transport=tcp"], "username": "1700007200:p1",
          "credential": "R2LRESfZT2FrUm+La85+jaIBm78=",
        ],
      ])
  }

  @Test func noRelayWithoutASecret() {
    #expect(TurnSettings(urls: ["turn:a:3478"], secrets: []).iceServers(for: "p1", now: now) == [])
    #expect(TurnSettings(urls: [], secrets: ["x"]).iceServers(for: "p1", now: now) == [])
  }
}
