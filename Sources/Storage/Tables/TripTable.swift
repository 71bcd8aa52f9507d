package import Coordinator
package import Domain

extension SQLTransaction {
  package func trip(_ id: String) throws -> Trip? { try trips(SQLs.byId, [.text(id)]).first }

  package func tripAsRequested(_ id: String) throws -> Trip? {
    try connection.first(SQLs.asRequested, [.text(id)], Self.trip)
  }

  package func trips(_ filter: TripFilter, page: Page) throws -> [Trip] {
    let (after, limit) = keyset(page)
    return try trips(
      SQLs.list,
      [
        .orNull(filter.consult), .orNull(filter.vehicle), filter.open.map { .bool(!$0) } ?? .null, after, limit,
        .orNull(filter.reach.map { commaList($0.facilities.sorted()) }), .orNull(filter.reach?.vehicle),
        .orNull(filter.reach?.practitioner),
      ])
  }

  package func vehicles(ridingFor consult: String) throws -> [String] {
    try connection.rows(SQLs.riding, [.text(consult)]) { $0.text(0) }
  }

  package func insert(_ trip: Trip) throws {
    try connection.post(
      SQLs.insert,
      [
        .text(trip.id), .int(trip.version), .orNull(trip.consult), .orNull(trip.vehicle), .orNull(trip.facility),
        .orNull(trip.destination.facility), .text(document(trip)), .bool(trip.machine.isClosed),
        .text(trip.createdBy), .instant(trip.createdAt), .blob(trip.bodyHash),
      ])
  }

  package func update(_ trip: inout Trip) throws {
    try connection.postOne(
      SQLs.update,
      [
        .text(trip.id), .int(trip.version), .orNull(trip.consult), .orNull(trip.vehicle),
        .orNull(trip.destination.facility), .text(document(trip)), .bool(trip.machine.isClosed),
        .orNull(trip.position.map { Self.document($0) }),
      ])
    trip.version += 1
  }

  package func insert(_ milestone: RecordedMilestone, trip: String) throws {
    try connection.post(
      SQLs.insertMilestone,
      [
        .text(trip), .text(milestone.milestone.rawValue), .instant(milestone.at), .instant(milestone.recordedAt),
        .text(milestone.flags.joined(separator: ",")),
      ])
  }

  package func insert(_ positions: [Position], trip: String) throws {
    for position in positions {
      try connection.post(SQLs.insertPosition, [.text(trip), .instant(position.at), .text(Self.document(position))])
    }
    try connection.post(SQLs.trimPositions, [.text(trip), .int(Int64(Limits.positionsKept))])
  }

  package func links(of trip: String) throws -> [TripLink] {
    try connection.rows(SQLs.links, [.text(trip)], Self.link)
  }

  package func link(secretHash: [UInt8]) throws -> TripLink? {
    try connection.first(SQLs.linkBySecret, [.blob(secretHash)], Self.link)
  }

  package func insert(_ link: TripLink) throws {
    try connection.post(
      SQLs.insertLink,
      [
        .text(link.id), .text(link.trip), .blob(link.secretHash), .text(link.createdBy), .instant(link.expiresAt),
      ])
  }

  package func revokeLink(_ id: String, trip: String, at now: Instant) throws -> Bool {
    try connection.run(SQLs.revokeLink, [.text(id), .text(trip), .instant(now)]) == 1
  }

  /// All that planning may change.
  private func document(_ trip: Trip) -> String {
    JSON.compact([
      "consultId": trip.consult.map { .string($0) }, "vehicleId": trip.vehicle.map { .string($0) },
      "priority": .string(trip.priority.rawValue), "origin": trip.origin.json, "destination": trip.destination.json,
      "patient": trip.patient?.json,
    ]).text
  }

  private static func document(_ position: Position) -> String {
    JSON.compact([
      "at": .instant(position.at), "lat": .double(position.latitude), "lon": .double(position.longitude),
      "speed": position.speed.map { .double($0) }, "heading": position.heading.map { .double($0) },
      "accuracy": position.accuracy.map { .double($0) },
    ]).text
  }

  private func trips(_ sql: SQL, _ values: [SQLValue]) throws -> [Trip] {
    var trips = try connection.rows(sql, values, Self.trip)
    for index in trips.indices {
      trips[index].milestones = try connection.rows(SQLs.milestones, [.text(trips[index].id)], Self.milestone)
    }
    return trips
  }

