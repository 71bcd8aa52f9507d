package import Domain

package protocol WebhookStore {
  func webhook(_ id: String) throws -> Webhook?
  /// Newest first.
  func webhooks(page: Page) throws -> [Webhook]
  func insert(_ webhook: Webhook) throws
  /// An administrator's change: one version up, or `StaleVersion`, also when a delivery was recorded meanwhile.
  func update(_ webhook: inout Webhook) throws
  /// False when there was none.
  func removeWebhook(_ id: String) throws -> Bool
  /// Keeps what became of a delivery: the machine and the version, as they stand. False when the row was changed or
  /// removed since it was read: then nothing is kept.
  func keepProgress(of webhook: inout Webhook) throws -> Bool
}
