import Coordinator
import Domain

/// A call's room as a value: who has a seat, who hears what, and which signals still count. Told what happened, it
/// returns what to do; it knows no socket and no clock.
struct RoomMachine {
  typealias Link = Int

  struct Participant: Equatable {
    var caller: Caller
    var role: Role
  }

  enum Action: Equatable {
    case send(JSON, to: Link)
    case close(Link, CloseCode, reason: String)
    /// Begin the time in which the seat can be resumed; `expire` with the same number when it is over.
    case hold(seat: String, number: Int)
    /// The seat's time is no longer needed.
    case release(seat: String)
    case record(EventType, Participant?, participants: Int)
    case presence(participants: Int)
  }

  struct Seat {
    let id: String
    var participant: Participant
    /// The token itself is only with whoever holds it.
    let tokenHash: [UInt8]
    /// When it joined, counted: of two, the later is polite.
    let order: Int
    var link: Link?
    /// How often its link was lost: an older timer means nothing.
    var holds = 0
    var outbox = Outbox()
    var quality: CallQuality?
  }

  struct Pair: Hashable {
    let one: String
    let other: String
    init(_ a: String, _ b: String) { (one, other) = a < b ? (a, b) : (b, a) }
  }

  struct Direction: Hashable {
    let from: String
    let to: String
  }

  /// Makes ids of one room unlike those of the next: after a restart of the server, a participant must not take a new
  /// member for an old one.
  let salt: String
  var seats: [Seat] = []
  var joins = 0
  var version: Int64 = 0
  /// Counts the changes after which another node must know more to go on with the room.
  private(set) var revision = 0
  /// Ids by session, so that who comes back is the same member with a new generation.
  var known: [String: String] = [:]
  var generations: [Pair: Int64] = [:]
  /// Directions in which an offer or answer of the current generation has gone.
  var begun: Set<Direction> = []
  /// Candidates that came before it.
  private var early: [Direction: [JSON]] = [:]

  init(salt: String) {
    self.salt = salt
  }

  var isEmpty: Bool { seats.isEmpty }
  var count: Int { seats.count }

  func role(of person: String) -> Role? { seats.first { $0.participant.caller.personId == person }?.participant.role }

  // MARK: Coming

  /// With the token of one of this person's seats: resumes it. Otherwise joins afresh; a seat of the same session
  /// (the page was loaded anew, or opened in another tab) is given up for it.
  mutating func join(
    _ participant: Participant, on link: Link, resume: String?, newToken: String, iceServers: (String) -> JSON
  ) throws(CallMistake) -> [Action] {
    guard index(of: link) == nil else { throw CallMistake(.alreadyJoined, "this socket has its seat") }
    revision += 1
    if let resume, let index = seats.firstIndex(where: { $0.tokenHash == Secrets.hash(resume) }),
      seats[index].participant.caller.personId == participant.caller.personId
    {
      return self.resume(index, participant, on: link, token: resume, iceServers)
    }
    var actions: [Action] = []
    if let old = seats.firstIndex(where: { $0.participant.caller.sessionId == participant.caller.sessionId }) {
      let seat = remove(old)
      actions += end(seat)
      actions.append(.record(.callLeft, seat.participant, participants: seats.count))
    }
    guard seats.count < Limits.roomMembers else { throw CallMistake(.tooMany, "the room is full") }
    joins += 1
    version += 1
    let id = id(for: participant.caller.sessionId)
    for other in seats.indices {
      let pair = Pair(id, seats[other].id)
      generations[pair, default: 0] += 1
      forgetSignals(between: id, and: seats[other].id)
      seats[other].outbox.dropSignals(from: id)
    }
    seats.append(
      Seat(id: id, participant: participant, tokenHash: Secrets.hash(newToken), order: joins, link: link))
    actions.append(.send(joined(seats[seats.count - 1], newToken, renegotiate: false, iceServers), to: link))
    actions += broadcastRoster(except: id)
    actions.append(.record(.callJoined, participant, participants: seats.count))
    actions.append(.presence(participants: seats.count))
    return actions
  }