  private static func trip(_ row: any SQLRow) throws -> Trip {
    let id = row.text(0)
    let document: JSON
    let position: JSON?
    do {
      document = try JSON(parsing: row.text(3))
      position = try row.optionalText(6).map { try JSON(parsing: $0) }
    } catch {
      throw CorruptRow("trip \(id)", "document: \(error)")
    }
    guard let priority = document["priority"]?.string.flatMap(TripPriority.init(rawValue:)) else {
      throw CorruptRow("trip \(id)", "priority")
    }
    return Trip(
      id: id, version: row.int(1), consult: document["consultId"]?.string, vehicle: document["vehicleId"]?.string,
      priority: priority, facility: row.optionalText(2), origin: Place(json: document["origin"] ?? .null),
      destination: Place(json: document["destination"] ?? .null),
      patient: document["patient"].map { Patient(json: $0) }, createdBy: row.text(4), createdAt: row.instant(5),
      position: position.flatMap { Position(json: $0) },
      bodyHash: row.blob(7))
  }

  private static func milestone(_ row: any SQLRow) throws -> RecordedMilestone {
    guard let milestone = Milestone(rawValue: row.text(0)) else { throw CorruptRow("trip_milestone", "milestone") }
    return RecordedMilestone(
      milestone: milestone, at: row.instant(1), recordedAt: row.instant(2),
      flags: row.text(3).split(separator: ",").map(String.init))
  }

  private static func link(_ row: any SQLRow) throws -> TripLink {
    TripLink(
      id: row.text(0), trip: row.text(1), secretHash: row.blob(2), createdBy: row.text(3), expiresAt: row.instant(4),
      revokedAt: row.optionalInstant(5))
  }

  private enum SQLs {
    static let byId = SQL(
      """
      SELECT id, version, facility, document, created_by, created_at, position, body_hash FROM trip WHERE id = $1
      """)
    static let asRequested = SQL(
      "SELECT id, 1, facility, requested, created_by, created_at, NULL, body_hash FROM trip WHERE id = $1")
    static let list = SQL(
      """
      SELECT id, version, facility, document, created_by, created_at, position, body_hash FROM trip
      WHERE (CAST($1 AS TEXT) IS NULL OR consult = $1) AND (CAST($2 AS TEXT) IS NULL OR vehicle = $2)
        AND (CAST($3 AS BIGINT) IS NULL OR closed = $3) AND (CAST($4 AS TEXT) IS NULL OR id < $4)
        AND (CAST($6 AS TEXT) IS NULL OR CAST($6 AS TEXT) LIKE '%,' || facility || ',%'
          OR CAST($6 AS TEXT) LIKE '%,' || destination_facility || ',%' OR vehicle = $7
          OR consult IN (SELECT id FROM consult WHERE practitioner = $8))
      ORDER BY id DESC LIMIT $5
      """)
    static let riding = SQL(
      "SELECT DISTINCT vehicle FROM trip WHERE consult = $1 AND vehicle IS NOT NULL AND closed = 0")
    static let insert = SQL(
      """
      INSERT INTO trip (id, version, consult, vehicle, facility, destination_facility, requested, document, closed,
        created_by, created_at, body_hash)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11)
      """)
    static let update = SQL(
      """
      UPDATE trip SET version = version + 1, consult = $3, vehicle = $4, destination_facility = $5, document = $6,
        closed = $7, position = $8
      WHERE id = $1 AND version = $2
      """)
    static let milestones = SQL(
      "SELECT milestone, at, recorded_at, flags FROM trip_milestone WHERE trip = $1 ORDER BY recorded_at, at, milestone"
    )
    static let insertMilestone = SQL(
      "INSERT INTO trip_milestone (trip, milestone, at, recorded_at, flags) VALUES ($1, $2, $3, $4, $5)")
    static let insertPosition = SQL(
      "INSERT INTO trip_position (trip, at, document) VALUES ($1, $2, $3) ON CONFLICT (trip, at) DO NOTHING")
    static let trimPositions = SQL(
      """
      DELETE FROM trip_position WHERE trip = $1
        AND at <= (SELECT at FROM trip_position WHERE trip = $1 ORDER BY at DESC LIMIT 1 OFFSET $2)
      """)
    static let links = SQL(
      """
      SELECT id, trip, secret_hash, created_by, expires_at, revoked_at FROM trip_link
      WHERE trip = $1 AND revoked_at IS NULL ORDER BY id
      """)
    static let linkBySecret = SQL(
      "SELECT id, trip, secret_hash, created_by, expires_at, revoked_at FROM trip_link WHERE secret_hash = $1")
    static let insertLink = SQL(
      "INSERT INTO trip_link (id, trip, secret_hash, created_by, expires_at) VALUES ($1, $2, $3, $4, $5)")
    static let revokeLink = SQL(
      "UPDATE trip_link SET revoked_at = $3 WHERE id = $1 AND trip = $2 AND revoked_at IS NULL")
  }
}
