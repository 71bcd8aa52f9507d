import Coordinator
import Foundation
import Logging
import Storage
import StoragePostgres
import Synchronization
import Testing

/// The PostgreSQL that `ops/test` starts and names in HOICHAN_TEST_POSTGRES, such as
/// `postgres://postgres@127.0.0.1:15432`: each test has a database of its own in it.
enum Cluster {
  struct Missing: Error, CustomStringConvertible {
    let description = "HOICHAN_TEST_POSTGRES is not set: run `ops/test swift`, which starts a PostgreSQL"
  }

  /// Each test's node has a dozen connections, and a cluster a few hundred.
  static let gate = Gate(6)

  static func uri(_ database: String) throws -> String {
    guard let cluster = ProcessInfo.processInfo.environment["HOICHAN_TEST_POSTGRES"] else { throw Missing() }
    return "\(cluster)/\(database)"
  }

  /// Runs SQL that no transaction may hold.
  static func run(_ text: String, in database: String = "postgres") throws {
    try PostgresStore.script(text, PostgresSettings(uri: try uri(database)))
  }
}

/// A database with the fixture's directory, and a node on it; both are removed afterwards.
func withPostgres<T>(_ body: (PostgresStore, PostgresSettings) async throws -> T) async throws -> T {
  try await withPostgresDatabase { settings in
    let store = try PostgresStore(settings, logger: .silent)
    defer { store.close() }
    try await store.write { try $0.save(Fixture.directory) }
    return try await body(store, settings)
  }
}

/// An empty database.
func withPostgresDatabase<T>(_ body: (PostgresSettings) async throws -> T) async throws -> T {
  await Cluster.gate.enter()
  defer { Cluster.gate.leave() }
  let name = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
  try Cluster.run("CREATE DATABASE \(name)")
  defer {
    do {
      try Cluster.run("DROP DATABASE \(name) WITH (FORCE)")
    } catch {
      Issue.record("\(name) stays behind: \(error)")
    }
  }
  return try await body(PostgresSettings(uri: try Cluster.uri(name)))
}

/// Lets so many in at a time.
final class Gate: Sendable {
  private struct State {
    var free: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
  }
  private let state: Mutex<State>

  init(_ count: Int) { state = Mutex(State(free: count)) }

  func enter() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.free > 0 {
          state.free -= 1
          return true
        }
        state.waiting.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  func leave() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
      state.free += 1
      return nil
    }
    next?.resume()
  }
}
