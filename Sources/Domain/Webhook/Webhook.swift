/// Somebody else's address to which events are sent as they come, one after another.
package struct Webhook: Sendable, Equatable {
  package var id: String
  /// One more with every change that somebody should notice: an administrator's, and a pause.
  package var version: Int64
  /// One more with every write at all: what became of a delivery counts only for the row that it was begun with.
  package var progress: Int64
  package var url: WebhookURL
  /// What deliveries are signed with, sealed with the deployment's key.
  package var sealedSecret: [UInt8]
  /// It gets what a monitor of these facilities sees.
  package var facilities: [String]
  package var filter: EventFilter
  package var createdAt: Instant
  package var createdBy: String
  package var machine: WebhookMachine

  package init(
    id: String, version: Int64 = 1, progress: Int64 = 1, url: WebhookURL, sealedSecret: [UInt8],
    facilities: [String], filter: EventFilter, createdAt: Instant, createdBy: String, machine: WebhookMachine
  ) {
    self.id = id
    self.version = version
    self.progress = progress
    self.url = url
    self.sealedSecret = sealedSecret
    self.facilities = facilities
    self.filter = filter
    self.createdAt = createdAt
    self.createdBy = createdBy
    self.machine = machine
  }

  /// Which events it may get, decided as for everybody else.
  package func visibility(in tree: FacilityTree) -> Visibility {
    Visibility(
      Caller(
        sessionId: id, kind: .token, personId: id, username: "webhook", name: "webhook",
        grants: [Grant(role: .monitor, facilities: facilities)], tree: tree))
  }

  /// - Parameters:
  ///   - head: where the log ends now.
  ///   - secret: shown once, when the webhook is made.
  package func json(head: Cursor, secret: String? = nil) -> JSON {
    var members = JSON.Members()
    members["id"] = .string(id)
    members["url"] = .string(url.text)
    if let secret { members["secret"] = .string(secret) }
    members["facilities"] = .strings(facilities)
    members["filter"] = filter.json
    members["state"] = .string(machine.state.rawValue)
    members["pauseReason"] = JSON.orNull(machine.pause?.rawValue)
    members["cursor"] = .string(machine.cursor.text)
    members["behind"] = .int(max(0, head.seq - machine.cursor.seq))
    members["failingSince"] = JSON.orNull(machine.failingSince)
    members["attempts"] = .int(machine.attempts)
    members["nextAttemptAt"] = JSON.orNull(machine.nextAttemptAt)
    members["lastAttemptAt"] = JSON.orNull(machine.lastAttemptAt)
    members["lastDeliveredAt"] = JSON.orNull(machine.lastDeliveredAt)
    members["lastStatus"] = machine.lastStatus.map { JSON.int($0) } ?? JSON.null
    members["lastError"] = JSON.orNull(machine.lastError?.rawValue)
    members["createdAt"] = .instant(createdAt)
    members["createdBy"] = .string(createdBy)
    members["version"] = .int(version)
    return .object(members)
  }
}

/// A filter as a document, by the names of the parameters of `GET /events`.
extension EventFilter {
  package var json: JSON {
    [
      "types": .strings(types), "facility": .strings(facilities.sorted()),
      "specialty": .strings(specialties.sorted()), "subject": .strings(subjects.sorted()),
    ]
  }

  /// Members that are missing ask for everything.
  package init(json: JSON?) {
    func texts(_ name: String) -> [String] { (json?[name]?.array ?? []).compactMap(\.string) }
    self.init(
      types: texts("types"), facilities: Set(texts("facility")), specialties: Set(texts("specialty")),
      subjects: Set(texts("subject")))
  }
}
