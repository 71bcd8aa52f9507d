package import Coordinator
package import Domain
package import Logging
package import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// The calls of this node's sockets. Each consult's room is on one node, whose name its row in the database holds:
/// here, or on another to which what the socket says is passed on (docs/ARCHITECTURE.md "Calls").
///
/// Every change of a room is one step under one lock, and what it sends is handed to the sockets' loops in that order;
/// so each participant hears things in the order in which they happened.
package final class CallRooms: Service {
  package static let subprotocol = "hoichan.call.v1"
  package static let socketLimits = SocketLimits(frame: Limits.signalBytes, message: Limits.signalBytes)

  struct Room {
    var machine: RoomMachine
    let consult: Consult
    /// Of the row that says that the room is here.
    var term: Int64
    var timers: [String: Scheduled<Void>] = [:]
    /// What happened, until it is in the log; each with its number.
    var facts: [(number: Int, fact: CallFact)] = []
    var factCount = 0
    let openedAt = ContinuousClock.now
  }

  /// Where a participant's socket is.
  enum Wire {
    case here(Socket)
    case elsewhere(RemoteLink)
  }

  /// A socket of another node, as that one counts it.
  struct RemoteLink: Hashable {
    let node: String
    let link: RoomMachine.Link
  }

  struct State {
    var rooms: [String: Room] = [:]
    var wires: [RoomMachine.Link: Wire] = [:]
    var remoteLinks: [RemoteLink: (link: RoomMachine.Link, consult: String)] = [:]
    /// Sockets here whose rooms are elsewhere.
    var away: [RoomMachine.Link: (consult: String, place: RoomPlace)] = [:]
    var links = 0
    var isClosing = false
    /// Something was written, or somebody joined, since it was last asked who may be here.
    var isStale = false
  }

  let sessions: SessionWatch
  let coordinator: Coordinator
  let state = Mutex(State())
  let logger: Logger
  let keeper: RoomKeeper
  let turn: TurnSettings
  private let grace: TimeAmount
  private let publish: @Sendable (VolatileEvent) -> Void
  let metrics = CallMetrics()

  /// `grace`: how long a seat is held after its socket.
  package init(
    _ coordinator: Coordinator, sessions: SessionWatch, turn: TurnSettings,
    publish: @escaping @Sendable (VolatileEvent) -> Void, logger: Logger, grace: TimeAmount = .seconds(30)
  ) {
    self.coordinator = coordinator
    self.sessions = sessions
    self.turn = turn
    self.grace = grace
    self.publish = publish
    self.logger = logger
    keeper = RoomKeeper(coordinator, logger: logger)
    coordinator.store.onChange { [weak self] change in
      self?.state.withLock { $0.isStale = true }
      // What other nodes said meanwhile is lost.
      if case .changedElsewhere = change { self?.dropRemoteLinks() }
    }
    coordinator.store.peers.onMessage { [weak self] message, node in
      if message.kind == .call { self?.hear(message.body, from: node) }
    }
  }

  /// Keeps the rooms, and what happened in them. On shutdown the seats are kept for whoever comes back to another
  /// node, or to this one.
  package func run() async throws {
    await withGracefulShutdownHandler {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.reviewRegularly() }
        await self.keeper.run(current: self.current, kept: self.kept) { self.lose($0, term: $1) }
        group.cancelAll()
      }
    } onGracefulShutdown: {
      self.close()
    }
  }

  /// A room as it is to be kept now.
  private func current(_ consult: String) -> RoomKeeper.Room? {
    state.withLock { state in
      state.rooms[consult].map { .init(term: $0.term, document: $0.machine.document, facts: $0.facts) }
    }
  }

  /// What happened in a room up to this number is in the log.
  private func kept(_ consult: String, term: Int64, number: Int) {
    state.withLock { state in
      guard state.rooms[consult]?.term == term else { return }
      state.rooms[consult]?.facts.removeAll { $0.number <= number }
    }
  }

  private func expire(_ seat: String, number: Int, in consult: String) {
    _ = change(consult) { machine in machine.expire(seat: seat, number: number) }
  }

  /// The server stops: whoever is in a call finds the seat on another node, or here once it runs again.
  private func close() {
    let rooms = state.withLock { state in
      state.isClosing = true
      defer { state.rooms = [:] }
      return state.rooms
    }
    for (id, room) in rooms {
      for timer in room.timers.values { timer.cancel() }
      keeper.release(id, .init(term: room.term, document: room.machine.document, facts: room.facts))
    }
    keeper.finish()
  }

  // MARK: One step

  /// False when there is no such room here.
  func change<Failure: Error>(
    _ consult: String, _ step: (inout RoomMachine) throws(Failure) -> [RoomMachine.Action]
  ) throws(Failure) -> Bool {
    let result: Result<Bool, Failure> = state.withLock { state in
      guard var room = state.rooms[consult] else { return .success(false) }
      let (before, revision) = (room.machine.count, room.machine.revision)
      do throws(Failure) {
        let actions = try step(&room.machine)
        for action in actions { perform(action, in: &room, state.wires) }
      } catch {
        return .failure(error)
      }
      metrics.participants(room.machine.count - before)
      if room.machine.count > before { state.isStale = true }
      // One that nobody has joined yet waits for whoever was let in.
      if room.machine.isEmpty, before > 0 {
        for timer in room.timers.values { timer.cancel() }
        state.rooms[consult] = nil
        keeper.remove(consult, .init(term: room.term, document: nil, facts: room.facts))
      } else {
        state.rooms[consult] = room
        if room.machine.revision != revision { keeper.changed(consult) }
      }
      metrics.rooms(state.rooms.count)
      return .success(true)
    }
    return try result.get()
  }

  /// Puts a room in that is this node's from now on; its seats wait for their participants.
  func enter(_ machine: RoomMachine, of consult: Consult, term: Int64) {
    state.withLock { state in
      guard !state.isClosing else { return }
      if let known = state.rooms[consult.id]?.term {
        // Two who came at once both asked; the later term holds.
        state.rooms[consult.id]?.term = max(term, known)
        return
      }
      state.rooms[consult.id] = Room(machine: machine, consult: consult, term: term)
      metrics.participants(machine.count)
      metrics.rooms(state.rooms.count)
    }
    _ = machine.isEmpty || change(consult.id) { $0.holdAll() }
  }

  /// Another node has the room: whoever is in it here comes again, and is let in there.
  private func lose(_ consult: String, term: Int64) {
    let room = state.withLock { state -> Room? in
      guard let room = state.rooms[consult], room.term == term else { return nil }
      state.rooms[consult] = nil
      metrics.participants(-room.machine.count)
      metrics.rooms(state.rooms.count)
      return room
    }
    guard let room else { return }
    logger.warning("a call has moved to another node", metadata: ["consult": "\(consult)"])
    for timer in room.timers.values { timer.cancel() }
    for link in room.machine.links { sendAway(link) }
  }

  private func perform(_ action: RoomMachine.Action, in room: inout Room, _ wires: [RoomMachine.Link: Wire]) {
    switch action {
    case .send(let json, let link):
      metrics.sent()
      switch wires[link] {
      case .here(let socket):
        // Always through the loop's queue, also from the loop itself: nothing overtakes what was queued before it. It is
        // written out and compressed there, too: everybody's calls wait for the lock that is held here.
        socket.eventLoop.execute { socket.send(text: ByteBuffer(bytes: json.bytes)) }
      case .elsewhere(let remote):
        tell(remote.node, ["op": "send", "link": .int(Int64(remote.link)), "message": json])
      case nil: break
      }
    case .close(let link, let code, let reason): close(wires[link], code, reason)
    case .hold(let seat, let number):
      room.timers[seat]?.cancel()
      let loop = NIOSingletons.posixEventLoopGroup.any()
      room.timers[seat] = loop.scheduleTask(in: grace) { [weak self, consult = room.consult.id] in
        self?.expire(seat, number: number, in: consult)
      }
    case .release(let seat):
      room.timers.removeValue(forKey: seat)?.cancel()
    case .record(let type, let participant, let participants):
      room.factCount += 1
      let fact = CallFact(
        type: type, caller: participant?.caller, role: participant?.role, participants: participants)
      room.facts.append((room.factCount, fact))
    case .presence(let participants):
      let now = coordinator.now()
      var data = EventData()
      data.consultId = room.consult.id
      data.participants = Int64(participants)
      publish(
        VolatileEvent(
          id: UUIDv7.make(at: now), type: .presence, time: now, subject: room.consult.subject,
          facilities: room.consult.facilities, specialty: room.consult.specialty, data: data))
    }
  }
}
