import Coordinator
import Domain
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import StorageSQLite
import Synchronization
import Testing

@testable import Realtime

/// A small province on a real database with its feed and its calls, without a server.
final class Site: Sendable {
  static let station = "38101"
  static let other = "38102"
  static let hospital = "38001"

  let store: SQLiteStore
  let coordinator: Coordinator
  let hub: FeedHub
  let rooms: CallRooms
  let clock: Clock
  private let callers: Mutex<[String: Caller]>
  private let folder: URL?

  final class Clock: Sendable {
    private let value = Mutex(Instant("2026-11-18T08:00:00+07:00")!)
    var now: Instant { value.withLock { $0 } }
    func advance(_ span: Span) { value.withLock { $0 = $0 + span } }
  }

  static var logger: Logger { Logger(label: "site") { _ in SwiftLogNoOpLogHandler() } }

  init(
    timing: FeedTiming = FeedTiming(), ringEvents: Int = Limits.ringEvents, memory: FeedMemory = FeedMemory(),
    grace: TimeAmount = .seconds(30)
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("site-\(UUID())")
    self.folder = folder
    let clock = Clock()
    self.clock = clock
    store = try SQLiteStore(path: folder.appendingPathComponent("test.sqlite").path, logger: Self.logger)
    let publisher = FeedPublisher()
    coordinator = Coordinator(
      store: store, secrets: Secrets(key: Array(repeating: 7, count: 32)), publicURL: { "http://hoichan.test" },
      logger: Self.logger, now: { clock.now }, allowsLocalReceivers: true, publish: publisher.publish)
    hub = FeedHub(
      coordinator, publisher: publisher, logger: Self.logger, timing: timing, ringEvents: ringEvents, memory: memory)
    rooms = CallRooms(
      coordinator, sessions: hub.sessions,
      turn: TurnSettings(urls: ["turn:turn.hoichan.test:3478"], secrets: ["new", "old"]), publish: publisher.publish,
      logger: Self.logger, grace: grace)
    callers = Mutex([:])
    try await coordinator.load(
      DirectoryBatch(
        facilities: [
          Facility(code: "38000", name: "Tỉnh", kind: .province, province: "38"),
          Facility(code: Self.hospital, name: "Bệnh viện", kind: .hospital, province: "38", parent: "38000"),
          Facility(code: Self.station, name: "Trạm Một", kind: .station, province: "38", parent: "38000"),
          Facility(code: Self.other, name: "Trạm Hai", kind: .station, province: "38", parent: "38000"),
        ],
        practitioners: [
          Practitioner(id: "p-cardio", name: "Lê Thị Đào", facility: Self.hospital, specialty: .cardiology)
        ]))
  }

  /// The same service, started again: another hub and other rooms over what there is. The first one must outlive it.
  init(after other: Site, grace: TimeAmount = .seconds(30)) {
    (store, coordinator, clock, folder) = (other.store, other.coordinator, other.clock, nil)
    callers = Mutex(other.callers.withLock { $0 })
    hub = FeedHub(coordinator, publisher: FeedPublisher(), logger: Self.logger)
    rooms = CallRooms(
      coordinator, sessions: hub.sessions, turn: TurnSettings(urls: [], secrets: []), publish: { _ in },
      logger: Self.logger, grace: grace)
  }

  deinit {
    guard let folder else { return }
    store.close()
    try? FileManager.default.removeItem(at: folder)
  }

