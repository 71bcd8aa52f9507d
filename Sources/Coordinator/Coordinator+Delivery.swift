package import Domain

/// A node's right to deliver: alone by nature, or for a term.
package enum DeliveryLease: Sendable, Equatable {
  case alone
  case term(Int64)
}

/// Delivering to webhooks, for the service that does it. One node delivers at a time, by a lease; what a node that has
/// lost it still records, counts only if nobody recorded anything since it read the row.
extension Coordinator {
  private static let lease = "webhooks"

  package func hasWebhooks() async throws -> Bool {
    try await store.read { try !$0.webhooks(page: Page(limit: 1)).isEmpty }
  }

  /// Nil while another node delivers.
  package func takeDeliveryLease() async throws -> DeliveryLease? {
    let node = store.peers.node
    let (isAlone, isFree) = try await store.read { tx in
      (tx.isServedAlone, try tx.isLeaseFree(Self.lease, for: node, milliseconds: Limits.webhookLeaseMilliseconds))
    }
    if isAlone { return .alone }
    guard isFree else { return nil }
    let term = try await store.write { tx -> Int64? in
      try tx.takeLease(Self.lease, node: node, milliseconds: Limits.webhookLeaseMilliseconds)
    }
    return term.map { .term($0) }
  }

  /// False when another node delivers by now.
  package func renew(_ lease: DeliveryLease) async throws -> Bool {
    guard case .term(let term) = lease else { return true }
    let node = store.peers.node
    return try await store.write { tx in
      try tx.renewLease(Self.lease, node: node, term: term, milliseconds: Limits.webhookLeaseMilliseconds)
    }
  }

  package func giveBack(_ lease: DeliveryLease) async throws {
    guard case .term(let term) = lease else { return }
    let node = store.peers.node
    try await store.write { try $0.giveBackLease(Self.lease, node: node, term: term) }
  }

  /// All webhooks, and where the log ends.
  package func webhooksAndHead() async throws -> (webhooks: [Webhook], head: Cursor) {
    try await store.read { tx in (try tx.webhooks(page: Page(limit: Limits.pageMax)), try tx.logBounds().head) }
  }

  package func webhook(_ id: String) async throws -> Webhook? { try await store.read { try $0.webhook(id) } }

  /// Which events it may get, as things stand now.
  package func visibility(of webhook: Webhook) async throws -> Visibility {
    webhook.visibility(in: try await directory.get().tree)
  }

  /// What its deliveries are signed with. Throws when it was sealed with another key.
  package func secret(of webhook: Webhook) throws -> [UInt8] {
    try secrets.openWebhookSecret(webhook.sealedSecret, of: webhook.id)
  }

  /// Keeps what became of a delivery. Nil when the webhook was changed or removed since it was read: then it does not
  /// count, and the event is sent again, if to anybody.
  package func keepProgress(of webhook: Webhook) async throws -> Webhook? {
    try await store.write { tx -> Webhook? in
      var kept = webhook
      return try tx.keepProgress(of: &kept) ? kept : nil
    }
  }
}
