package import Coordinator
package import Domain

extension SQLTransaction {
  package func webhook(_ id: String) throws -> Webhook? { try connection.first(SQLs.one, [.text(id)], Self.webhook) }

  package func webhooks(page: Page) throws -> [Webhook] {
    let (after, limit) = keyset(page)
    return try connection.rows(SQLs.list, [after, limit], Self.webhook)
  }

  package func insert(_ webhook: Webhook) throws {
    try connection.post(
      SQLs.insert,
      [
        .text(webhook.id), .int(webhook.version), .int(webhook.progress), .text(webhook.url.text),
        .blob(webhook.sealedSecret), .text(JSON.strings(webhook.facilities).text), .text(webhook.filter.json.text),
        .instant(webhook.createdAt), .text(webhook.createdBy),
      ] + Self.columns(webhook.machine))
  }

  package func update(_ webhook: inout Webhook) throws {
    try connection.postOne(
      SQLs.update,
      [
        .text(webhook.id), .int(webhook.version), .int(webhook.progress), .text(webhook.url.text),
        .text(JSON.strings(webhook.facilities).text), .text(webhook.filter.json.text),
      ] + Self.columns(webhook.machine))
    webhook.version += 1
    webhook.progress += 1
  }

  package func removeWebhook(_ id: String) throws -> Bool { try connection.run(SQLs.remove, [.text(id)]) == 1 }

  package func keepProgress(of webhook: inout Webhook) throws -> Bool {
    let values: [SQLValue] =
      [.text(webhook.id), .int(webhook.progress), .int(webhook.version)] + Self.columns(webhook.machine)
    guard try connection.run(SQLs.keep, values) == 1 else { return false }
    webhook.progress += 1
    return true
  }

  /// In the order of the statements below.
  private static func columns(_ machine: WebhookMachine) -> [SQLValue] {
    [
      .text(machine.state.rawValue), .orNull(machine.pause?.rawValue), .text(machine.cursor.text),
      .orNull(machine.failingSince), .int(machine.attempts), .orNull(machine.nextAttemptAt),
      .orNull(machine.lastAttemptAt), .orNull(machine.lastDeliveredAt), .orNull(machine.lastStatus),
      .orNull(machine.lastError?.rawValue),
    ]
  }

  private static func webhook(_ row: any SQLRow) throws -> Webhook {
    guard let url = WebhookURL(row.text(3)) else { throw CorruptRow("webhook", "url") }
    guard let facilities = (try? JSON(parsing: row.text(5)))?.array, let filter = try? JSON(parsing: row.text(6)) else {
      throw CorruptRow("webhook", "not JSON")
    }
    return Webhook(
      id: row.text(0), version: row.int(1), progress: row.int(2), url: url, sealedSecret: row.blob(4),
      facilities: facilities.compactMap(\.string), filter: EventFilter(json: filter), createdAt: row.instant(7),
      createdBy: row.text(8), machine: try machine(row))
  }

  private static func machine(_ row: any SQLRow) throws -> WebhookMachine {
    guard let cursor = Cursor(row.text(11)) else { throw CorruptRow("webhook", "cursor") }
    // A reason that a newer release beside this one gave is a pause all the same.
    let isActive = row.text(9) == WebhookMachine.State.active.rawValue
    let reason = row.optionalText(10).flatMap(WebhookMachine.Pause.init(rawValue:)) ?? .stopped
    return WebhookMachine(
      cursor: cursor, pause: isActive ? nil : reason, failingSince: row.optionalInstant(12), attempts: row.int(13),
      nextAttemptAt: row.optionalInstant(14), lastAttemptAt: row.optionalInstant(15),
      lastDeliveredAt: row.optionalInstant(16), lastStatus: row.optionalInt(17),
      lastError: row.optionalText(18).flatMap(WebhookFailure.init(rawValue:)))
  }

  private enum SQLs {
    private static let columns = """
      id, version, progress, url, secret, facilities, event_filter, created_at, created_by, state, pause_reason, cursor,
      failing_since, attempts, next_attempt_at, last_attempt_at, last_delivered_at, last_status, last_error
      """
    static let one = SQL(dynamic: "SELECT \(columns) FROM webhook WHERE id = $1")
    static let list = SQL(
      dynamic: """
        SELECT \(columns) FROM webhook WHERE CAST($1 AS TEXT) IS NULL OR id < $1 ORDER BY id DESC LIMIT $2
        """)
    static let insert = SQL(
      dynamic: """
        INSERT INTO webhook (\(columns))
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        """)
    static let update = SQL(
      """
      UPDATE webhook SET version = version + 1, progress = progress + 1, url = $4, facilities = $5, event_filter = $6,
        state = $7, pause_reason = $8, cursor = $9, failing_since = $10, attempts = $11, next_attempt_at = $12,
        last_attempt_at = $13, last_delivered_at = $14, last_status = $15, last_error = $16
      WHERE id = $1 AND version = $2 AND progress = $3
      """)
    static let remove = SQL("DELETE FROM webhook WHERE id = $1")
    static let keep = SQL(
      """
      UPDATE webhook SET version = $3, progress = progress + 1, state = $4, pause_reason = $5, cursor = $6,
        failing_since = $7, attempts = $8, next_attempt_at = $9, last_attempt_at = $10, last_delivered_at = $11,
        last_status = $12, last_error = $13
      WHERE id = $1 AND progress = $2
      """)
  }
}
