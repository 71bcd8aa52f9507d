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

  /// Keeps a call's room as it is, with what happened in it: a seat that another node finds there has joined in the log.
  /// - Returns: false when another node has the room by now; then nothing is written.
  package func keep(_ room: CallRoomChange) async throws -> Bool {
    let (now, node) = (now(), store.peers.node)
    return try await store.write { tx in
      let text = room.document?.text ?? "{}"
      let isReleased = room.isReleased || room.document == nil
      guard
        try tx.keepCallRoom(room.consult, node: node, term: room.term, document: text, isReleased: isReleased)
      else { return false }
      // As the consult is now, which may have moved on since somebody was let in.
      if !room.facts.isEmpty, let consult = try tx.consult(room.consult) {
        for fact in room.facts {
          try tx.append(
            consult.event(fact.type, by: fact.caller) { data in
              data.role = fact.role
              data.participants = Int64(fact.participants)
            }, at: now)
        }
      }
      if room.document == nil { try tx.removeCallRoom(room.consult, term: room.term) }
      return true
    }
  }
}

/// Something that happened in a call and belongs into the log: `call.joined`, `call.left` or `call.ended`.
package struct CallFact: Sendable {
  package var type: EventType
  package var caller: Caller?
  package var role: Role?
  package var participants: Int

  package init(type: EventType, caller: Caller?, role: Role?, participants: Int) {
    self.type = type
    self.caller = caller
    self.role = role
    self.participants = participants
  }
}

/// A room that is to be kept, from one node's term.
package struct CallRoomChange: Sendable {
  package var consult: String
  package var term: Int64
  /// Nil when the call is over.
  package var document: JSON?
  package var facts: [CallFact]
  /// Any node may have it from here on.
  package var isReleased: Bool

  package init(consult: String, term: Int64, document: JSON?, facts: [CallFact], isReleased: Bool = false) {
    self.consult = consult
    self.term = term
    self.document = document
    self.facts = facts
    self.isReleased = isReleased
  }
}
