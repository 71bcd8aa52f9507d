import HummingbirdCore
import HummingbirdTLS
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import Realtime

/// HTTP and WebSockets on one port of a real server, spoken to by raw bytes.
@Suite struct SharedPortTests {
  static func get(_ path: String, _ headers: String = "") -> String {
    "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n"
  }

  static let handshake =
    "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

  static func upgrade(_ path: String = "/ws", _ headers: String = "") -> String {
    get(path, handshake + headers)
  }

  private func text(_ text: String) -> FrameEvent { .message(.text(ByteBuffer(string: text))) }

  @Test func upgradesTheFirstRequest() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(Self.upgrade("/ws", "Sec-WebSocket-Protocol: other, echo\r\n"))
        let response = try await client.response()
        #expect(response.status == 101)
        #expect(response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(response.headers["sec-websocket-protocol"] == "echo")
        #expect(response.headers["upgrade"] == "websocket")
        #expect(response.headers["connection"] == "Upgrade")
        #expect(response.headers["content-length"] == nil)
        #expect(response.headers["transfer-encoding"] == nil)
        #expect(try await client.frame() == self.text("welcome"))
        try await client.send(frame(.text, "xin ", final: false))
        try await client.send(frame(.ping, "p") + frame(.continuation, "chào"))
        #expect(try await client.frame() == .pong(ByteBuffer(string: "p")))
        #expect(try await client.frame() == self.text("xin chào"))
        try await client.send(frame(.close, [0x03, 0xE8]))
        #expect(try await client.frame() == .close(.normal, reason: ""))
        try await client.end()
      }
      var told = server.told.makeAsyncIterator()
      #expect(await told.next() == "opened echo")
      #expect(await told.next() == "closed peer 1000")
    }
  }

  @Test func upgradesAfterEarlierRequests() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        for path in ["/1", "/2", "/3"] {
          try await client.send(Self.get(path))
          #expect(try await client.response().body == path)
        }
        try await client.send(Self.upgrade())
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == self.text("welcome"))
        try await client.send(frame(.text, "echo"))
        #expect(try await client.frame() == self.text("echo"))
      }
    }
  }

  @Test func upgradesBehindPipelinedRequestsAndLosesNoFrame() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        let requests = Self.get("/1") + Self.get("/2") + Self.upgrade()
        try await client.send(Array(requests.utf8) + frame(.text, "early") + frame(.text, "bird"))
        #expect(try await client.response().body == "/1")
        #expect(try await client.response().body == "/2")
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == self.text("welcome"))
        #expect(try await client.frame() == self.text("early"))
        #expect(try await client.frame() == self.text("bird"))
      }
    }
  }

  /// The request and the frames behind it, cut at every byte.
  @Test func takesRequestAndFramesInAnyPieces() async throws {
    let bytes = Array(Self.upgrade().utf8) + frame(.text, "early")
    try await TestServer.run { server in
      for cut in stride(from: 1, to: bytes.count, by: 7) {
        try await RawClient.connect(to: server.port) { client in
          try await client.send(Array(bytes[..<cut]))
          try await client.send(Array(bytes[cut...]))
          #expect(try await client.response().status == 101)
          #expect(try await client.frame() == self.text("welcome"))
          #expect(try await client.frame() == self.text("early"))
        }
      }
    }
  }

  @Test(arguments: ["/refused", "/overruled"])
  func aRefusedUpgradeLeavesTheConnection(path: String) async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        for _ in 1...2 {
          try await client.send(Self.upgrade(path))
          #expect(try await client.response().status == 403)
        }
        try await client.send(Self.get("/after"))
        #expect(try await client.response().body == "/after")
        try await client.send(Self.upgrade() + Self.get("/lost"))
        #expect(try await client.response().status == 101)
      }
    }
  }

  /// What a client had already sent behind a refused upgrade is answered too, also when it comes in pieces.
  @Test func requestsBehindARefusedUpgradeAreAnswered() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(
          Self.upgrade("/refused") + Self.get("/a") + Self.upgrade("/refused") + "GET /b HTTP/1.1\r\nHo")
        #expect(try await client.response().status == 403)
        #expect(try await client.response().body == "/a")
        #expect(try await client.response().status == 403)
        try await client.send("st: localhost\r\n\r\n")
        #expect(try await client.response().body == "/b")
      }
    }
  }

  @Test(arguments: [
    (Self.get("/ws"), 426), (Self.upgrade().replacing("13", with: "12"), 426),
    (Self.upgrade().replacing("dGhl", with: ""), 400), (Self.upgrade().replacing("GET", with: "PUT"), 400),
    (Self.upgrade("/ws", "Content-Length: 2\r\n") + "hi", 400),
    (Self.upgrade().replacing("websocket", with: "h2c"), 426),
  ])
  func refusesWhatIsNoHandshake(request: String, status: Int) async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(request)
        let response = try await client.response()
        #expect(response.status == status)
        if status == 426 { #expect(response.headers["sec-websocket-version"] == "13") }
        try await client.send(Self.get("/after"))
        #expect(try await client.response().body == "/after")
      }
    }
  }

  @Test func ignoresUpgradeInHTTP10() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(Self.upgrade().replacing("HTTP/1.1", with: "HTTP/1.0"))
        let response = try await client.response()
        #expect(response.status == 426)
        #expect(response.headers["connection"] == "close")
        try await client.end()
      }
    }
  }

  @Test func answersNoUpgradeThatNobodyAccepted() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(Self.upgrade("/bare"))
        await #expect(throws: (any Error).self) { try await client.response() }
      }
    }
  }

  @Test(
    arguments: [
      ([0x81, 0x01, 0x61], CloseCode.protocolError), (frame(.text, [0xC3, 0x28]), .invalidPayload),
      (frame(.binary, [UInt8](repeating: 0, count: 200_000)), .tooBig), ([0xFF, 0x80, 0, 0, 0, 0], .protocolError),
    ] as [([UInt8], CloseCode)])
  func failsBrokenFrames(bytes: [UInt8], code: CloseCode) async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(Self.upgrade())
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == self.text("welcome"))
        try await client.send(bytes)
        guard case .close(code, _) = try await client.frame() else {
          Issue.record("no close frame")
          return
        }
        try await client.end()
      }
      var told = server.told.makeAsyncIterator()
      #expect(await told.next() == "opened -")
      #expect(await told.next() == "closed server \(code.rawValue)")
    }
  }

  @Test func shutdownClosesSocketsWith1001() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(Self.upgrade())
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == self.text("welcome"))
        await server.stop()
        #expect(try await client.frame() == self.text("bookmark"))
        #expect(try await client.frame() == .close(.goingAway, reason: "server is stopping"))
        try await client.send(frame(.close, [0x03, 0xE9]))
        try await client.end()
      }
      var told = server.told.makeAsyncIterator()
      #expect(await told.next() == "opened -")
      #expect(await told.next() == "going away")
      #expect(await told.next() == "closed server 1001")
    }
  }

  /// `TestServer.run` checks that the server stops in time although this peer never answers.
  @Test func shutdownDoesNotWaitForASilentPeer() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(Self.upgrade())
        #expect(try await client.response().status == 101)
        await server.stop()
        try await client.end()
      }
    }
  }

  @Test func aHTTPIdleTimeoutSparesSockets() async throws {
    try await TestServer.run(
      .sharedPort(configuration: .init(idleTimeout: .seconds(3), headTimeout: .seconds(3)))
    ) {
      server in
      // Both speak from their event loops: on a busy machine a task may come to its turn when the time is over.
      try await RawClient.connect(to: server.port, handlers: { [Greeting(Self.upgrade())] }) { client in
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == self.text("welcome"))
        // An idle HTTP connection opened later is closed; the socket is still there then.
        try await RawClient.connect(to: server.port, handlers: { [Greeting(Self.get("/"))] }) { idle in
          #expect(try await idle.response().status == 200)
          try await idle.end()
        }
        try await client.send(frame(.text, "here"))
        #expect(try await client.frame() == self.text("here"))
      }
    }
  }

  @Test func worksUnderTLS() async throws {
    let certificate = try TestCertificate.make()
    try await TestServer.run(.tls(.patientPort(), tlsConfiguration: certificate)) { server in
      try await RawClient.connect(to: server.port, handlers: { [try TestCertificate.client()] }) { client in
        try await client.send(Self.get("/1"))
        #expect(try await client.response().body == "/1")
        try await client.send(Self.upgrade("/refused"))
        #expect(try await client.response().status == 403)
        try await client.send(Array(Self.upgrade().utf8) + frame(.text, "early"))
        #expect(try await client.response().status == 101)
        #expect(try await client.frame() == self.text("welcome"))
        #expect(try await client.frame() == self.text("early"))
        try await client.send([0x81, 0x00])
        #expect(try await client.frame() == .close(.protocolError, reason: "frame not masked"))
        try await client.end()
      }
    }
  }
}
