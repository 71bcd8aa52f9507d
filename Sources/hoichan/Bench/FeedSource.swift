import Foundation

/// What publishes to a server.
protocol FeedSource {
  /// The bytes that publish one event; made before the clock runs.
  func message(_ number: Int) -> [UInt8]
  /// Sends them, without waiting for an answer unless all connections have one outstanding.
  func send(_ message: [UInt8]) throws
  /// Comes back when the server has taken everything that was sent.
  func settle() throws
}

/// By HTTP, over several connections that are kept: one request a connection is under way, so that a server which
/// answers only when something is durable can make many so at once.
final class HTTPSource: FeedSource {
  private let path: String
  private let token: String
  private let body: (Int) -> [UInt8]
  private let connections: [HTTPConnection]
  private var isAwaited: [Bool]
  private var next = 0

  init(
    port: Int, _ path: String, token: String, connections count: Int, body: @escaping (Int) -> [UInt8]
  ) throws {
    self.path = path
    self.token = token
    self.body = body
    connections = try (0..<count).map { _ in try HTTPConnection(port: port, token: token) }
    isAwaited = Array(repeating: false, count: count)
  }

  func message(_ number: Int) -> [UInt8] { HTTPConnection.request(path, body(number), token: token) }

  func send(_ message: [UInt8]) throws {
    let index = next
    next = (next + 1) % connections.count
    try finish(index)
    try connections[index].send(message)
    isAwaited[index] = true
  }

  func settle() throws {
    for index in connections.indices { try finish(index) }
  }

  private func finish(_ index: Int) throws {
    guard isAwaited[index] else { return }
    isAwaited[index] = false
    _ = try connections[index].answer(to: path)
  }
}

/// By nats-server's own protocol over TCP, which is what its services publish with.
final class NatsSource: FeedSource {
  private let descriptor: Int32
  private let payload: [UInt8]

  init(port: Int, _ payload: [UInt8]) throws {
    self.payload = payload
    descriptor = try Loopback.connection(port: port, patience: 30)
    try Loopback.send(NatsStream.greeting, on: descriptor)
    try settle()
  }

  deinit { close(descriptor) }

  func message(_ number: Int) -> [UInt8] {
    var message = Array("PUB \(FeedPeer.subject) \(payload.count)\r\n".utf8)
    message += payload
    message += Array("\r\n".utf8)
    return message
  }

  func send(_ message: [UInt8]) throws { try Loopback.send(message, on: descriptor) }

  /// What came before a PING was taken before its PONG.
  func settle() throws {
    try Loopback.send(Array("PING\r\n".utf8), on: descriptor)
    var text = ""
    while !text.contains("PONG\r\n") {
      let chunk = try Loopback.receive(on: descriptor)
      text += String(decoding: chunk, as: UTF8.self)
      guard !chunk.isEmpty, !text.contains("-ERR") else { throw BenchFailure("nats-server said: \(text.suffix(200))") }
    }
    // The server asks as well whether we are there.
    if text.contains("PING\r\n") { try Loopback.send(Array("PONG\r\n".utf8), on: descriptor) }
  }
}
