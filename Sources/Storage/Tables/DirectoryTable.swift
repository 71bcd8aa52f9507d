package import Coordinator
package import Domain

extension SQLTransaction {
  package func facility(_ code: String) throws -> Facility? {
    try connection.first(SQLs.facility, [.text(code)], Self.facility)
  }

  package func facilities(query: String?, page: Page) throws -> [Facility] {
    let (after, limit) = keyset(page)
    return try connection.rows(SQLs.facilities, [.orNull(query.map(wordPrefix)), after, limit], Self.facility)
  }

  package func facilityParents() throws -> [(code: String, parent: String?)] {
    try connection.rows(SQLs.parents, []) { ($0.text(0), $0.optionalText(1)) }
  }

  package func practitioner(_ id: String) throws -> Practitioner? {
    try connection.first(SQLs.practitioner, [.text(id)], Self.practitioner)
  }

  package func practitioners(_ filter: PractitionerFilter, page: Page) throws -> [Practitioner] {
    let (after, limit) = keyset(page)
    return try connection.rows(
      SQLs.practitioners,
      [
        .orNull(filter.query.map(wordPrefix)), .orNull(filter.specialty?.rawValue), .orNull(filter.facility), after,
        limit,
      ], Self.practitioner)
  }

  package func sessions(of practitioner: String) throws -> [ScheduleSession] {
    try connection.rows(SQLs.sessions, [.text(practitioner)], Self.session)
  }

  package func calendars() throws -> [(practitioner: Practitioner, sessions: [ScheduleSession])] {
    var sessions: [String: [ScheduleSession]] = [:]
    for session in try connection.rows(SQLs.allSessions, [], Self.session) {
      sessions[session.practitioner, default: []].append(session)
    }
    return try connection.rows(SQLs.allPractitioners, [], Self.practitioner).map { ($0, sessions[$0.id] ?? []) }
  }

  package func vehicle(_ id: String) throws -> Vehicle? {
    try connection.first(SQLs.vehicle, [.text(id)], Self.vehicle)
  }

  package func vehicles(page: Page) throws -> [Vehicle] {
    let (after, limit) = keyset(page)
    return try connection.rows(SQLs.vehicles, [after, limit], Self.vehicle)
  }

  package func setting(_ name: String) throws -> Int64? {
    try connection.first(SQLs.setting, [.text(name)]) { $0.int(0) }
  }

  package func save(_ batch: DirectoryBatch) throws {
    // A parent may stand behind its child in the file: parents are set once all facilities are there.
    for facility in batch.facilities {
      try connection.post(
        SQLs.saveFacility,
        [
          .text(facility.code), .text(facility.name), .text(Folded.key(facility.name)),
          .text(NameOrder.key(facility.name)), .text(facility.kind.rawValue), .text(facility.province),
          .orNull(facility.communeCode), .orNull(facility.successor), .orNull(facility.validFrom),
          .orNull(facility.validTo), .orNull(facility.latitude), .orNull(facility.longitude), .orNull(facility.phone),
        ])
    }
    for facility in batch.facilities {
      try connection.post(SQLs.setParent, [.text(facility.code), .orNull(facility.parent)])
    }
    for practitioner in batch.practitioners {
      try connection.post(
        SQLs.savePractitioner,
        [
          .text(practitioner.id), .text(practitioner.name), .text(Folded.key(practitioner.name)),
          .text(NameOrder.key(practitioner.name)), .text(practitioner.facility), .text(practitioner.specialty.rawValue),
          .orNull(practitioner.phone), .orNull(practitioner.validTo),
        ])
    }
    for practitioner in Set(batch.sessions.map(\.practitioner)) {
      try connection.post(SQLs.removeSessions, [.text(practitioner)])
    }
    for session in batch.sessions {
      try connection.post(
        SQLs.saveSession,
        [
          .text(session.id), .text(session.practitioner), .int(Int64(session.weekday)), .int(session.startMinute),
          .int(session.endMinute), .int(session.visitMinutes), .orNull(session.validFrom), .orNull(session.validTo),
          .int(Int64(session.everyWeeks)), .int(Int64(session.weekOffset)),
        ])
    }
    for vehicle in batch.vehicles {
      try connection.post(
        SQLs.saveVehicle, [.text(vehicle.id), .text(vehicle.label), .text(vehicle.facility), .text(vehicle.kind)])
    }
  }

  private static func facility(_ row: any SQLRow) throws -> Facility {
    guard let kind = Facility.Kind(rawValue: row.text(2)) else { throw CorruptRow("facility", "kind") }
    return Facility(
      code: row.text(0), name: row.text(1), kind: kind, province: row.text(3), communeCode: row.optionalText(4),
      parent: row.optionalText(5), successor: row.optionalText(6), validFrom: row.optionalDay(7),
      validTo: row.optionalDay(8), latitude: row.optionalDouble(9), longitude: row.optionalDouble(10),
      phone: row.optionalText(11))
  }

  private static func practitioner(_ row: any SQLRow) throws -> Practitioner {
    guard let specialty = Specialty(rawValue: row.text(3)) else { throw CorruptRow("practitioner", "specialty") }
    return Practitioner(
      id: row.text(0), name: row.text(1), facility: row.text(2), specialty: specialty, phone: row.optionalText(4),
      validTo: row.optionalDay(5))
  }

