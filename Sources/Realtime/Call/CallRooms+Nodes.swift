import Coordinator
import Domain
import NIOCore
import Synchronization

/// Rooms that move between nodes, and what passes between a room and a socket on another node.
extension CallRooms {
  /// Where a socket is sent that cannot stay here: it comes again, to whichever node it finds.
  private static let moved = "come again"

  // MARK: Where a room is

  /// Finds out whose the room is; takes it when it is nobody's.
  func place(_ consult: Consult) async throws -> RoomPlace {
    if state.withLock({ $0.rooms[consult.id] != nil }) { return .here }
    switch try await keeper.take(consult.id) {
    case .theirs(let node, let term): return .elsewhere(node: node, term: term)
    case .ours(let document, let term):
      let tree = try await coordinator.facilityTree()
      let machine = document.flatMap { RoomMachine(document: $0, tree: tree) } ?? RoomMachine(salt: .salt())
      enter(machine, of: consult, term: term)
      return .here
    }
  }

  /// As whom a person has a seat, in a room here or elsewhere.
  func seatedRole(of person: String, in consult: String) async throws -> Role? {
    if let role = state.withLock({ $0.rooms[consult]?.machine.role(of: person) }) { return role }
    guard let kept = try await coordinator.store.read({ try $0.callRoom(consult) }),
      let document = try? JSON(parsing: kept.document)
    else { return nil }
    return RoomMachine(document: document, tree: FacilityTree(parents: []))?.role(of: person)
  }

  /// Rooms of nodes that are gone: somebody has to hold the seats, and to say in the end that nobody came back.
  func takeOverOrphans() async throws {
    let peers = coordinator.store.peers
    guard peers.knowsWhoIsGone, !state.withLock({ $0.isClosing }) else { return }
    let orphans = try await coordinator.store.read {
      try $0.orphanedCallRooms(besides: peers.node, limit: Limits.roomsTakenOver)
    }
    for id in orphans {
      guard let consult = try await coordinator.store.read({ try $0.consult(id) }) else { continue }
      _ = try await place(consult)
    }
  }

  /// Sockets here whose room has moved come again; seats here whose socket's node is gone wait.
  func reviewNodes() async throws {
    let (away, remote) = state.withLock { (Array($0.away), Array($0.remoteLinks)) }
    guard !away.isEmpty || !remote.isEmpty else { return }
    let consults = Set(away.map(\.value.consult))
    let (rooms, live) = try await coordinator.store.read { tx in
      (
        Dictionary(uniqueKeysWithValues: try consults.map { ($0, try tx.callRoom($0)) }), try tx.liveNodes()
      )
    }
    for (link, socket) in away {
      guard case .elsewhere(let node, let term) = socket.place else { continue }
      let room = rooms[socket.consult] ?? nil
      if room?.node != node || room?.term != term || room?.isServed != true { sendAway(link) }
    }
    for (link, known) in remote where !live.contains(link.node) { forget(link, known) }
  }

  // MARK: This node's sockets, another's room

  func pass(_ text: ByteBuffer, on link: RoomMachine.Link, _ admission: CallAdmission, to node: String) {
    tell(
      node,
      [
        "op": "say", "consult": .string(admission.consult.id), "link": .int(Int64(link)),
        "participant": admission.participant.json, "text": .string(String(buffer: text)),
      ])
  }

  // MARK: Both