  /// Runs the body beside the hub and the rooms, then stops them.
  func run(limit: Duration = patience, _ body: @escaping @Sendable () async throws -> Void) async throws {
    let group = ServiceGroup(
      configuration: .init(
        services: [.init(service: hub), .init(service: rooms)], logger: Self.logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      do {
        try await within(limit, body)
      } catch {
        await group.triggerGracefulShutdown()
        throw error
      }
      await group.triggerGracefulShutdown()
      try await tasks.next()
    }
  }

  /// A signed-in caller, the same for the same name; the session is a row, as it would be.
  func caller(
    _ name: String, _ role: Role = .monitor, at facility: String = "38000", expiresAt: Instant? = nil
  ) async throws -> Caller {
    if let known = callers.withLock({ $0[name] }) { return known }
    let now = clock.now
    let grants = [Grant(role: role, facilities: [facility])]
    let session = Session(
      id: UUIDv7.make(at: now), kind: .token, secretHash: Secrets.hash(Secrets.random()), person: nil, name: name,
      grants: grants, createdAt: now, expiresAt: expiresAt)
    let parents = try await store.write { tx in
      try tx.insert(session)
      return try tx.facilityParents()
    }
    let caller = Caller(
      sessionId: session.id, kind: .token, personId: session.id, username: name, name: "Người \(name)",
      practitionerId: role == .specialist ? "p-cardio" : nil, specialty: role == .specialist ? .cardiology : nil,
      grants: grants, tree: FacilityTree(parents: parents), expiresAt: expiresAt)
    callers.withLock { $0[name] = caller }
    return caller
  }

  /// Appends events of a station, one transaction for all.
  func append(_ count: Int, at station: String = Site.station, type: EventType = .consultRequested) async throws {
    let now = clock.now
    try await store.write { tx in
      for number in 0..<count {
        var data = EventData()
        data.consultId = "c\(number)"
        try tx.append(
          EventDraft(
            type: type, subject: "consults/c\(number)", facilities: [station], specialty: .cardiology, actor: "test",
            data: data), at: now)
      }
    }
  }

  func position(_ name: String, subject: String, latitude: Double = 19.8) -> VolatileEvent {
    var data = EventData()
    data.latitude = latitude
    return VolatileEvent(
      id: name, type: .tripPosition, time: clock.now, subject: subject, facilities: [Self.station], data: data)
  }

  func head() async throws -> Cursor { try await coordinator.logBounds().head }

  func subscribe(_ caller: Caller, after: String? = nil, _ filter: EventFilter = EventFilter()) async throws
    -> FeedSubscription
  {
    try await hub.subscribe(caller, after: after, filter: filter)
  }
}

/// Bounds what hangs, and nothing else: beside a thousand tests on two cores a single step may take many seconds.
let patience = Duration.seconds(300)

struct TookTooLong: Error {}

/// Runs the body; one that takes longer is cancelled and has failed.
func within<T: Sendable>(
  _ limit: Duration = patience, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
  try await withThrowingTaskGroup(of: T.self) { group in
    group.addTask { try await body() }
    group.addTask {
      try await Task.sleep(for: limit)
      throw TookTooLong()
    }
    defer { group.cancelAll() }
    guard let value = try await group.next() else { throw TookTooLong() }
    return value
  }
}

/// Waits for what happens on another thread, and not for what the product's own patience would bring about: a stream
/// that nobody ended meets its closed connection after 15 seconds.
func eventually(_ probe: @escaping @Sendable () -> Bool) async throws {
  try await within(.seconds(10)) {
    while !probe() { try await Task.sleep(for: .milliseconds(5)) }
  }
}

// MARK: The site's server

/// The site behind a real port: `/feed`, `/stream`, `/page` (`wait` in milliseconds) and `/call/ID`, each with
/// `?as=NAME`.
struct SiteServer: Sendable {
  let site: Site
  let port: Int
  private let group: ServiceGroup

  func stop() async { await group.triggerGracefulShutdown() }

  private static let nextPort = Atomic<Int>(29_100 + Int.random(in: 0..<3000))

  static func run(_ site: Site, _ body: @escaping @Sendable (SiteServer) async throws -> Void) async throws {
    for attempt in 1... {
      let port = nextPort.add(1, ordering: .relaxed).newValue
      do {
        return try await run(site, port: port, body)
      } catch let error as IOError where error.errnoCode == EADDRINUSE && attempt < 50 {
        continue
      }
    }
  }