  private static func session(_ row: any SQLRow) throws -> ScheduleSession {
    ScheduleSession(
      id: row.text(0), practitioner: row.text(1), weekday: Int(row.int(2)), startMinute: row.int(3),
      endMinute: row.int(4), visitMinutes: row.int(5), validFrom: row.optionalDay(6), validTo: row.optionalDay(7),
      everyWeeks: Int(row.int(8)), weekOffset: Int(row.int(9)))
  }

  private static func vehicle(_ row: any SQLRow) throws -> Vehicle {
    Vehicle(id: row.text(0), label: row.text(1), facility: row.text(2), kind: row.text(3))
  }

  private enum SQLs {
    static let facility = SQL(
      """
      SELECT code, name, kind, province, commune_code, parent, successor, valid_from, valid_to, latitude, longitude, phone
      FROM facility WHERE code = $1
      """)
    static let facilities = SQL(
      """
      SELECT code, name, kind, province, commune_code, parent, successor, valid_from, valid_to, latitude, longitude, phone
      FROM facility
      WHERE (CAST($1 AS TEXT) IS NULL OR ' ' || folded LIKE $1 ESCAPE '!' OR ' ' || code LIKE $1 ESCAPE '!')
        AND (CAST($2 AS TEXT) IS NULL OR (sort_key, code) > (SELECT sort_key, code FROM facility WHERE code = $2))
      ORDER BY sort_key, code LIMIT $3
      """)
    static let parents = SQL("SELECT code, parent FROM facility")
    static let practitioner = SQL(
      "SELECT id, name, facility, specialty, phone, valid_to FROM practitioner WHERE id = $1")
    static let practitioners = SQL(
      """
      SELECT id, name, facility, specialty, phone, valid_to FROM practitioner
      WHERE (CAST($1 AS TEXT) IS NULL OR ' ' || folded LIKE $1 ESCAPE '!')
        AND (CAST($2 AS TEXT) IS NULL OR specialty = $2) AND (CAST($3 AS TEXT) IS NULL OR facility = $3)
        AND (CAST($4 AS TEXT) IS NULL OR (sort_key, id) > (SELECT sort_key, id FROM practitioner WHERE id = $4))
      ORDER BY sort_key, id LIMIT $5
      """)
    static let allPractitioners = SQL(
      "SELECT id, name, facility, specialty, phone, valid_to FROM practitioner ORDER BY id")
    static let sessions = SQL(
      """
      SELECT id, practitioner, weekday, start_minute, end_minute, visit_minutes, valid_from, valid_to, every_weeks,
        week_offset
      FROM schedule_session WHERE practitioner = $1 ORDER BY weekday, start_minute, id
      """)
    static let allSessions = SQL(
      """
      SELECT id, practitioner, weekday, start_minute, end_minute, visit_minutes, valid_from, valid_to, every_weeks,
        week_offset
      FROM schedule_session ORDER BY practitioner, weekday, start_minute, id
      """)
    static let vehicle = SQL("SELECT id, label, facility, kind FROM vehicle WHERE id = $1")
    static let vehicles = SQL(
      """
      SELECT id, label, facility, kind FROM vehicle
      WHERE (CAST($1 AS TEXT) IS NULL OR (label, id) > (SELECT label, id FROM vehicle WHERE id = $1))
      ORDER BY label, id LIMIT $2
      """)
    static let setting = SQL("SELECT value FROM setting WHERE name = $1")
    static let saveFacility = SQL(
      """
      INSERT INTO facility (code, name, folded, sort_key, kind, province, commune_code, successor, valid_from, valid_to,
        latitude, longitude, phone)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
      ON CONFLICT (code) DO UPDATE SET name = excluded.name, folded = excluded.folded, sort_key = excluded.sort_key,
        kind = excluded.kind, province = excluded.province, commune_code = excluded.commune_code,
        successor = excluded.successor, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
        latitude = excluded.latitude, longitude = excluded.longitude, phone = excluded.phone
      """)
    static let setParent = SQL("UPDATE facility SET parent = $2 WHERE code = $1")
    static let savePractitioner = SQL(
      """
      INSERT INTO practitioner (id, name, folded, sort_key, facility, specialty, phone, valid_to)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, folded = excluded.folded, sort_key = excluded.sort_key,
        facility = excluded.facility, specialty = excluded.specialty, phone = excluded.phone,
        valid_to = excluded.valid_to
      """)
    static let removeSessions = SQL("DELETE FROM schedule_session WHERE practitioner = $1")
    static let saveSession = SQL(
      """
      INSERT INTO schedule_session (id, practitioner, weekday, start_minute, end_minute, visit_minutes, valid_from,
        valid_to, every_weeks, week_offset)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
      """)
    static let saveVehicle = SQL(
      """
      INSERT INTO vehicle (id, label, facility, kind) VALUES ($1, $2, $3, $4)
      ON CONFLICT (id) DO UPDATE SET label = excluded.label, facility = excluded.facility, kind = excluded.kind
      """)
  }
}

/// A pattern that finds a folded prefix at the beginning of any word.
private func wordPrefix(_ folded: String) -> String {
  var pattern = "% "
  for character in folded {
    if character == "%" || character == "_" || character == "!" { pattern.append("!") }
    pattern.append(character)
  }
  return pattern + "%"
}
