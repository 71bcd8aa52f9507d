import Coordinator
package import Domain
import NIOCore
import Synchronization

extension CallRooms {
  /// Lets a caller into the call of a consult, as whom it may be there; finds out on which node the room is.
  package func admit(_ caller: Caller, consult id: String) async throws -> CallAdmission {
    guard state.withLock({ !$0.isClosing && $0.wires.count + $0.away.count < Limits.callSockets }) else {
      throw Rejection(.unavailable, "No calls can be taken now.", retryAfter: 5)
    }
    do {
      let (consult, role) = try await coordinator.admit(caller, toCallOf: id)
      return CallAdmission(
        rooms: self, consult: consult, participant: .init(caller: caller, role: role), place: try await place(consult))
    } catch let rejection as Rejection where rejection.code == .illegalTransition {
      // The consult was concluded while they were still talking: who lost the link may come back to the others.
      guard let consult = try await coordinator.store.read({ try $0.consult(id) }),
        let role = try await seatedRole(of: caller.personId, in: id)
      else { throw rejection }
      return CallAdmission(
        rooms: self, consult: consult, participant: .init(caller: caller, role: role), place: try await place(consult))
    }
  }

  func open(_ socket: Socket, _ admission: CallAdmission) -> RoomMachine.Link {
    state.withLock { state in
      state.links += 1
      if case .elsewhere = admission.place { state.away[state.links] = (admission.consult.id, admission.place) }
      state.wires[state.links] = .here(socket)
      return state.links
    }
  }

  /// What a socket of this node said.
  func receive(
    _ message: CallMessage, _ text: ByteBuffer, on link: RoomMachine.Link, _ admission: CallAdmission
  ) throws(CallMistake) {
    if case .elsewhere(let node, _) = admission.place { return pass(text, on: link, admission, to: node) }
    try receive(message, on: link, in: admission.consult.id, as: admission.participant)
  }

  /// What a participant of a room here said, wherever its socket is.
  func receive(
    _ message: CallMessage, on link: RoomMachine.Link, in consult: String, as participant: RoomMachine.Participant?
  ) throws(CallMistake) {
    let now = coordinator.now()
    let isKnown = try change(consult) { machine throws(CallMistake) in
      guard case .join(let resume) = message else { return try machine.receive(message, on: link) }
      guard let participant else { throw CallMistake(.notJoined, "join first") }
      return try machine.join(
        participant, on: link, resume: resume, newToken: Secrets.random(),
        iceServers: { self.turn.iceServers(for: $0, now: now) })
    }
    // It was given up, or moved to another node: whoever comes again finds it.
    if !isKnown { sendAway(link) }
  }

  /// `mayResume`: the link was lost; otherwise the participant was sent away.
  func closed(_ link: RoomMachine.Link, _ admission: CallAdmission, mayResume: Bool) {
    if case .elsewhere(let node, _) = admission.place {
      tell(node, ["op": "gone", "link": .int(Int64(link)), "mayResume": .bool(mayResume)])
    } else {
      closed(link, in: admission.consult.id, mayResume: mayResume)
    }
    state.withLock { state in
      state.wires[link] = nil
      state.away[link] = nil
    }
  }

  func closed(_ link: RoomMachine.Link, in consult: String, mayResume: Bool) {
    _ = change(consult) { machine in mayResume ? machine.disconnected(link) : machine.dismiss(link) }
  }
}

/// Leave to join one call.
package struct CallAdmission: Sendable {
  let rooms: CallRooms
  let consult: Consult
  let participant: RoomMachine.Participant
  let place: RoomPlace

  /// For `WebSocketUpgrade.accept`.
  package func delegate(_ socket: Socket) -> any SocketDelegate { CallSocket(self) }
}
