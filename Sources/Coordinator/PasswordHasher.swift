import CryptoExtras
import Domain
import Foundation
import Synchronization

/// scrypt (RFC 7914) on threads of its own: a hash takes tens of milliseconds and 16 MiB, which no event loop has.
package final class PasswordHasher: Sendable {
  /// log2 of N; r and p as RFC 7914 recommends for interactive use.
  private static let rounds = 14
  private static let blockSize = 8
  private static let parallelism = 1

  private let queue = DispatchQueue(label: "hoichan.scrypt", attributes: .concurrent)
  private let slots = DispatchSemaphore(value: 2)
  private let waiting = Mutex(0)

  package init() {}

  /// `scrypt$14$8$1$salt$hash`.
  package func hash(_ password: String) async throws -> String {
    var generator = SystemRandomNumberGenerator()
    let salt = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let derived = try await derive(password, salt, Self.rounds, Self.blockSize, Self.parallelism)
    return
      "scrypt$\(Self.rounds)$\(Self.blockSize)$\(Self.parallelism)$\(Base64URL.encode(salt))$\(Base64URL.encode(derived))"
  }

  /// Takes as long for an unknown user (`stored` nil) as for a known one, so that time tells nobody who exists.
  package func verify(_ password: String, stored: String?) async throws -> Bool {
    let parts = (stored ?? "").split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "scrypt", let rounds = Int(parts[1]), let block = Int(parts[2]),
      let parallel = Int(parts[3]), let salt = Base64URL.decode(String(parts[4])),
      let expected = Base64URL.decode(String(parts[5]))
    else {
      _ = try await derive(password, Array("0123456789abcdef".utf8), Self.rounds, Self.blockSize, Self.parallelism)
      return false
    }
    let derived = try await derive(password, salt, rounds, block, parallel)
    guard derived.count == expected.count else { return false }
    return zip(derived, expected).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private func derive(_ password: String, _ salt: [UInt8], _ rounds: Int, _ block: Int, _ parallel: Int) async throws
    -> [UInt8]
  {
    let admitted = waiting.withLock { count in
      guard count < Limits.scryptQueue else { return false }
      count += 1
      return true
    }
    guard admitted else { throw Rejection(.unavailable, "Too many sign-ins at once.", retryAfter: 2) }
    defer { waiting.withLock { $0 -= 1 } }
    return try await withCheckedThrowingContinuation { continuation in
      queue.async { [slots] in
        slots.wait()
        defer { slots.signal() }
        continuation.resume(
          with: Result {
            try KDF.Scrypt.deriveKey(
              from: Data(password.utf8), salt: salt, outputByteCount: 32, rounds: 1 << rounds, blockSize: block,
              parallelism: parallel
            ).withUnsafeBytes { Array($0) }
          })
      }
    }
  }
}
