package import Domain

/// What keeps everything: an engine behind the portable tables of `Storage`.
///
/// A transaction body is synchronous and without side effects, so that an engine may run it again (a lost race, a
/// batch that was rolled back). It must not let the transaction escape.
package protocol Store: Sendable {
  /// A consistent snapshot; it may lag behind no write that was answered before the call.
  func read<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T

  /// All or nothing. Returns only when the commit is durable; throws what the body threw, or `StoreFailure`.
  func write<T: Sendable>(_ body: @escaping @Sendable (any StoreTransaction) throws -> T) async throws -> T

  /// Throws `StoreFailure` when it could not do its work now: nobody can read, or what is written is not kept.
  func check() async throws

  /// Waits until what was committed before the call has its place in the log; not longer than `Limits.settleSeconds`,
  /// since a log that is late is still in order.
  func settle() async throws

  /// Called from any thread, after the change holds.
  func onChange(_ body: @escaping @Sendable (StoreChange) -> Void)

  /// The other processes that serve this database.
  var peers: any Peers { get }

  /// Lets what waits be written, then ends; safe to call twice. Blocks.
  func close()
}

/// What happened in the database.
package enum StoreChange: Sendable, Equatable {
  /// This process committed something.
  case committed
  /// The log may hold more than before: this stretch, where it is known, and what others wrote.
  case logged(LogStretch?)
  /// Others may have changed anything: whatever is cached may be out of date.
  case changedElsewhere
}

/// The engine could not do its work: disk full, database locked for too long, closed. The caller may try again.
package struct StoreFailure: Error, Sendable, CustomStringConvertible {
  /// What may be said to anybody who asks; the rest is for the log.
  package enum Kind: String, Sendable {
    case unreachable = "the database cannot be reached"
    case slow = "the database is too slow"
    case full = "the database has no room"
    case failed = "the database fails"
  }

  package var description: String
  package var kind: Kind
  package init(_ description: String, _ kind: Kind = .failed) {
    self.description = description
    self.kind = kind
  }
}

/// Everything that can be asked of an open transaction.
package typealias StoreTransaction = AccountStore & CallRoomStore & ClaimStore & ConsultStore & DeadlineStore
  & DirectoryStore & EventStore & IdempotencyStore & LeaseStore & MetaStore & TripStore & WebhookStore

/// A page of a list: the items after a key, newest first unless said.
package struct Page: Sendable, Equatable {
  package var after: String?
  package var limit: Int
  package init(after: String? = nil, limit: Int = Limits.pageDefault) {
    self.after = after
    self.limit = limit
  }

  /// Refuses an `after` that no list gave out.
  func require(_ isKnown: (String) throws -> Bool) throws {
    if let after, try !isKnown(after) {
      throw Rejection.invalid("after", "format", "This is not where a page of this list ended.")
    }
  }

  /// Reads on until the page is full of what may be seen or the list ends; the rows that are left out cost no item.
  func fill<Item>(
    _ read: (Page) throws -> [Item], id: (Item) -> String, where isVisible: (Item) throws -> Bool
  ) throws -> (items: [Item], next: String?) {
    var items: [Item] = []
    var after = after
    while true {
      let found = try read(Page(after: after, limit: limit + 1))
      for item in found where try isVisible(item) {
        if items.count == limit { return (items, items.last.map(id)) }
        items.append(item)
      }
      guard found.count > limit, let last = found.last else { return (items, nil) }
      after = id(last)
    }
  }

  func requireUUID() throws { try require(UUIDv7.isUUID) }
}
