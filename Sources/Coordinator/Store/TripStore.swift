package import Domain

package struct TripFilter: Sendable, Equatable {
  package var consult: String?
  package var vehicle: String?
  package var open: Bool?
  /// Only what somebody can see; nil is all.
  package var reach: TripReach?
  package init(consult: String? = nil, vehicle: String? = nil, open: Bool? = nil) {
    self.consult = consult
    self.vehicle = vehicle
    self.open = open
  }
}

/// The trips from or to some facilities, of a vehicle, and of a practitioner's consults.
package struct TripReach: Sendable, Equatable {
  package var facilities: Set<String>
  package var vehicle: String?
  package var practitioner: String?
  package init(facilities: Set<String>, vehicle: String?, practitioner: String?) {
    self.facilities = facilities
    self.vehicle = vehicle
    self.practitioner = practitioner
  }
}

package protocol TripStore {
  func trip(_ id: String) throws -> Trip?
  /// The trip as it was when it was asked for: what a repeated request is answered.
  func tripAsRequested(_ id: String) throws -> Trip?
  func trips(_ filter: TripFilter, page: Page) throws -> [Trip]
  /// Vehicles that ride for a consult and have not handed over.
  func vehicles(ridingFor consult: String) throws -> [String]
  func insert(_ trip: Trip) throws
  /// As for consults: one version up, or `StaleVersion`.
  func update(_ trip: inout Trip) throws
  func insert(_ milestone: RecordedMilestone, trip: String) throws
  /// Keeps positions by device time; the same time again is the same position. The oldest beyond the limit go.
  func insert(_ positions: [Position], trip: String) throws

  func links(of trip: String) throws -> [TripLink]
  func link(secretHash: [UInt8]) throws -> TripLink?
  func insert(_ link: TripLink) throws
  /// False when the trip has no such link.
  func revokeLink(_ id: String, trip: String, at now: Instant) throws -> Bool
}
