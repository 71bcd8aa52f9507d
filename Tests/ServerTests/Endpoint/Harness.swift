import CoreMetrics
import Domain
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Server

/// Calls a router as the server does, without a port: the same responder, a channel that goes nowhere.
struct Harness {
  let responder: RouterResponder<AppContext>
  let registry: PrometheusRegistry
  let log = Log()
  var peer = "203.0.113.5"

  init(
    _ endpoints: [Endpoint], settings: ServerSettings = ServerSettings(),
    errorPage: EndpointServices.ErrorPage? = nil, callers: [String: Caller] = [:]
  ) {
    let registry = PrometheusRegistry()
    let services = EndpointServices(settings: settings, metrics: registry, errorPage: errorPage) { token in
      guard let caller = callers[token] else { throw Rejection.unauthenticated }
      return caller
    }
    self.init(HTTPServer(endpoints: endpoints, services: services), registry: registry)
  }

  init(_ server: HTTPServer, registry: PrometheusRegistry = PrometheusRegistry()) {
    responder = server.responder
    self.registry = registry
  }

  func call(
    _ method: HTTPRequest.Method, _ path: String, token: String? = nil, headers: HTTPFields = [:],
    body: [UInt8]? = nil
  ) async throws -> Called {
    var fields = headers
    if let token { fields[.authorization] = "Bearer \(token)" }
    if body != nil, !fields.contains(.contentType) { fields[.contentType] = "application/json" }
    let request = Request(
      head: HTTPRequest(method: method, scheme: "http", authority: "hoichan.test", path: path, headerFields: fields),
      body: .init(buffer: ByteBuffer(bytes: body ?? [])))
    let channel = NIOAsyncTestingChannel()
    channel.remoteAddress = try SocketAddress(ipAddress: peer, port: 4_711)
    var logger = Logger(label: "test") { _ in log.handler }
    logger.logLevel = .trace
    logger[metadataKey: "hb.request.id"] = "request-1"
    let context = AppContext(source: .init(channel: channel, logger: logger))
    let response = try await responder.respond(to: request, context: context)
    let called = Called(response: response, bytes: try await response.collected())
    _ = try await channel.finish()
    return called
  }
}

/// Keeps what was logged.
final class Log: Sendable {
  private let kept = Mutex<[String]>([])
  var lines: [String] { kept.withLock { $0 } }
  var handler: Handler { Handler(log: self) }

  struct Handler: LogHandler {
    let log: Log
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
      let line = "\(event.level) \(event.message) " + all.map { "\($0)=\($1)" }.joined(separator: " ")
      log.kept.withLock { $0.append(line) }
    }
  }
}

struct Called {
  let response: Response
  let bytes: [UInt8]
  var status: Int { response.status.code }
  var text: String { String(decoding: bytes, as: UTF8.self) }
  /// `null` for what is no JSON.
  var json: JSON { (try? JSON(parsing: bytes)) ?? .null }
  var code: String? { json["code"]?.string }
  var pointers: [String] { json["errors"]?.array?.compactMap { $0["pointer"]?.string } ?? [] }
  subscript(name: HTTPField.Name) -> String? { response.headers[name] }
}

extension Response {
  func collected() async throws -> [UInt8] {
    let collector = Collector()
    try await body.write(CollectingWriter(collector: collector))
    return await collector.bytes
  }
}

private actor Collector {
  var bytes: [UInt8] = []
  func add(_ buffer: ByteBuffer) { bytes += buffer.readableBytesView }
}

private struct CollectingWriter: ResponseBodyWriter {
  let collector: Collector
  mutating func write(_ buffer: ByteBuffer) async throws { await collector.add(buffer) }
  consuming func finish(_: HTTPFields?) async throws {}
}

extension Caller {
  static func test(_ role: Role, at facilities: [String] = ["38"], id: String = "p1") -> Caller {
    Caller(
      sessionId: "s-\(id)", kind: .session, personId: id, username: id, name: "Người \(id)",
      grants: [Grant(role: role, facilities: facilities)], tree: FacilityTree(parents: []))
  }
}
