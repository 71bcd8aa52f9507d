package import Domain

extension Coordinator {
  /// Where everything stands that the caller may see and asked for: the open consults, the trips under way with their
  /// last positions, who is in the calls; and the cursor from which the feed goes on.
  ///
  /// Rows and cursor are read in one transaction, from one snapshot of the database, so that nothing falls between them:
  /// - On SQLite an event gets its number in the transaction that writes the row. The rows are those of the cursor.
  /// - On PostgreSQL it gets its number later, by a transaction that has seen it committed. A snapshot with the number
  ///   in it was therefore taken behind that commit, and has the row: what the cursor counts as seen is in the rows.
  ///   The rows may be ahead of the cursor, by events that wait for their number. That does no harm: these come behind
  ///   the cursor, in the order in which they happened, and the last of them leads to where the row is already. Whoever
  ///   applies them again ends where whoever applies them once does.
  ///
  /// - Parameters:
  ///   - filter: as for the feed; a trip has no specialty, so that none is there when specialties are asked for.
  ///   - limit: how many consults and how many trips at most, newest first. `next` goes on in the lists of `GET
  ///     /consults` and `GET /trips`: read later, the rows are further ahead of the cursor, and no worse for it.
  package func snapshot(_ call: Call, filter: EventFilter, limit: Int) async throws -> Answer {
    let caller = call.caller
    try caller.require(.readEvents)
    let directory = try await directory.get()
    let now = now()
    // So that the rows are ahead by as little as can be, and whoever wrote before finds that behind the cursor.
    try await store.settle()
    let standing = try await store.read { tx in
      try Standing(tx, caller, filter, page: Page(limit: limit), directory, now: now)
    }
    try await logReads(standing.consults, by: caller, vehicles: [], at: now)
    try await log(standing.read)
    let consults = try standing.consults.map { try $0.json(for: caller, directory, now: now) }
    return .ok([
      "cursor": .string(standing.cursor.text),
      "consults": ["items": .array(consults), "next": .orNull(standing.nextConsult)],
      "trips": ["items": .array(standing.trips), "next": .orNull(standing.nextTrip)],
      "presence": .array(standing.presence),
    ])
  }
}

/// What one transaction found.
private struct Standing: Sendable {
  let cursor: Cursor
  let consults: [Consult]
  let nextConsult: String?
  let trips: [JSON]
  let nextTrip: String?
  /// The readings of patients that showing the trips is.
  let read: [AccessEntry]
  let presence: [JSON]

  init(
    _ tx: any StoreTransaction, _ caller: Caller, _ filter: EventFilter, page: Page, _ directory: Directory,
    now: Instant
  ) throws {
    func isAskedFor(_ facilities: [String], _ specialty: Specialty?, _ subject: String) -> Bool {
      filter.matches(type: "", facilities: facilities, specialty: specialty?.rawValue, subject: subject)
    }
    cursor = try tx.logBounds().head
    var stillOpen = ConsultFilter()
    stillOpen.states = ConsultState.open
    stillOpen.reach = ConsultReach(caller)
    (consults, nextConsult) = try page.fill {
      try tx.consults(stillOpen, page: $0)
    } id: {
      $0.id
    } where: {
      isAskedFor($0.facilities, $0.specialty, $0.subject) && caller.may(.seeConsult($0.scope())) == .allowed
    }
    var underWay = TripFilter(open: true)
    underWay.reach = TripReach(caller)
    (trips, read, nextTrip) = try Coordinator.list(tx, caller, underWay, page: page, directory, now: now) {
      isAskedFor($0.facilities, nil, $0.subject)
    }
    presence = try Self.presence(of: consults, tx, Visibility(caller), now: now)
  }

  /// Who is in the calls of these consults, as far as the feed shows it to the caller. A call's row changes in the
  /// transaction that appends `call.joined`, `call.left` or `call.ended`, whose `participants` go on from here: unlike
  /// the volatile `presence`, which says the same sooner, they can't be missed.
  private static func presence(
    of consults: [Consult], _ tx: any StoreTransaction, _ visibility: Visibility, now: Instant
  ) throws -> [JSON] {
    let known = Dictionary(uniqueKeysWithValues: consults.map { ($0.id, $0) })
    return try tx.callRooms(of: consults.map(\.id)).compactMap { room -> JSON? in
      // A seat is an item of the document that the call's node keeps (`RoomMachine.document`).
      let participants = (try? JSON(parsing: room.document))?["seats"]?.array?.count ?? 0
      guard participants > 0, let consult = known[room.consult] else { return nil }
      let event = VolatileEvent(
        id: "", type: .presence, time: now, subject: consult.subject, facilities: consult.facilities,
        specialty: consult.specialty, data: EventData())
      guard visibility.sees(event) else { return nil }
      return ["consultId": .string(consult.id), "participants": .int(Int64(participants))]
    }
  }
}