  private mutating func resume(
    _ index: Int, _ participant: Participant, on link: Link, token: String, _ iceServers: (String) -> JSON
  ) -> [Action] {
    var actions: [Action] = []
    if let old = seats[index].link {
      actions.append(.close(old, .normal, reason: "taken over"))
    } else {
      actions.append(.release(seat: seats[index].id))
    }
    seats[index].outbox.linkLost()
    seats[index].link = link
    // The person may have signed in anew meanwhile.
    seats[index].participant = participant
    known[participant.caller.sessionId] = seats[index].id
    actions.append(.send(joined(seats[index], token, renegotiate: seats[index].outbox.hasLost, iceServers), to: link))
    actions += seats[index].outbox.messages.map { .send($0.json, to: link) }
    if seats[index].outbox.ping() { actions.append(.send(Self.ping, to: link)) }
    return actions
  }

  /// The member's id: the one it had, if it was here and nobody sits on it.
  private mutating func id(for session: String) -> String {
    if let id = known[session], !seats.contains(where: { $0.id == id }) { return id }
    // Who was here long ago is forgotten; whoever comes back then is a new member.
    if known.count >= 16 * Limits.roomMembers {
      known = known.filter { entry in seats.contains { $0.id == entry.value } }
      generations = generations.filter { entry in
        known.values.contains(entry.key.one) && known.values.contains(entry.key.other)
      }
    }
    let id = "p\(joins)-\(salt)"
    known[session] = id
    return id
  }

  // MARK: Talking

  mutating func receive(_ message: CallMessage, on link: Link) throws(CallMistake) -> [Action] {
    guard let sender = index(of: link) else { throw CallMistake(.notJoined, "join first") }
    switch message {
    case .join: throw CallMistake(.alreadyJoined, "this socket has its seat")
    case .description(let to, let generation, let description):
      guard let receiver = try receiver(to, generation, from: sender) else { return [] }
      let direction = Direction(from: seats[sender].id, to: to)
      begun.insert(direction)
      var actions = relay("description", description, generation, from: sender, to: receiver)
      for candidate in early.removeValue(forKey: direction) ?? [] {
        actions += relay("candidate", candidate, generation, from: sender, to: receiver)
      }
      return actions
    case .candidate(let to, let generation, let candidate):
      guard let receiver = try receiver(to, generation, from: sender) else { return [] }
      let direction = Direction(from: seats[sender].id, to: to)
      guard !begun.contains(direction) else {
        return relay("candidate", candidate, generation, from: sender, to: receiver)
      }
      guard early[direction]?.count ?? 0 < Limits.undelivered else {
        throw CallMistake(.tooMany, "too many candidates without an offer")
      }
      early[direction, default: []].append(candidate)
      return []
    case .chat(let text):
      let json: JSON = ["op": "chat", "from": .string(seats[sender].id), "text": .string(text)]
      return seats.indices.filter { $0 != sender }.flatMap { deliver(.init(json: json, signalFrom: nil), to: $0) }
    case .quality(let quality):
      seats[sender].quality = quality
      return []
    case .ping: return [.send(["op": "pong"], to: link)]
    case .pong:
      seats[sender].outbox.pong()
      return seats[sender].outbox.ping() ? [.send(Self.ping, to: link)] : []
    case .leave: return [.close(link, .normal, reason: "left")] + giveUp(sender)
    }
  }

  /// Whom a signal is for; nil when it no longer counts: of an older generation, or to somebody who has just left.
  private func receiver(_ to: String, _ generation: Int64, from sender: Int) throws(CallMistake) -> Int? {
    guard let receiver = seats.firstIndex(where: { $0.id == to }) else {
      if known.values.contains(to) { return nil }
      throw CallMistake(.unknownMember, "there is no such member")
    }
    guard receiver != sender else { throw CallMistake(.invalid, "'to' must be another member") }
    let current = generations[Pair(seats[sender].id, to)] ?? 0
    guard generation <= current else { throw CallMistake(.invalid, "'generation' must be the number from the roster") }
    return generation == current ? receiver : nil
  }

  private mutating func relay(
    _ op: String, _ content: JSON, _ generation: Int64, from sender: Int, to receiver: Int
  ) -> [Action] {
    let from = seats[sender].id
    let json = JSON.object(
      .init([("op", .string(op)), ("from", .string(from)), ("generation", .int(generation)), (op, content)]))
    return deliver(.init(json: json, signalFrom: from), to: receiver)
  }

