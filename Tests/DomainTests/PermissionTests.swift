import Domain
import Testing

/// CONTRACT "Who may", written down a second time: every role, every relation to the thing, every action.
@Suite struct PermissionTests {
  private static let root = "38000"
  private static let station = "38001"
  private static let otherStation = "38002"
  private static let hospital = "38901"
  private static let tree = FacilityTree(parents: [
    (root, nil), (station, root), (otherStation, root), (hospital, root), ("40000", nil), ("40001", "40000"),
  ])

  private static func caller(
    _ role: Role, at facilities: [String] = [station], practitioner: String? = nil, specialty: Specialty? = nil,
    vehicle: String? = nil
  ) -> Caller {
    Caller(
      sessionId: "s", kind: .session, personId: "p", username: "u", name: "N", practitionerId: practitioner,
      specialty: specialty, vehicleId: vehicle, grants: [Grant(role: role, facilities: facilities)], tree: tree)
  }

  // MARK: Consults

  /// How a caller stands to a consult. The callers' grant is on `station`, unless said.
  private enum Relation: String, CaseIterable {
    case ownUnassigned, ownAssigned, servedHere, elsewhere
    case mine, mineElsewhere, colleagues, otherSpecialtyUnassigned, otherSpecialtyAssigned, riding
  }

  private static func scope(_ relation: Relation) -> ConsultScope {
    func scope(
      _ station: String, _ specialty: Specialty = .cardiology, _ practitioner: String? = nil, vehicles: [String] = []
    ) -> ConsultScope {
      ConsultScope(
        station: station, specialty: specialty, practitioner: practitioner,
        serving: practitioner.map { _ in hospital }, vehicles: vehicles)
    }
    return switch relation {
    case .ownUnassigned: scope(station)
    case .ownAssigned: scope(station, .cardiology, "bs-09")
    case .servedHere:
      ConsultScope(station: otherStation, specialty: .neurology, practitioner: "bs-09", serving: station)
    case .elsewhere: scope(otherStation, .neurology, "bs-09")
    case .mine: scope(station, .cardiology, "bs-01")
    case .mineElsewhere: scope("40001", .cardiology, "bs-01")
    case .colleagues: scope(otherStation, .cardiology, "bs-09")
    case .otherSpecialtyUnassigned: scope(otherStation, .neurology)
    case .otherSpecialtyAssigned: scope(otherStation, .neurology, "bs-09")
    case .riding: scope(otherStation, .neurology, "bs-09", vehicles: ["v-01"])
    }
  }

  private static func subject(_ role: Role) -> Caller {
    switch role {
    case .specialist: caller(role, at: [hospital], practitioner: "bs-01", specialty: .cardiology)
    case .crew: caller(role, vehicle: "v-01")
    default: caller(role)
    }
  }

  /// `see patient clinical advice call`, each `+` allowed, `-` forbidden, `0` hidden; then the moves that are allowed.
  private static func documented(_ role: Role, _ relation: Relation) -> (reads: String, moves: Set<ConsultTransition>) {
    let hidden = ("00000", Set<ConsultTransition>())
    return switch (role, relation) {
    case (.station, .ownUnassigned), (.station, .ownAssigned), (.station, .mine):
      ("+++++", [.appointment, .arrive, .start, .interrupt, .resume, .cancel, .noShow])
    case (.station, _): hidden

    // Facts, but no identity before accepting.
    case (.specialist, .ownUnassigned): ("+-++-", [.accept])
    case (.specialist, .mine), (.specialist, .mineElsewhere):
      (
        "+++++",
        [
          .appointment, .accept, .decline, .start, .interrupt, .resume, .conclude, .sign, .amend, .cancel, .noShow,
        ]
      )
    // Who might have been first hears from the machine that somebody else was.
    case (.specialist, .ownAssigned), (.specialist, .colleagues): ("00000", [.accept])
    case (.specialist, _): hidden

    case (.dispatcher, .ownUnassigned), (.dispatcher, .ownAssigned), (.dispatcher, .mine), (.dispatcher, .servedHere):
      ("++---", [.appointment, .cancel, .noShow])
    case (.monitor, .ownUnassigned), (.monitor, .ownAssigned), (.monitor, .mine), (.monitor, .servedHere),
      (.admin, .ownUnassigned), (.admin, .ownAssigned), (.admin, .mine), (.admin, .servedHere):
      ("+----", [])
    case (.auditor, .ownUnassigned), (.auditor, .ownAssigned), (.auditor, .mine), (.auditor, .servedHere):
      ("++++-", [])
    case (.crew, .riding): ("+--+-", [])
    default: hidden
    }
  }

