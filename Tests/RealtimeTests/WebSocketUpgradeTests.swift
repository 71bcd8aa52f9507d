import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Realtime

@Suite struct WebSocketUpgradeTests {
  static let good: HTTPFields = [
    .upgrade: "websocket", .connection: "Upgrade", .secWebSocketVersion: "13",
    .secWebSocketKey: "dGhlIHNhbXBsZSBub25jZQ==",
  ]

  /// RFC 6455, section 1.3.
  @Test func acceptsAsTheRFCDoes() throws {
    #expect(try WebSocketUpgrade.validate(request(Self.good)) == "dGhlIHNhbXBsZSBub25jZQ==")
    #expect(WebSocketUpgrade.acceptValue(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test(arguments: ["Upgrade", "upgrade", "keep-alive, Upgrade", "keep-alive,UPGRADE"])
  func readsConnectionAsTokens(connection: String) throws {
    _ = try WebSocketUpgrade.validate(request(Self.good.with(.connection, connection)))
  }

  @Test(arguments: [
    Self.good.with(.upgrade, nil), Self.good.with(.upgrade, "h2c"), Self.good.with(.connection, nil),
    Self.good.with(.connection, "keep-alive"), Self.good.with(.secWebSocketVersion, nil),
    Self.good.with(.secWebSocketVersion, "8"), Self.good.with(.secWebSocketVersion, "13, 8"), HTTPFields(),
  ])
  func asksForAnUpgrade(fields: HTTPFields) {
    #expect {
      try WebSocketUpgrade.validate(request(fields))
    } throws: { error in
      guard case .upgradeRequired = error as? WebSocketUpgrade.Refusal else { return false }
      return true
    }
  }

  @Test(arguments: [
    Self.good.with(.secWebSocketKey, nil), Self.good.with(.secWebSocketKey, "dGhlIHNhbXBsZQ=="),
    Self.good.with(.secWebSocketKey, "!GhlIHNhbXBsZSBub25jZQ=="), Self.good.with(.secWebSocketKey, ""),
    Self.good + [HTTPField(name: .secWebSocketKey, value: "dGhlIHNhbXBsZSBub25jZQ==")],
  ])
  func refusesABadKey(fields: HTTPFields) {
    #expect(throws: WebSocketUpgrade.Refusal.malformed("Sec-WebSocket-Key is not sixteen bytes in base64")) {
      try WebSocketUpgrade.validate(request(fields))
    }
  }

  @Test func refusesOtherMethods() {
    var request = request(Self.good)
    request.method = .post
    #expect(throws: WebSocketUpgrade.Refusal.malformed("a WebSocket handshake is a GET")) {
      try WebSocketUpgrade.validate(request)
    }
  }

  @Test func refusesAConnectionThatIsNotOurs() async throws {
    let channel = NIOAsyncTestingChannel()
    await #expect(throws: WebSocketUpgrade.Refusal.upgradeRequired("this connection can't be upgraded")) {
      try await WebSocketUpgrade.accept(request(Self.good), on: channel) { _ in EchoDelegate(nil) }
    }
    _ = try await channel.finish()
  }

  /// `asksForUpgrade` must say what llhttp thinks, since the decoder stops by llhttp's rule: when it stops, the request
  /// behind stays undecoded. What is neither must be refused as unclear.
  @Test(arguments: [
    "Upgrade", "upgrade", "UPGRADE", "keep-alive, Upgrade", "keep-alive,upgrade", "Upgrade, keep-alive",
    "upgrade,close",
    "Upgrade , foo", "foo, Upgrade", "  Upgrade  ", "keep-alive", "foo", "", "upgrade-insecure", "xupgrade", "upgradex",
    "up grade", "upgrade;q=1", "\tupgrade", "upgrade\t", "foo\t,upgrade", "foo,\tupgrade", "upgrade foo", "foo upgrade",
    "\"upgrade\"", ",upgrade", "upgrade,", "close, upgrade", "keep-alive , upgrade", "keep-alive upgrade",
  ])
  func agreesWithTheDecoder(connection: String) throws {
    let channel = EmbeddedChannel()
    try channel.pipeline.syncOperations.addHandler(
      ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes)))
    let first = "GET /1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: \(connection)\r\n\r\n"
    try channel.writeInbound(ByteBuffer(string: first + "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"))
    var heads: [HTTPRequestHead] = []
    while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
      if case .head(let head) = part { heads.append(head) }
    }
    let head = try #require(heads.first)
    let stopped = heads.count == 1
    #expect(head.asksUnclearly || head.asksForUpgrade == stopped)
    _ = try? channel.finish(acceptAlreadyClosed: true)
  }

  private func request(_ fields: HTTPFields) -> HTTPRequest {
    HTTPRequest(method: .get, scheme: "http", authority: "h", path: "/", headerFields: fields)
  }
}

extension HTTPFields {
  func with(_ name: HTTPField.Name, _ value: String?) -> HTTPFields {
    var fields = self
    fields[name] = value
    return fields
  }
}
