import Foundation

/// The little that a benchmark asks a server of this machine by itself; the load comes from programs made for it.
enum Loopback {
  /// A free port below the range from which the system gives out its own.
  static func freePort() throws -> Int {
    for _ in 0..<100 {
      let port = Int.random(in: 20_000..<32_000)
      let descriptor = try Self.socket()
      defer { close(descriptor) }
      if withAddress(port, { bind(descriptor, $0, $1) }) == 0 { return port }
    }
    throw BenchFailure("no port is free on 127.0.0.1")
  }

  /// A GET over a connection of its own, given up after five seconds of silence.
  static func get(port: Int, _ path: String) throws -> (status: Int, body: String) {
    let descriptor = try connection(port: port, patience: 5)
    defer { close(descriptor) }
    try send(
      Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n".utf8), on: descriptor)
    var answer: [UInt8] = []
    while true {
      let chunk = try receive(on: descriptor)
      if chunk.isEmpty { break }
      answer += chunk
    }
    let text = String(decoding: answer, as: UTF8.self)
    guard let status = text.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap({ Int($0) }),
      let end = text.firstRange(of: "\r\n\r\n")
    else { throw BenchFailure("no HTTP answer came from port \(port)") }
    return (status, String(text[end.upperBound...]))
  }

  /// A connected socket that gives up after so many seconds of silence.
  /// - Parameter source: how far behind 127.0.0.1 the address is that it comes from: one address has 28,000 ports, and
  ///   servers count connections by address.
  static func connection(port: Int, patience seconds: Int, source: Int = 0) throws -> Int32 {
    let descriptor = try Self.socket()
    guard source == 0 || withAddress(0, host: INADDR_LOOPBACK + UInt32(source), { bind(descriptor, $0, $1) }) == 0
    else {
      close(descriptor)
      throw failure("bind")
    }
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    guard withAddress(port, { connect(descriptor, $0, $1) }) == 0 else {
      close(descriptor)
      throw failure("connect")
    }
    return descriptor
  }

  static func send(_ bytes: [UInt8], on descriptor: Int32) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw failure("send") }
      sent += count
    }
  }

  /// What has come; empty when the other side has closed.
  static func receive(on descriptor: Int32) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
      let received = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      guard received >= 0 else { throw failure("recv") }
      count = received
    }
  }

  private static func socket() throws -> Int32 {
    let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure("socket") }
    return descriptor
  }

  private static func withAddress(
    _ port: Int, host: UInt32 = INADDR_LOOPBACK, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = host.bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }

  private static func failure(_ call: String) -> BenchFailure {
    BenchFailure("\(call) on 127.0.0.1: \(String(cString: strerror(errno)))")
  }
}
