package import Coordinator
import Crypto
package import Domain
package import HTTPTypes
import Synchronization

/// `Idempotency-Key`: what of it happens outside the transaction.
///
/// The Coordinator keeps an answer in the transaction that made it, and finds it there again. Here a key becomes
/// that row's name, and a second request is refused while the first still runs, instead of waiting behind it.
package final class Idempotency: Sendable {
  private let running = Mutex<Set<String>>([])

  package init() {}

  /// The key of a request, or nil when it carries none.
  /// - Throws: `invalid` for a key that is too long or not printable ASCII.
  package static func read(
    _ headers: HTTPFields, caller: Caller, method: HTTPRequest.Method, path: String, body: [UInt8]
  ) throws(Rejection) -> Call.Idempotency? {
    guard let key = headers[.idempotencyKey] else { return nil }
    guard (1...Limits.idempotencyKey).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else {
      throw .invalid(
        "Idempotency-Key", "format", "1 to \(Limits.idempotencyKey) printable ASCII characters were expected.")
    }
    return .init(
      scope: "\(caller.personId) \(method.rawValue) \(path)", key: key, bodyHash: Array(SHA256.hash(data: body)))
  }

  /// Runs the handler unless a request with the same key is running.
  /// - Throws: `idempotencyInProgress`, or what the handler throws.
  func run<T: Sendable>(_ idempotency: Call.Idempotency, _ handler: () async throws -> T) async throws -> T {
    let name = idempotency.scope + "\n" + idempotency.key
    guard running.withLock({ $0.insert(name).inserted }) else {
      throw Rejection(
        .idempotencyInProgress, "The first request with this key is still running; try again shortly.", retryAfter: 1)
    }
    defer { running.withLock { _ = $0.remove(name) } }
    return try await handler()
  }
}
