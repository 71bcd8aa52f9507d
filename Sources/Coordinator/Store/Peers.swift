package import Domain

/// The nodes that share a database. What they tell one another are hints and signals: it comes in the order in which
/// one node sent it, and it may be lost with a connection; whoever may have missed something is told
/// `StoreChange.changedElsewhere`.
package protocol Peers: Sendable {
  /// This process's name, a new one at every start.
  var node: String { get }
  /// Sends to one node, or to all others.
  func tell(_ message: PeerMessage, to node: String?)
  /// Called in the order in which messages came, from one thread.
  func onMessage(_ body: @escaping @Sendable (PeerMessage, _ from: String) -> Void)
  /// Whether the others were heard for long enough to know who is gone: after an outage of the database everybody
  /// looks gone at first.
  var knowsWhoIsGone: Bool { get }
  /// Throws `unavailable` while the others do not know that this node serves, or know that it will not for long.
  func check() throws
  /// From now on this process serves, and says so to the others.
  func register(address: String, version: String)
  /// It will be gone soon.
  func drain()
}

/// What one node tells the others.
package struct PeerMessage: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// Practitioners whose time was taken or freed.
    case busy
    /// Facilities, practitioners or schedules were loaded.
    case directory
    /// Sessions, tokens or people were changed.
    case sessions
    /// A failed sign-in, to be counted everywhere.
    case signInFailed
    /// A position or presence.
    case volatile
    /// What passes between a call's room and a participant whose socket is elsewhere.
    case call
  }

  package var kind: Kind
  package var body: JSON

  /// Whether it only says that something is out of date: said twice it means no more, and a few milliseconds later it
  /// means the same.
  package var isHint: Bool { kind == .busy || kind == .directory || kind == .sessions }

  package init(_ kind: Kind, _ body: JSON = .null) {
    self.kind = kind
    self.body = body
  }
}

/// Of a database that one process serves.
package struct NoPeers: Peers {
  package let node = UUIDv7.make(at: .system)
  package init() {}
  package func tell(_ message: PeerMessage, to node: String?) {}
  package func onMessage(_ body: @escaping @Sendable (PeerMessage, _ from: String) -> Void) {}
  package let knowsWhoIsGone = true
  package func check() throws {}
  package func register(address: String, version: String) {}
  package func drain() {}
}
