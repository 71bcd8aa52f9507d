package import Domain
import Synchronization

/// Facilities, practitioners and schedules as one value: they change by import, and are read by every request.
package struct Directory: Sendable {
  package var facilities: [String: Facility] = [:]
  package var practitioners: [String: Practitioner] = [:]
  package var sessions: [String: [ScheduleSession]] = [:]
  package var tree = FacilityTree(parents: [])
  package var urgencyMinutes: [Urgency: Int64] = [:]
  let grantBasis: GrantBasis

  init(_ tx: any StoreTransaction) throws {
    for facility in try tx.allFacilities() { facilities[facility.code] = facility }
    tree = FacilityTree(parents: try tx.facilityParents())
    for (practitioner, sessions) in try tx.calendars() {
      practitioners[practitioner.id] = practitioner
      self.sessions[practitioner.id] = sessions
    }
    grantBasis = GrantBasis(tree: tree, specialties: practitioners.mapValues(\.specialty))
    for urgency in Urgency.allCases { urgencyMinutes[urgency] = try tx.setting(urgency.settingName) }
  }

  func facilityName(_ code: String?) -> String? { code.flatMap { facilities[$0]?.name } }
  func practitionerName(_ id: String?) -> String? { id.flatMap { practitioners[$0]?.name } }
}

/// What the directory adds to somebody's grants: facilities below those that are granted, a specialist's specialty.
package struct GrantBasis: Sendable, Equatable {
  let tree: FacilityTree
  let specialties: [String: Specialty]
}

/// A value that is read once and kept until somebody says that it changed.
final class DirectoryCache: Sendable {
  private struct State {
    var value: Directory?
    var generation = 0
  }
  private let store: any Store
  private let state = Mutex(State())

  init(store: any Store) { self.store = store }

  func get() async throws -> Directory {
    let (value, generation) = state.withLock { ($0.value, $0.generation) }
    if let value { return value }
    let read = try await store.read { try Directory($0) }
    // What was read before a change must not outlive it.
    state.withLock { if $0.generation == generation { $0.value = read } }
    return read
  }

  func invalidate() {
    state.withLock { state in
      state.value = nil
      state.generation += 1
    }
  }
}

/// Which cells of each practitioner are taken, over the time that can be booked: 14 kB each. A hint for searching:
/// a booking is decided by the claims themselves.
final class BusyCache: Sendable {
  private struct State {
    var cells: [String: BusyCells] = [:]
    var generations: [String: Int] = [:]
    var all = 0
    var day = CalendarDay(number: 0)
  }
  private let store: any Store
  private let state = Mutex(State())

  init(store: any Store) { self.store = store }

  /// The taken cells of these practitioners, from yesterday to the booking horizon.
  func get(_ practitioners: [String], now: Instant) async throws -> [String: BusyCells] {
    let today = now.day
    let (known, generations, all) = state.withLock { state in
      if state.day != today {
        state.cells = [:]
        state.day = today
      }
      return (state.cells, state.generations, state.all)
    }
    let missing = practitioners.filter { known[$0] == nil }
    guard !missing.isEmpty else { return known }
    let window = Cell.range(start: (today + -1).start, end: (today + Limits.bookingHorizonDays).start)
    let read = try await store.read { tx in
      try missing.map { ($0, BusyCells(window: window, taken: try tx.takenCells(resource: $0, in: window, now: now))) }
    }
    var result = known
    for (practitioner, cells) in read { result[practitioner] = cells }
    state.withLock { state in
      guard state.all == all, state.day == today else { return }
      for (practitioner, cells) in read
      where state.generations[practitioner, default: 0] == generations[practitioner, default: 0] {
        state.cells[practitioner] = cells
      }
    }
    return result
  }

  /// Of these practitioners, or of all.
  func invalidate(_ practitioners: [String]?) {
    state.withLock { state in
      guard let practitioners else {
        state.cells = [:]
        state.all += 1
        return
      }
      for practitioner in practitioners {
        state.cells[practitioner] = nil
        state.generations[practitioner, default: 0] += 1
      }
    }
  }
}

/// Callers by their secret's hash, kept for half a second: long enough to spare a busy client the look-up, short
/// enough that a revocation made elsewhere holds within a second.
final class SessionCache: Sendable {
  private static let lifetime = Span.milliseconds(500)
  private struct State {
    var callers: [[UInt8]: (caller: Caller, until: Instant)] = [:]
    var generation = 0
  }
  private let state = Mutex(State())

  var generation: Int { state.withLock { $0.generation } }

  func get(_ hash: [UInt8], now: Instant) -> Caller? {
    state.withLock { state in
      guard let entry = state.callers[hash], entry.until > now, (entry.caller.expiresAt ?? entry.until) > now
      else { return nil }
      return entry.caller
    }
  }

  func put(_ hash: [UInt8], _ caller: Caller, now: Instant, generation: Int) {
    state.withLock { state in
      guard state.generation == generation else { return }
      if state.callers.count >= Limits.cachedSessions { state.callers = state.callers.filter { $0.value.until > now } }
      if state.callers.count >= Limits.cachedSessions { state.callers = [:] }
      state.callers[hash] = (caller, now + Self.lifetime)
    }
  }

  func invalidateAll() {
    state.withLock { state in
      state.callers = [:]
      state.generation += 1
    }
  }
}
