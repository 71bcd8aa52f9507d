package import Domain

/// The facts of a call: who joined and left. What is said and seen passes by, and is kept nowhere.
extension Coordinator {
  /// The consult whose call this is, if the caller may join it, and as whom.
  package func admit(_ caller: Caller, toCallOf id: String) async throws -> (consult: Consult, role: Role) {
    guard let consult = try await store.read({ try $0.consult(id) }) else { throw Rejection.notFound }
    try caller.require(.joinCall(consult.scope()))
    let open: Set<ConsultState> = [.assigned, .scheduled, .waiting, .inProgress, .interrupted]
    guard open.contains(consult.state) else {
      throw Rejection.illegalTransition(
        "call", state: consult.state.rawValue, allowed: consult.machine.allowed(now: now()).map(\.rawValue))
    }
    return (consult, caller.has(.specialist) && caller.practitionerId == consult.practitioner ? .specialist : .station)
  }

  /// Which facility lies under which: for whoever is known only by name and grants.
  package func facilityTree() async throws -> FacilityTree { try await directory.get().tree }

  /// Appends `call.joined`, `call.left` or `call.ended`.
  package func recordCall(
    _ type: EventType, consult: Consult, by caller: Caller?, role: Role?, participants: Int
  ) async throws {
    let now = now()
    let draft = consult.event(type, by: caller) { data in
      data.role = role
      data.participants = Int64(participants)
    }
    try await store.write { try $0.append(draft, at: now) }
  }
}