  private static func letter(_ verdict: Verdict) -> String {
    switch verdict {
    case .allowed: "+"
    case .forbidden: "-"
    case .hidden: "0"
    }
  }

  @Test(arguments: Role.allCases)
  func consults(role: Role) {
    let caller = Self.subject(role)
    for relation in Relation.allCases {
      let scope = Self.scope(relation)
      let (reads, moves) = Self.documented(role, relation)
      let read = [
        Action.seeConsult(scope), .readPatient(scope), .readClinical(scope), .readAdvice(scope), .joinCall(scope),
      ].map { Self.letter(caller.may($0)) }.joined()
      #expect(read == reads, "\(role) \(relation)")
      for transition in ConsultTransition.allCases {
        let expected: Verdict = moves.contains(transition) ? .allowed : reads.first == "0" ? .hidden : .forbidden
        #expect(caller.may(.move(transition, scope)) == expected, "\(role) \(relation) \(transition)")
      }
    }
  }

  @Test func aSpecialistNeedsAPractitioner() {
    let nobody = Self.caller(.specialist, at: [Self.hospital], specialty: .cardiology)
    #expect(nobody.may(.seeConsult(Self.scope(.ownUnassigned))) == .hidden)
    #expect(nobody.may(.move(.accept, Self.scope(.ownUnassigned))) == .hidden)
    // A practitioner who is not granted the role (any more) is nobody either.
    let former = Self.caller(.monitor, at: ["40000"], practitioner: "bs-01", specialty: .cardiology)
    for relation in Relation.allCases {
      #expect(former.may(.seeConsult(Self.scope(relation))) == .hidden || relation == .mineElsewhere)
    }
    #expect(former.may(.readPatient(Self.scope(.mineElsewhere))) == .forbidden)
    #expect(former.may(.move(.conclude, Self.scope(.mine))) == .hidden)
  }

  // MARK: Trips

  private enum TripRelation: CaseIterable { case ours, toUs, elsewhere, riding, treating }

  private static func trip(_ relation: TripRelation) -> TripScope {
    switch relation {
    case .ours: TripScope(facility: station, destination: hospital, vehicle: "v-09", practitioner: "bs-09")
    case .toUs: TripScope(facility: otherStation, destination: station, vehicle: "v-09", practitioner: nil)
    case .elsewhere: TripScope(facility: otherStation, destination: "40001", vehicle: "v-09", practitioner: "bs-09")
    case .riding: TripScope(facility: otherStation, destination: "40001", vehicle: "v-01", practitioner: nil)
    case .treating: TripScope(facility: otherStation, destination: "40001", vehicle: nil, practitioner: "bs-01")
    }
  }

  /// `see patient plan milestone position share`.
  private static func documented(_ role: Role, _ relation: TripRelation) -> String {
    switch (role, relation) {
    case (.station, .ours): "+++--+"
    case (.station, .toUs): "++----"
    case (.dispatcher, .ours), (.dispatcher, .toUs): "++++++"
    case (.monitor, .ours), (.monitor, .toUs), (.admin, .ours), (.admin, .toUs): "+-----"
    case (.auditor, .ours), (.auditor, .toUs): "++----"
    case (.crew, .riding): "++-+++"
    case (.specialist, .treating): "++----"
    default: "000000"
    }
  }

  @Test(arguments: Role.allCases)
  func trips(role: Role) {
    let caller = Self.subject(role)
    for relation in TripRelation.allCases where !(role == .specialist && relation == .ours) {
      let scope = Self.trip(relation)
      let verdicts = [
        Action.seeTrip(scope), .readTripPatient(scope), .planTrip(scope), .recordMilestone(scope),
        .sendPosition(scope), .shareTrip(scope),
      ].map { Self.letter(caller.may($0)) }.joined()
      #expect(verdicts == Self.documented(role, relation), "\(role) \(relation)")
    }
  }

