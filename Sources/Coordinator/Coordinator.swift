package import Domain
package import Logging

/// The use cases: one function each, in one file a noun. Every write is one transaction that loads, lets the domain
/// decide, saves rows and appends events; the feed then reads the log.
package struct Coordinator: Sendable {
  package let store: any Store
  /// The one clock; tests and the simulator hold their own.
  package let now: @Sendable () -> Instant
  package let secrets: Secrets
  let directory: DirectoryCache
  let busy: BusyCache
  let sessions: SessionCache
  package let passwords: PasswordHasher
  /// Where positions and presence go: to whoever watches now, and nowhere else.
  let publish: @Sendable (VolatileEvent) -> Void
  let publicURL: @Sendable () -> String
  /// Whether webhooks may go to the own machine and network.
  package let allowsLocalReceivers: Bool
  package let logger: Logger

  package init(
    store: any Store, secrets: Secrets, publicURL: @escaping @Sendable () -> String, logger: Logger,
    now: @escaping @Sendable () -> Instant = { .system }, passwords: PasswordHasher = PasswordHasher(),
    allowsLocalReceivers: Bool = false, publish: @escaping @Sendable (VolatileEvent) -> Void = { _ in }
  ) {
    self.store = store
    self.now = now
    self.secrets = secrets
    self.publicURL = publicURL
    self.allowsLocalReceivers = allowsLocalReceivers
    self.passwords = passwords
    self.publish = publish
    self.logger = logger
    directory = DirectoryCache(store: store)
    busy = BusyCache(store: store)
    sessions = SessionCache()
    Self.listen(to: store, directory, busy, sessions)
  }

  /// One transaction; with an idempotency key, its answer is kept in the same one, so that a repeated call gets the
  /// first answer even if the server died before it could send it.
  func write(
    _ call: Call, _ body: @escaping @Sendable (any StoreTransaction, Instant) throws -> AnswerDraft
  ) async throws -> Answer {
    let now = now()
    guard let key = call.idempotency else { return try await store.write { try body($0, now) }.rendered() }
    let secrets = secrets
    return try await store.write { tx in
      if let kept = try tx.keptAnswer(scope: key.scope, key: key.key, now: now) {
        guard kept.bodyHash == key.bodyHash else {
          throw Rejection(.idempotencyKeyReused, "This Idempotency-Key was used for another request.")
        }
        var answer = kept.answer
        answer.body = try answer.body.map { try secrets.open($0) }
        answer.isReplay = true
        return answer
      }
      let answer = try body(tx, now).rendered()
      var sealed = answer
      // An answer may hold a patient's data or a fresh secret: it is kept under a key that the database has not.
      sealed.body = try answer.body.map { try secrets.seal($0) }
      try tx.keep(
        KeptAnswer(bodyHash: key.bodyHash, answer: sealed), scope: key.scope, key: key.key,
        until: now + Call.Idempotency.lifetime, now: now)
      return answer
    }
  }
}