  private mutating func deliver(_ message: Outbox.Message, to index: Int) -> [Action] {
    let link = seats[index].link
    seats[index].outbox.add(message, isLinked: link != nil)
    guard let link else { return [] }
    return [.send(message.json, to: link)] + (seats[index].outbox.ping() ? [.send(Self.ping, to: link)] : [])
  }

  private static let ping: JSON = ["op": "ping"]

  // MARK: Going

  /// The link is gone: the seat waits for its resume.
  mutating func disconnected(_ link: Link) -> [Action] {
    guard let index = index(of: link) else { return [] }
    seats[index].link = nil
    seats[index].holds += 1
    seats[index].outbox.linkLost()
    return [.hold(seat: seats[index].id, number: seats[index].holds)]
  }

  /// Nobody came back in time.
  mutating func expire(seat id: String, number: Int) -> [Action] {
    guard let index = seats.firstIndex(where: { $0.id == id }), seats[index].link == nil,
      seats[index].holds == number
    else { return [] }
    return giveUp(index)
  }

  /// The participant may not stay: nothing is held.
  mutating func dismiss(_ link: Link) -> [Action] { index(of: link).map { giveUp($0) } ?? [] }

  /// Sends away who may no longer be here.
  mutating func dismiss(where isUnwanted: (Participant) -> Bool) -> [Action] {
    var actions: [Action] = []
    while let index = seats.firstIndex(where: { isUnwanted($0.participant) }) {
      if let link = seats[index].link { actions.append(.close(link, .notAllowed, reason: "not your call any more")) }
      actions += giveUp(index)
    }
    return actions
  }

  private mutating func giveUp(_ index: Int) -> [Action] {
    let seat = remove(index)
    version += 1
    var actions: [Action] = seat.link == nil ? [.release(seat: seat.id)] : []
    actions += broadcastRoster(except: seat.id)
    actions.append(.record(.callLeft, seat.participant, participants: seats.count))
    if seats.isEmpty { actions.append(.record(.callEnded, nil, participants: 0)) }
    actions.append(.presence(participants: seats.count))
    return actions
  }

  /// What becomes of a removed seat's socket or timer.
  private func end(_ seat: Seat) -> [Action] {
    [seat.link.map { .close($0, .normal, reason: "taken over") } ?? .release(seat: seat.id)]
  }

  private mutating func remove(_ index: Int) -> Seat {
    revision += 1
    let seat = seats.remove(at: index)
    for other in seats { forgetSignals(between: seat.id, and: other.id) }
    return seat
  }

  private mutating func forgetSignals(between one: String, and other: String) {
    for direction in [Direction(from: one, to: other), Direction(from: other, to: one)] {
      begun.remove(direction)
      early[direction] = nil
    }
  }

  // MARK: Telling

  private func index(of link: Link) -> Int? { seats.firstIndex { $0.link == link } }

  private func joined(_ seat: Seat, _ token: String, renegotiate: Bool, _ iceServers: (String) -> JSON) -> JSON {
    [
      "op": "joined", "self": .string(seat.id), "resume": .string(token), "renegotiate": .bool(renegotiate),
      "roster": ["version": .int(version), "members": members(for: seat)], "iceServers": iceServers(seat.id),
    ]
  }

  private func broadcastRoster(except id: String) -> [Action] {
    seats.compactMap { seat in
      guard seat.id != id, let link = seat.link else { return nil }
      return .send(["op": "roster", "version": .int(version), "members": members(for: seat)], to: link)
    }
  }

  /// The others, as one seat sees them: it is polite toward those who were there before it.
  private func members(for seat: Seat) -> JSON {
    .array(
      seats.filter { $0.id != seat.id }.map { other in
        [
          "id": .string(other.id), "role": .string(other.participant.role.rawValue),
          "name": .string(other.participant.caller.name), "polite": .bool(seat.order > other.order),
          "generation": .int(generations[Pair(seat.id, other.id)] ?? 0),
        ]
      })
  }
}
