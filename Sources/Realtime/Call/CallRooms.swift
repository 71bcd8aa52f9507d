package import Coordinator
package import Domain
package import Logging
package import NIOCore
import ServiceLifecycle
import Synchronization

/// The rooms of all calls on this node. Every change of a room is one step under one lock, and what it sends is handed
/// to the sockets' loops in that order; so each participant hears things in the order in which they happened.
package final class CallRooms: Service {
  package static let subprotocol = "hoichan.call.v1"
  package static let socketLimits = SocketLimits(frame: Limits.signalBytes, message: Limits.signalBytes)

  private struct Room {
    var machine: RoomMachine
    let consult: Consult
    /// Where the timers of held seats run: the loop of whoever came first.
    let loop: any EventLoop
    var timers: [String: Scheduled<Void>] = [:]
  }

  private struct State {
    var rooms: [String: Room] = [:]
    var sockets: [RoomMachine.Link: Socket] = [:]
    var links = 0
    var isClosing = false
    /// Something was written, or somebody joined, since it was last asked who may be here.
    var isStale = false
  }

  private static let reviewInterval = Duration.seconds(1)

  let sessions: SessionWatch
  private let coordinator: Coordinator
  private let turn: TurnSettings
  private let grace: TimeAmount
  private let publish: @Sendable (VolatileEvent) -> Void
  private let logger: Logger
  private let facts: CallFacts
  private let metrics = CallMetrics()
  private let state = Mutex(State())

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
    facts = CallFacts(coordinator, logger: logger)
    coordinator.store.onChange { [weak self] _ in self?.state.withLock { $0.isStale = true } }
  }

  /// Records the facts of calls. On shutdown the seats are given up, and that is recorded too.
  package func run() async throws {
    await withGracefulShutdownHandler {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.reviewRegularly() }
        await facts.run()
        group.cancelAll()
      }
    } onGracefulShutdown: {
      self.close()
    }
  }

  private func reviewRegularly() async {
    while !Task.isCancelled {
      do {
        try await review()
      } catch {
        state.withLock { $0.isStale = true }
        logger.error("calls could not be reviewed; trying again", metadata: ["error": "\(error)"])
      }
      try? await Task.sleep(for: Self.reviewInterval)
    }
  }

  /// Sends away who may no longer be in a call: a specialist who declined the consult, for one.
  func review() async throws {
    let consults = state.withLock { state in
      defer { state.isStale = false }
      return state.isStale ? Array(state.rooms.keys) : []
    }
    for id in consults {
      guard let consult = try await coordinator.store.read({ try $0.consult(id) }) else { continue }
      _ = change(id) { machine in
        machine.dismiss { $0.caller.may(.joinCall(consult.scope())) != .allowed }
      }
    }
  }

  /// Lets a caller into the call of a consult, as whom it may be there.
  package func admit(_ caller: Caller, consult id: String) async throws -> CallAdmission {
    guard state.withLock({ !$0.isClosing && $0.sockets.count < Limits.callSockets }) else {
      throw Rejection(.unavailable, "No calls can be taken now.", retryAfter: 5)
    }
    do {
      let (consult, role) = try await coordinator.admit(caller, toCallOf: id)
      return CallAdmission(rooms: self, consult: consult, participant: .init(caller: caller, role: role))
    } catch let rejection as Rejection where rejection.code == .illegalTransition {
      // The consult was concluded while they were still talking: who lost the link may come back to the others.
      let seated = state.withLock {
        $0.rooms[id].flatMap { room in
          room.machine.role(of: caller.personId).map { (room.consult, $0) }
        }
      }
      guard let (consult, role) = seated else { throw rejection }
      return CallAdmission(rooms: self, consult: consult, participant: .init(caller: caller, role: role))
    }
  }

  // MARK: For the sockets

  func open(_ socket: Socket) -> RoomMachine.Link {
    state.withLock { state in
      state.links += 1
      state.sockets[state.links] = socket
      return state.links
    }
  }

  func receive(
    _ message: CallMessage, on link: RoomMachine.Link, _ admission: CallAdmission, loop: any EventLoop
  ) throws(CallMistake) {
    let now = coordinator.now()
    guard case .join(let resume) = message else {
      let isKnown = try change(admission.consult.id) { machine throws(CallMistake) in
        try machine.receive(message, on: link)
      }
      guard isKnown else { throw CallMistake(.notJoined, "join first") }
      return
    }
    let room = Room(
      machine: RoomMachine(salt: String(UInt32.random(in: 0...UInt32.max), radix: 36)), consult: admission.consult,
      loop: loop)
    let isOpen = try change(admission.consult.id, new: room) { machine throws(CallMistake) in
      try machine.join(
        admission.participant, on: link, resume: resume, newToken: Secrets.random(),
        iceServers: { self.turn.iceServers(for: $0, now: now) })
    }
    guard isOpen else { throw CallMistake(.unavailable, "the server is stopping") }
  }

  /// `mayResume`: the link was lost; otherwise the participant was sent away.
  func closed(_ link: RoomMachine.Link, _ admission: CallAdmission, mayResume: Bool) {
    _ = change(admission.consult.id) { machine in mayResume ? machine.disconnected(link) : machine.dismiss(link) }
    state.withLock { $0.sockets[link] = nil }
  }

  private func expire(_ seat: String, number: Int, in consult: String) {
    _ = change(consult) { machine in machine.expire(seat: seat, number: number) }
  }

  private func close() {
    let consults = state.withLock { state in
      state.isClosing = true
      return Array(state.rooms.keys)
    }
    for consult in consults { _ = change(consult) { machine in machine.close() } }
    facts.finish()
  }

  // MARK: One step

  /// False when there is no such room, and none was given.
  private func change<Failure: Error>(
    _ consult: String, new: Room? = nil, _ step: (inout RoomMachine) throws(Failure) -> [RoomMachine.Action]
  ) throws(Failure) -> Bool {
    let result: Result<Bool, Failure> = state.withLock { state in
      guard var room = state.rooms[consult] ?? (state.isClosing ? nil : new) else { return .success(false) }
      let before = room.machine.count
      do throws(Failure) {
        let actions = try step(&room.machine)
        for action in actions { perform(action, in: &room, state.sockets) }
      } catch {
        return .failure(error)
      }
      metrics.participants(room.machine.count - before)
      if room.machine.count > before { state.isStale = true }
      if room.machine.isEmpty {
        for timer in room.timers.values { timer.cancel() }
        state.rooms[consult] = nil
      } else {
        state.rooms[consult] = room
      }
      metrics.rooms(state.rooms.count)
      return .success(true)
    }
    return try result.get()
  }

  private func perform(
    _ action: RoomMachine.Action, in room: inout Room, _ sockets: [RoomMachine.Link: Socket]
  ) {
    switch action {
    case .send(let json, let link):
      metrics.sent()
      let frame = FrameEncoder.text(ByteBuffer(bytes: json.bytes))
      // Always through the loop's queue, also from the loop itself: nothing overtakes what was queued before it.
      if let socket = sockets[link] { socket.eventLoop.execute { socket.send(frame) } }
    case .close(let link, let code, let reason):
      if let socket = sockets[link] { socket.eventLoop.execute { socket.close(code, reason: reason) } }
    case .hold(let seat, let number):
      room.timers[seat]?.cancel()
      room.timers[seat] = room.loop.scheduleTask(in: grace) { [weak self, consult = room.consult.id] in
        self?.expire(seat, number: number, in: consult)
      }
    case .release(let seat):
      room.timers.removeValue(forKey: seat)?.cancel()
    case .record(let type, let participant, let participants):
      facts.add(CallFact(type: type, consult: room.consult.id, participant: participant, participants: participants))
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

/// Leave to join one call.
package struct CallAdmission: Sendable {
  let rooms: CallRooms
  let consult: Consult
  let participant: RoomMachine.Participant

  /// For `WebSocketUpgrade.accept`.
  package func delegate(_ socket: Socket) -> any SocketDelegate { CallSocket(self) }
}
