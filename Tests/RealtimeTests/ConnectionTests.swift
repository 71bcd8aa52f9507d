import HummingbirdCore
import NIOCore
import Testing

@testable import Realtime

/// What a connection answers on its own, below any route.
@Suite struct ConnectionTests {
  private func problem(_ code: String, _ status: Int, _ response: RawClient.Response) {
    #expect(response.status == status)
    #expect(response.headers["content-type"] == "application/problem+json")
    #expect(response.headers["connection"] == "close")
    #expect(response.body.contains(#""type":"about:blank""#))
    #expect(response.body.contains(#""status":\#(status),"code":"\#(code)""#))
  }

  @Test(arguments: [
    "NONSENSE\r\n\r\n", "GET / HTTP/9.9\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost h\r\n\r\n",
    "GET /\u{1EC7} HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade;x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ])
  func malformedRequestsGetAProblem(request: String) async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(request)
        self.problem("malformed", 400, try await client.response())
        try await client.end()
      }
    }
  }

  @Test func brokenUTF8InTheTargetGetsAProblem() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(Array("GET /".utf8) + [0xFF] + Array(" HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
        self.problem("malformed", 400, try await client.response())
      }
    }
  }

  /// Earlier requests are answered first, then the failure, then nothing.
  @Test func aFailureWaitsForItsTurn() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(
          SharedPortTests.get("/1") + SharedPortTests.get("/2") + "garbage\r\n\r\n" + SharedPortTests.get("/3"))
        #expect(try await client.response().body == "/1")
        #expect(try await client.response().body == "/2")
        self.problem("malformed", 400, try await client.response())
        try await client.end()
      }
    }
  }

  @Test func aBrokenBodyGetsAProblem() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send("POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n")
        self.problem("malformed", 400, try await client.response())
        try await client.end()
      }
    }
  }

  @Test(arguments: [
    "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n",
    "GET /\(String(repeating: "x", count: 20_000)) HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\n\(String(repeating: "X: y\r\n", count: 200))\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\n\(String(repeating: "X: \(String(repeating: "x", count: 1000))\r\n", count: 80))\r\n",
  ])
  func largeHeadersGetAProblem(request: String) async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(request)
        self.problem("too-large", 431, try await client.response())
        try await client.end()
      }
    }
  }

  @Test func aSlowHeadGetsAProblem() async throws {
    try await TestServer.run(.sharedPort(configuration: .init(headTimeout: .seconds(4)))) { server in
      // It speaks as soon as it is connected: the four seconds count from there.
      let greeting = SharedPortTests.get("/1")
      try await RawClient.connect(to: server.port, handlers: { [Greeting(greeting)] }) { client in
        #expect(try await client.response().body == "/1")
        try await client.send("GET /2 HTTP/1.1\r\nHo")
        self.problem("request-timeout", 408, try await client.response())
        try await client.end()
      }
    }
  }

  @Test func aSilentConnectionIsClosed() async throws {
    try await TestServer.run(.sharedPort(configuration: .init(headTimeout: .seconds(3)))) { server in
      try await RawClient.connect(to: server.port) { client in
        await #expect(throws: RawClient.Ended.self) { try await client.response() }
      }
    }
  }

  @Test func theLimitsOfConnectionsHold() async throws {
    let limits = ConnectionLimits(perAddress: 2)
    try await TestServer.run(.patientPort(connections: limits)) { server in
      try await RawClient.connect(to: server.port) { first in
        try await first.send(SharedPortTests.get("/1"))
        #expect(try await first.response().status == 200)
        try await RawClient.connect(to: server.port) { second in
          try await second.send(SharedPortTests.upgrade())
          #expect(try await second.response().status == 101)
          try await RawClient.connect(to: server.port) { third in
            try await third.send(SharedPortTests.get("/3"))
            let response = try await third.response()
            self.problem("too-many", 429, response)
            #expect(response.headers["retry-after"] == "5")
            try await third.end()
          }
        }
        try await first.send(SharedPortTests.get("/still"))
        #expect(try await first.response().status == 200)
      }
    }
    #expect(limits.count == 0)
  }

  @Test func theTotalOfConnectionsHolds() async throws {
    let limits = ConnectionLimits(total: 1, perAddress: 1, isExempt: { _ in true })
    try await TestServer.run(.patientPort(connections: limits)) { server in
      try await RawClient.connect(to: server.port) { first in
        try await first.send(SharedPortTests.get("/1"))
        #expect(try await first.response().status == 200)
        try await RawClient.connect(to: server.port) { second in
          try await second.send(SharedPortTests.get("/2"))
          self.problem("unavailable", 503, try await second.response())
        }
      }
    }
  }

  // MARK: Keep-alive

  @Test(arguments: ["GET /x HTTP/1.0\r\n\r\n", "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"])
  func closesWhenTheClientAsks(request: String) async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(request)
        let response = try await client.response()
        #expect(response.body == "/x")
        #expect(response.headers["connection"] == "close")
        try await client.end()
      }
    }
  }

  @Test func answersAHalfClosedClient() async throws {
    try await TestServer.run { server in
      try await RawClient.connect(to: server.port) { client in
        try await client.send(SharedPortTests.get("/1"))
        client.finish()
        #expect(try await client.response().body == "/1")
        try await client.end()
      }
    }
  }

  @Test func aBodyThatNobodyReadIsDroppedUpToALimit() async throws {
    try await TestServer.run(.patientPort(unreadBody: 256 * 1024)) { server in
      try await RawClient.connect(to: server.port) { client in
        let small = String(repeating: "b", count: 100_000)
        try await client.send("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n\(small)")
        #expect(try await client.response().body == "/1")
        try await client.send("POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n\(small)")
        #expect(try await client.response().body == "/2")
        for _ in 1...4 { try await client.send(small) }
        try await client.end()
      }
    }
  }
}
