import Domain
import Foundation

/// One of the servers that `hoichan bench feed` compares, running.
struct FeedServer: Sendable {
  enum Kind: String, CaseIterable, Sendable {
    case hoichan, nchan, nats

    /// A peer's name, as it is printed.
    var name: String {
      switch self {
      case .hoichan, .nchan: rawValue
      case .nats: "nats-server"
      }
    }
  }

  let kind: Kind
  /// Where its subscribers come, by WebSocket.
  let port: Int
  /// Where events are published.
  let publishingPort: Int
  let pid: Int32
  /// What a subscriber's connection begins with.
  let handshake: [UInt8]
  private let path: String
  private let token: String
  private let province: BenchProvince

  private init(
    _ kind: Kind, port: Int, publishingPort: Int, pid: Int32, path: String, token: String, province: BenchProvince
  ) {
    self.kind = kind
    self.port = port
    self.publishingPort = publishingPort
    self.pid = pid
    self.path = path
    self.token = token
    self.province = province
    // nats-server takes the password later, inside the first frame.
    let authorization = kind == .nats ? "" : "Authorization: Bearer \(token)\r\n"
    let request =
      "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(authorization)Connection: Upgrade\r\n"
      + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    handshake = Array(request.utf8)
  }

  /// The same, for subscribers of hoichan who come back and go on from a position.
  func following(after cursor: String) -> FeedServer {
    FeedServer(
      kind, port: port, publishingPort: publishingPort, pid: pid, path: path + "&after=\(cursor)", token: token,
      province: province)
  }

  /// Starts it, runs the body, and stops it also when the body fails.
  static func use<T: Sendable>(
    _ kind: Kind, _ province: BenchProvince, in folder: BenchFolder, _ body: (FeedServer) async throws -> T
  ) async throws -> T {
    switch kind {
    case .hoichan:
      return try await BenchServer(database: province.database, in: folder).use { server in
        // One filter, shared by all, and nothing else passes it: what is counted is exactly what was published.
        try await body(
          FeedServer(
            kind, port: server.port, publishingPort: server.port, pid: server.pid,
            path: "/api/v1/events?types=consult.requested", token: province.token, province: province))
      }
    case .nchan, .nats:
      return try await FeedPeer(kind, in: folder).use { peer in
        try await body(
          FeedServer(
            kind, port: peer.port, publishingPort: peer.publishingPort, pid: peer.pid,
            path: kind == .nchan ? FeedPeer.subscribing : "/", token: FeedPeer.secret, province: province))
      }
    }
  }

  /// Somebody who publishes to it.
  /// - Parameters:
  ///   - connections: over how many, where it is by HTTP.
  ///   - payload: bytes of a message of a peer; those of hoichan's events are what they are.
  func source(connections: Int, payload: Int) throws -> any FeedSource {
    let text = [UInt8](repeating: UInt8(ascii: "x"), count: payload)
    switch kind {
    case .hoichan:
      // A request for a consult is one transaction and one event, with a new id each.
      return try HTTPSource(port: publishingPort, "/api/v1/consults", token: token, connections: connections) {
        [province] number in province.request(id: UUIDv7.make(at: .system), number: number).bytes
      }
    case .nchan:
      return try HTTPSource(port: publishingPort, FeedPeer.publishing, token: token, connections: connections) { _ in
        text
      }
    case .nats:
      return try NatsSource(port: publishingPort, text)
    }
  }

  /// What hoichan counts of its feed, by name; nothing of its peers.
  func counters() throws -> [String: Int] {
    guard kind == .hoichan else { return [:] }
    let metrics = try Loopback.get(port: port, "/metrics")
    var counters: [String: Int] = [:]
    for line in metrics.body.split(separator: "\n") where line.hasPrefix("hoichan_feed_") {
      let fields = line.split(separator: " ")
      if fields.count == 2, fields[0].hasSuffix("_total"), let value = Double(fields[1]) {
        counters[String(fields[0])] = Int(value)
      }
    }
    return counters
  }
}
