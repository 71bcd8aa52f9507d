import Domain
import Foundation

/// Requests one after another over one connection.
final class HTTPConnection {
  let token: String
  private let descriptor: Int32

  init(port: Int, token: String) throws {
    self.token = token
    descriptor = try Loopback.connection(port: port, patience: 30)
  }

  /// With an account of the demo.
  convenience init(port: Int, signIn name: String) throws {
    let first = try HTTPConnection(port: port, token: "")
    let answer = try first.post(
      "/api/v1/session", ["username": .string(name), "password": .string(DemoProvince.password)])
    try self.init(port: port, token: answer["token"]?.string ?? "")
  }

  deinit { close(descriptor) }

  func post(_ path: String, _ body: JSON) throws -> JSON {
    try send(Self.request(path, body.bytes, token: token))
    let answer = try answer(to: path)
    return answer.isEmpty ? .null : try JSON(parsing: answer)
  }

  /// A POST, to be sent as it is.
  static func request(_ path: String, _ body: [UInt8], token: String) -> [UInt8] {
    let head =
      "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(token)\r\n"
      + "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
    return Array(head.utf8) + body
  }

  func send(_ request: [UInt8]) throws { try Loopback.send(request, on: descriptor) }

  /// The body of the answer that is due; it must be a success.
  func answer(to path: String) throws -> String {
    var answer: [UInt8] = []
    while true {
      let chunk = try Loopback.receive(on: descriptor)
      if chunk.isEmpty { throw BenchFailure("\(path): the connection ended") }
      answer += chunk
      let text = String(decoding: answer, as: UTF8.self)
      guard let end = text.firstRange(of: "\r\n\r\n") else { continue }
      let length = text[..<end.lowerBound].lowercased().split(separator: "\r\n")
        .first { $0.hasPrefix("content-length:") }
        .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
      guard let length, text[end.upperBound...].utf8.count >= length else { continue }
      guard text.hasPrefix("HTTP/1.1 20") else { throw BenchFailure("\(path): \(text.prefix(400))") }
      return String(text[end.upperBound...])
    }
  }
}

/// A WebSocket that sends short texts and waits for some.
final class SocketConnection {
  private let descriptor: Int32
  private var rest: [UInt8] = []

  init(port: Int, _ path: String, token: String) throws {
    descriptor = try Loopback.connection(port: port, patience: 30)
    let request =
      "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(token)\r\nConnection: Upgrade\r\n"
      + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    try Loopback.send(Array(request.utf8), on: descriptor)
    while true {
      rest += try Loopback.receive(on: descriptor)
      let text = String(decoding: rest, as: UTF8.self)
      guard let end = text.firstRange(of: "\r\n\r\n") else { continue }
      guard text.hasPrefix("HTTP/1.1 101") else { throw BenchFailure("\(path): \(text.prefix(200))") }
      rest = Array(text[end.upperBound...].utf8)
      return
    }
  }

  deinit { close(descriptor) }

  /// Up to 125 bytes, masked with zeros, which the protocol allows.
  func send(_ text: String) throws {
    let bytes = Array(text.utf8)
    guard bytes.count < 126 else { throw BenchFailure("too long a text") }
    try Loopback.send([0x81, 0x80 | UInt8(bytes.count), 0, 0, 0, 0] + bytes, on: descriptor)
  }

  func receive() throws -> String {
    while true {
      if let text = frame() { return text }
      let chunk = try Loopback.receive(on: descriptor)
      if chunk.isEmpty { throw BenchFailure("the socket ended") }
      rest += chunk
    }
  }

  private func frame() -> String? {
    guard rest.count >= 2 else { return nil }
    var (length, start) = (Int(rest[1] & 0x7F), 2)
    if length == 126 {
      guard rest.count >= 4 else { return nil }
      (length, start) = (Int(rest[2]) << 8 | Int(rest[3]), 4)
    }
    guard rest.count >= start + length else { return nil }
    let text = String(decoding: rest[start..<start + length], as: UTF8.self)
    rest.removeFirst(start + length)
    return text
  }
}
