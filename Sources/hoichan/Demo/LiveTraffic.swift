import Coordinator
import Domain
import Logging
import ServiceLifecycle

/// Plays a day's traffic in a demo province, through the same use cases as real people: requests, bookings, calls'
/// beginnings and outcomes, ambulances that move. Everybody in it is made up, and says so in their name.
///
/// The accounts that visitors sign in with are left alone, and so is whatever a visitor takes over.
struct LiveTraffic: Service, CustomStringConvertible {
  private let coordinator: Coordinator
  private let logger: Logger
  private let seed: UInt64
  var description: String { "LiveTraffic" }

  init(coordinator: Coordinator, logger: Logger, seed: UInt64 = 115) {
    self.coordinator = coordinator
    self.logger = logger
    self.seed = seed
  }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          var play = try await LivePlay(coordinator, logger: logger, seed: seed)
          while !Task.isCancelled {
            try await play.tick()
            try await Task.sleep(for: .seconds(1))
          }
        } catch is CancellationError {
          return
        } catch {
          logger.error("the live traffic begins anew", metadata: ["error": "\(error)"])
          // Cancelled while it waits: the loop ends by its condition.
          try? await Task.sleep(for: .seconds(5))
        }
      }
    }
  }
}

/// What is being played. Where a consult or trip stands is in the database only: here is when it goes on, so that a
/// restart takes up what was left open.
struct LivePlay {
  static let openConsults = 12
  static let openTrips = 3

  let coordinator: Coordinator
  let logger: Logger
  let cast: LiveCast
  var random: SplitMix64
  /// When each open consult takes its next step.
  var consults: [String: Instant] = [:]
  var trips: [String: LiveTrip] = [:]
  private var nextRequest: Instant
  private var nextTrip: Instant

  init(_ coordinator: Coordinator, logger: Logger, seed: UInt64) async throws {
    self.coordinator = coordinator
    self.logger = logger
    cast = try await LiveCast(coordinator)
    let now = coordinator.now()
    // Seeded, yet not the same day after day.
    random = SplitMix64(seed: seed &+ UInt64(bitPattern: now.day.number))
    nextRequest = now
    nextTrip = now + .seconds(5)
    try await takeUp(now: now)
  }

  /// Consults and trips of an earlier play that are still open.
  private mutating func takeUp(now: Instant) async throws {
    var filter = ConsultFilter()
    filter.states = [.requested, .assigned, .scheduled, .waiting, .inProgress, .interrupted, .concluded]
    let open = filter
    let (consults, trips) = try await coordinator.store.read { tx in
      (
        try tx.consults(open, page: Page(limit: Limits.pageMax)).filter { LiveCast.plays($0.createdBy) }.map(\.id),
        try tx.trips(TripFilter(open: true), page: Page(limit: Limits.pageMax)).filter { LiveCast.plays($0.createdBy) }
          .map(\.id)
      )
    }
    for id in consults { self.consults[id] = soon(now, 2...40) }
    for id in trips { self.trips[id] = LiveTrip(speed: speed(), milestone: now) }
  }

  /// Does what is due. Called every second.
  mutating func tick() async throws {
    let now = coordinator.now()
    if now >= nextRequest {
      nextRequest = soon(now, 12...30)
      if consults.count < Self.openConsults { try await attempt("request") { try await $0.request(now: now) } }
    }
    if now >= nextTrip {
      nextTrip = soon(now, 60...180)
      if trips.count < Self.openTrips { try await attempt("trip") { try await $0.dispatch(now: now) } }
    }
    for (id, due) in consults.sorted(by: { $0.key < $1.key }) where now >= due {
      consults[id] = soon(now, 15...60)
      try await attempt("consult") { try await $0.advance(consult: id, now: now) }
    }
    for (id, trip) in trips.sorted(by: { $0.key < $1.key }) where now >= trip.next {
      trips[id]?.next = now + .seconds(5)
      try await attempt("trip") { try await $0.advance(trip: id, now: now) }
    }
  }

  /// A step that a visitor was faster with is refused, and that is as it should be.
  private mutating func attempt(_ step: String, _ body: (inout LivePlay) async throws -> Void) async throws {
    try Task.checkCancellation()
    do {
      try await body(&self)
    } catch let rejection as Rejection {
      logger.debug("a played step was refused", metadata: ["step": "\(step)", "code": "\(rejection.code.rawValue)"])
    } catch let failure as StoreFailure {
      logger.error("a played step failed", metadata: ["step": "\(step)", "error": "\(failure)"])
    }
  }

  mutating func soon(_ now: Instant, _ seconds: ClosedRange<Int>) -> Instant {
    now + .seconds(Int64(seconds.lowerBound + random.below(seconds.count)))
  }

  /// True once in `times` on average.
  mutating func once(in times: Int) -> Bool { random.below(times) == 0 }

  /// Metres a second: 45 to 75 km/h.
  mutating func speed() -> Double { 12.5 + 8.3 * random.unit() }
}
