/// An event as a use case states it, before the log gives it a number.
package struct EventDraft: Sendable, Equatable {
  package var type: EventType
  /// What it is about: `consults/ID`, `trips/ID`, `practitioners/ID`.
  package var subject: String
  /// Up to four: requesting, serving, origin's, destination. The first is the CloudEvents `source`.
  package var facilities: [String]
  package var specialty: Specialty?
  /// The person or machine who did it; stays in the log, never goes out.
  package var actor: String
  package var data: EventData

  package init(
    type: EventType, subject: String, facilities: [String], specialty: Specialty?, actor: String, data: EventData
  ) {
    self.type = type
    self.subject = subject
    var distinct: [String] = []
    for facility in facilities where !distinct.contains(facility) { distinct.append(facility) }
    self.facilities = Array(distinct.prefix(4))
    self.specialty = specialty
    self.actor = actor
    self.data = data
  }
}

/// A numbered event of the log.
package struct EventRecord: Sendable, Equatable {
  package var seq: Int64
  package var id: String
  package var type: String
  package var time: Instant
  package var subject: String
  package var facilities: [String]
  package var specialty: String?
  package var actor: String
  /// JSON text.
  package var data: String
  /// SHA-256 over the previous chain and this event's canonical bytes.
  package var chain: [UInt8]

  package init(
    seq: Int64, id: String, type: String, time: Instant, subject: String, facilities: [String], specialty: String?,
    actor: String, data: String, chain: [UInt8]
  ) {
    self.seq = seq
    self.id = id
    self.type = type
    self.time = time
    self.subject = subject
    self.facilities = facilities
    self.specialty = specialty
    self.actor = actor
    self.data = data
    self.chain = chain
  }

  /// What the chain covers: every column, so that none can be changed unseen. A JSON array of them.
  package var canonicalBytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(data.utf8.count + 512)
    bytes.append(UInt8(ascii: "["))
    JSON.int(seq).write(to: &bytes)
    for text in [id, type] { JSON.write(text, after: ",", to: &bytes) }
    bytes.append(UInt8(ascii: ","))
    JSON.int(time.milliseconds).write(to: &bytes)
    JSON.write(subject, after: ",", to: &bytes)
    bytes.append(UInt8(ascii: ","))
    JSON.strings(facilities).write(to: &bytes)
    if let specialty { JSON.write(specialty, after: ",", to: &bytes) } else { bytes.append(contentsOf: ",null".utf8) }
    for text in [actor, data] { JSON.write(text, after: ",", to: &bytes) }
    bytes.append(UInt8(ascii: "]"))
    return bytes
  }

  /// CloudEvents 1.0 in JSON. `data` is stored as JSON text and goes out as it is.
  package var cloudEvent: String {
    let sequence = String(seq)
    let padded = String(repeating: "0", count: max(0, 12 - sequence.utf8.count)) + sequence
    var text = ""
    // Every event is written so: one buffer, without strings between.
    text.reserveCapacity(data.utf8.count + 512)
    text += "{\"specversion\":\"1.0\",\"id\":\""
    text += id
    text += "\",\"type\":\""
    text += type
    text += "\",\"source\":\"/facilities/"
    text += facilities.first ?? ""
    text += "\",\"subject\":\""
    text += subject
    text += "\",\"time\":\""
    text += time.text
    text += "\",\"sequence\":\""
    text += padded
    text += "\",\"datacontenttype\":\"application/json\",\"data\":"
    text += data
    text += "}"
    return text
  }
}

/// Events that follow one another in the log, and the position before them.
package struct LogStretch: Sendable, Equatable {
  package let seq: Int64
  package let chain: [UInt8]
  package private(set) var events: [EventRecord]

  package init(after head: (seq: Int64, chain: [UInt8]), _ events: [EventRecord]) {
    (seq, chain) = head
    self.events = events
  }

  package mutating func append(_ event: EventRecord) { events.append(event) }
}

/// A volatile event: a position or a presence.
package struct VolatileEvent: Sendable, Equatable {
  package var id: String
  package var type: VolatileType
  package var time: Instant
  package var subject: String
  package var facilities: [String]
  package var specialty: Specialty?
  package var vehicle: String?
  /// The facility a trip goes to.
  package var destination: String?
  /// JSON text.
  package var data: String

  package init(
    id: String, type: VolatileType, time: Instant, subject: String, facilities: [String], specialty: Specialty? = nil,
    vehicle: String? = nil, destination: String? = nil, data: EventData
  ) {
    self.id = id
    self.type = type
    self.time = time
    self.subject = subject
    self.facilities = facilities
    self.specialty = specialty
    self.vehicle = vehicle
    self.destination = destination
    self.data = data.text
  }

  /// As another node said it; nil when it is none of this release.
  package init?(json: JSON) {
    guard let type = json["type"]?.string.flatMap(VolatileType.init(rawValue:)), let id = json["id"]?.string,
      let time = json["time"]?.int, let subject = json["subject"]?.string, let data = json["data"]?.string
    else { return nil }
    self.init(
      id: id, type: type, time: Instant(milliseconds: time), subject: subject,
      facilities: (json["facilities"]?.array ?? []).compactMap(\.string),
      specialty: json["specialty"]?.string.flatMap(Specialty.init(rawValue:)), vehicle: json["vehicle"]?.string,
      destination: json["destination"]?.string, data: EventData())
    self.data = data
  }

  package var json: JSON {
    .compact([
      "id": .string(id), "type": .string(type.rawValue), "time": .int(time.milliseconds), "subject": .string(subject),
      "facilities": .strings(facilities), "specialty": specialty.map { .string($0.rawValue) },
      "vehicle": vehicle.map { .string($0) }, "destination": destination.map { .string($0) }, "data": .string(data),
    ])
  }

  package var cloudEvent: String {
    var text = "{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"type\":\"\(type.rawValue)\",\"source\":\""
    text += "/facilities/" + (facilities.first ?? "")
    text += "\",\"subject\":\"\(subject)\",\"time\":\"\(time.text)\""
    text += ",\"datacontenttype\":\"application/json\",\"data\":" + data + "}"
    return text
  }
}