  /// Hears another node: what its sockets say to a room here, or what a room there says to a socket here.
  func hear(_ message: JSON, from node: String) {
    guard let op = message["op"]?.string else { return }
    if op == "lost" { return dropSockets(awayAt: node) }
    guard let number = message["link"]?.int else { return }
    let link = Int(number)
    switch op {
    case "say": said(message, RemoteLink(node: node, link: link))
    case "gone":
      let remote = RemoteLink(node: node, link: link)
      if let known = state.withLock({ $0.remoteLinks[remote] }) {
        forget(remote, known, mayResume: message["mayResume"]?.bool ?? true)
      }
    case "send":
      guard let content = message["message"], let socket = socketAway(link, from: node) else { return }
      socket.eventLoop.execute { socket.send(text: ByteBuffer(bytes: content.bytes)) }
    case "close":
      guard let socket = socketAway(link, from: node), let code = message["code"]?.int else { return }
      let reason = message["reason"]?.string ?? ""
      socket.eventLoop.execute { socket.close(CloseCode(rawValue: UInt16(code)), reason: reason) }
    default: break
    }
  }

  private func socketAway(_ link: RoomMachine.Link, from node: String) -> Socket? {
    state.withLock { state in
      guard case .elsewhere(node, _) = state.away[link]?.place, case .here(let socket) = state.wires[link] else {
        return nil
      }
      return socket
    }
  }

  private func said(_ message: JSON, _ remote: RemoteLink) {
    guard let consult = message["consult"]?.string, let text = message["text"]?.string else { return }
    let link = state.withLock { state in
      if let known = state.remoteLinks[remote] { return known.link }
      state.links += 1
      state.wires[state.links] = .elsewhere(remote)
      state.remoteLinks[remote] = (state.links, consult)
      return state.links
    }
    do throws(CallMistake) {
      let parsed = try CallMessage.parse(ByteBuffer(string: text))
      var participant: RoomMachine.Participant?
      if case .join = parsed { participant = message["participant"].flatMap { .init($0, tree: keeper.tree) } }
      try receive(parsed, on: link, in: consult, as: participant)
    } catch {
      tell(remote.node, ["op": "send", "link": .int(Int64(remote.link)), "message": error.json])
    }
  }

  /// The other node's socket is gone.
  private func forget(
    _ remote: RemoteLink, _ known: (link: RoomMachine.Link, consult: String), mayResume: Bool = true
  ) {
    closed(known.link, in: known.consult, mayResume: mayResume)
    state.withLock { state in
      state.remoteLinks[remote] = nil
      state.wires[known.link] = nil
    }
  }

  /// Closes a socket so that its page comes again.
  func sendAway(_ link: RoomMachine.Link) {
    close(state.withLock { $0.wires[link] }, .goingAway, Self.moved)
  }

  func close(_ wire: Wire?, _ code: CloseCode, _ reason: String) {
    switch wire {
    case .here(let socket): socket.eventLoop.execute { socket.close(code, reason: reason) }
    case .elsewhere(let remote):
      tell(
        remote.node,
        [
          "op": "close", "link": .int(Int64(remote.link)), "code": .int(Int64(code.rawValue)),
          "reason": .string(reason),
        ])
    case nil: break
    }
  }

  /// What the nodes said to each other may be lost: both sides' participants come again and resume. So do those who
  /// came to another node while this one did not listen yet, of whom it knows nothing.
  func dropRemoteLinks() {
    let (away, remote) = state.withLock { (Array($0.away.keys), Array($0.remoteLinks)) }
    coordinator.store.peers.tell(PeerMessage(.call, ["op": "lost"]), to: nil)
    for link in away { sendAway(link) }
    for (link, known) in remote {
      sendAway(known.link)
      forget(link, known)
    }
  }

  /// That node has not heard what these sockets said.
  private func dropSockets(awayAt node: String) {
    let links = state.withLock { state in
      state.away.filter { if case .elsewhere(node, _) = $0.value.place { true } else { false } }.keys
    }
    for link in links { sendAway(link) }
  }

  func tell(_ node: String, _ body: JSON) { coordinator.store.peers.tell(PeerMessage(.call, body), to: node) }
}

extension RoomMachine {
  /// Those who are connected now.
  var links: [Link] { seats.compactMap(\.link) }
}

extension String {
  fileprivate static func salt() -> String { String(UInt32.random(in: 0...UInt32.max), radix: 36) }
}
