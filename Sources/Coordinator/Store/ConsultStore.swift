package import Domain

package struct ConsultFilter: Sendable, Equatable {
  package var states: [ConsultState] = []
  package var specialty: Specialty?
  package var station: String?
  package var practitioner: String?
  /// On the appointment's start, or the request's time where there is none: from (inclusive) to (exclusive).
  package var from: Instant?
  package var to: Instant?
  package var overdue: Bool?
  /// Only what somebody can see; nil is all.
  package var reach: ConsultReach?
  package init() {}
}

/// The consults of some facilities, of a practitioner, and the unassigned ones of a specialty.
package struct ConsultReach: Sendable, Equatable {
  package var facilities: Set<String>
  package var practitioner: String?
  package var specialty: Specialty?
  package init(facilities: Set<String>, practitioner: String?, specialty: Specialty?) {
    self.facilities = facilities
    self.practitioner = practitioner
    self.specialty = specialty
  }
}

package protocol ConsultStore {
  func consult(_ id: String) throws -> Consult?
  func consults(_ filter: ConsultFilter, page: Page) throws -> [Consult]
  func insert(_ consult: Consult) throws
  /// Saves with `version` one above the one it was read with; throws `StaleVersion` when somebody was faster.
  func update(_ consult: inout Consult) throws

  /// Why the move was made that led to the consult's present version.
  func insert(_ reason: ConsultReason, of consult: Consult) throws
  /// The oldest first.
  func reasons(of consult: String) throws -> [ConsultReason]

  func outcomes(of consult: String) throws -> [Outcome]
  func outcome(of consult: String, version: Int64) throws -> Outcome?
  func insert(_ outcome: Outcome) throws
  func sign(_ outcome: Outcome) throws
}

/// An update found another version than it had read; the store runs the transaction again.
package struct StaleVersion: Error, Sendable { package init() {} }

package protocol ClaimStore {
  /// Takes every cell of the range for the holder. When one of them is somebody else's, the refusal is thrown, here or
  /// later, and the transaction given up.
  func claim(
    resource: String, cells: Range<Int64>, holder: String, kind: String, expiresAt: Instant?, now: Instant,
    otherwise refusal: any Error) throws
  /// Frees what the holder has, but for the cells of `keeping`.
  func free(holder: String, keeping: (resource: String, cells: Range<Int64>)?) throws
  func takenCells(resource: String, in cells: Range<Int64>, now: Instant) throws -> [Int64]

  func insert(_ appointment: Appointment, consult: String, by actor: String, at now: Instant) throws
  func endAppointment(_ id: String, state: String, at now: Instant) throws
}