  @Test func aTripWithoutAVehicleIsNobodysRide() {
    let crew = Self.caller(.crew)
    let scope = TripScope(facility: Self.station, destination: nil, vehicle: nil, practitioner: nil)
    #expect(crew.may(.seeTrip(scope)) == .hidden)
  }

  // MARK: The rest

  @Test(arguments: Role.allCases)
  func whatHasNoSubject(role: Role) {
    let caller = Self.subject(role)
    let may = { (action: Action) in caller.may(action) == .allowed }
    #expect(may(.readDirectory))
    #expect(may(.readEvents))
    #expect(may(.administer) == (role == .admin))
    #expect(may(.readAccessLog) == (role == .auditor))
    #expect(may(.requestConsult(station: Self.station)) == (role == .station))
    #expect(!may(.requestConsult(station: Self.otherStation)))
    #expect(may(.requestTrip(facility: Self.station)) == [.station, .dispatcher].contains(role))
    #expect(!may(.requestTrip(facility: Self.otherStation)))
    #expect(!may(.requestTrip(facility: nil)))
  }

  @Test func nobodyWithoutAGrant() {
    let caller = Caller(
      sessionId: "s", kind: .token, personId: "t", username: "t", name: "T", grants: [], tree: Self.tree)
    #expect(caller.may(.readDirectory) == .allowed)
    #expect(caller.may(.readEvents) == .forbidden)
    for relation in Relation.allCases { #expect(caller.may(.seeConsult(Self.scope(relation))) == .hidden) }
    for relation in TripRelation.allCases { #expect(caller.may(.seeTrip(Self.trip(relation))) == .hidden) }
  }

  @Test func aRootCoversAllUnderIt() {
    let province = Self.caller(.dispatcher, at: [Self.root])
    #expect(province.may(.seeConsult(Self.scope(.elsewhere))) == .allowed)
    #expect(province.may(.requestTrip(facility: Self.otherStation)) == .allowed)
    #expect(province.may(.requestTrip(facility: "40001")) == .forbidden)
    #expect(Self.tree.covered(by: [Self.root]) == [Self.root, Self.station, Self.otherStation, Self.hospital])
    #expect(Self.tree.covered(by: [Self.station]) == [Self.station])
    // A code that nobody knows covers itself and no more.
    #expect(Self.tree.covered(by: ["99999"]) == ["99999"])
  }

  @Test func aCycleOfParentsEnds() {
    let tree = FacilityTree(parents: [("A", "B"), ("B", "A"), ("C", "C")])
    #expect(tree.covered(by: ["A"]) == ["A", "B"])
    #expect(tree.covered(by: ["C"]) == ["C"])
  }

  @Test func rolesAddUpAndStayApart() {
    let caller = Caller(
      sessionId: "s", kind: .session, personId: "p", username: "u", name: "N",
      grants: [
        Grant(role: .station, facilities: [Self.station]), Grant(role: .dispatcher, facilities: [Self.otherStation]),
        Grant(role: .station, facilities: ["40001"]),
      ], tree: Self.tree)
    #expect(caller.may(.requestConsult(station: Self.station)) == .allowed)
    #expect(caller.may(.requestConsult(station: "40001")) == .allowed)
    // What is dispatched there is not asked for there.
    #expect(caller.may(.requestConsult(station: Self.otherStation)) == .forbidden)
    #expect(caller.may(.readClinical(Self.scope(.elsewhere))) == .forbidden)
  }

  @Test func refusalsHideOrForbid() {
    let monitor = Self.caller(.monitor)
    let forbidden = #expect(throws: Rejection.self) { try monitor.require(.readPatient(Self.scope(.ownAssigned))) }
    #expect(forbidden?.code == .forbidden)
    let hidden = #expect(throws: Rejection.self) { try monitor.require(.readPatient(Self.scope(.elsewhere))) }
    #expect(hidden?.code == .notFound)
    #expect(throws: Never.self) { try monitor.require(.seeConsult(Self.scope(.ownAssigned))) }
  }
}