  private static func run(
    _ site: Site, port: Int, _ body: @escaping @Sendable (SiteServer) async throws -> Void
  ) async throws {
    let (running, ready) = AsyncStream<Void>.makeStream()
    let connections = ConnectionLimits()
    let builder = HTTPServerBuilder.patientPort(connections: connections)
    let server = try builder.buildServer(
      configuration: .init(address: .hostname("127.0.0.1", port: port)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Site.logger,
      responder: { request, writer, channel in
        let response: Response
        do {
          response = try await respond(request, channel, site)
        } catch let rejection as Rejection {
          let status: HTTPResponse.Status =
            switch rejection.code {
            case .invalid: .unprocessableContent
            case .unauthenticated: .unauthorized
            case .cursorGap: .gone
            default: .forbidden
            }
          response = Response(status: status, headers: [.contentLength: "0"])
        }
        try await writer.write(response: response.head, body: response.body)
      }, onServerRunning: { _ in ready.yield() })
    let group = ServiceGroup(
      configuration: .init(
        services: [
          .init(service: site.hub), .init(service: site.rooms),
          .init(service: DrainedServer(server: server, connections: connections)),
        ],
        logger: Site.logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask {
        defer { ready.finish() }
        try await group.run()
      }
      for await _ in running {
        do {
          try await within { try await body(SiteServer(site: site, port: port, group: group)) }
        } catch {
          await group.triggerGracefulShutdown()
          throw error
        }
        let stop = ContinuousClock.now
        await group.triggerGracefulShutdown()
        try await tasks.next()
        #expect(ContinuousClock.now - stop < .seconds(30))
        return
      }
      try await tasks.next()
    }
  }

  private static func respond(_ request: Request, _ channel: any Channel, _ site: Site) async throws -> Response {
    func parameter(_ name: Substring) -> String? { request.uri.queryParameters[name].map(String.init) }
    let caller = try await site.caller(parameter("as") ?? "monitor")
    let filter = EventFilter(types: parameter("types").map { [$0] } ?? [])
    if request.uri.path == "/stream" {
      let after = HTTPField.Name("Last-Event-ID").flatMap { request.head.headerFields[$0] } ?? parameter("after")
      let stream = FeedStream(try await site.subscribe(caller, after: after, filter), channel: channel)
      return Response(status: .ok, headers: FeedStream.headers, body: stream.body)
    }
    if request.uri.path == "/page" {
      let answer = try await site.hub.page(
        Call(caller), after: parameter("after"), filter: filter, limit: 50,
        wait: .milliseconds(parameter("wait").flatMap { Int64($0) } ?? 0), on: channel)
      return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(bytes: answer.body ?? [])))
    }
    let headers: HTTPFields
    if request.uri.path == "/feed" {
      let subscription = try await site.subscribe(caller, after: parameter("after"), filter)
      headers = try await WebSocketUpgrade.accept(
        request.head, on: channel, subprotocols: [FeedHub.subprotocol], limits: FeedHub.socketLimits,
        delegate: subscription.delegate)
    } else {
      let id = String(request.uri.path.split(separator: "/").last ?? "")
      let admission = try await site.rooms.admit(caller, consult: id)
      headers = try await WebSocketUpgrade.accept(
        request.head, on: channel, subprotocols: [CallRooms.subprotocol], limits: CallRooms.socketLimits,
        delegate: admission.delegate)
    }
    return Response(status: .switchingProtocols, headers: headers)
  }

  /// A socket on this path, open.
  func socket(_ path: String) async throws -> SocketClient { try await SocketClient.open(path, port: port) }
}

/// A value under a lock, where a class holds several kinds of it.
final class LockedBox<Value: Sendable>: Sendable {
  private let value: Mutex<Value>
  init(_ value: sending Value) { self.value = Mutex(value) }
  func withLock<T: Sendable>(_ body: (inout Value) throws -> T) rethrows -> T {
    try value.withLock { value in try body(&value) }
  }
}
