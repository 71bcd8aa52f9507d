import Domain
import Testing

@testable import Realtime

@Suite struct RoomMachineTests {
  // MARK: Coming

  @Test func theFirstJoins() throws {
    let room = Room()
    let actions = try room.join("nurse", on: 1)
    #expect(
      actions == [
        .send(
          [
            "op": "joined", "self": "p1-s", "resume": "token1", "renegotiate": false,
            "roster": ["version": 1, "members": []], "iceServers": [["for": "p1-s"]],
          ], to: 1),
        .record(.callJoined, room.people["nurse"], participants: 1), .presence(participants: 1),
      ])
  }

  @Test func theSecondIsPoliteTowardTheFirst() throws {
    let room = Room()
    _ = try room.join("nurse", on: 1)
    let actions = try room.join("doctor", .specialist, on: 2)
    #expect(room.roster(actions, of: 2) == ["p1-s station Người nurse polite 1"])
    #expect(room.roster(actions, of: 1) == ["p2-s specialist Người doctor impolite 1"])
    #expect(Room.version(actions, 1) == 2)
    #expect(actions.contains(.record(.callJoined, room.people["doctor"], participants: 2)))
  }

  @Test func exactlyOneOfEachPairIsPolite() throws {
    let room = Room()
    var actions: [RoomMachine.Action] = []
    for link in 1...5 { actions += try room.join("person\(link)", on: link) }
    for (one, other) in [(1, 2), (1, 5), (2, 3), (4, 5)] {
      let (a, b) = (room.polite(actions, one, toward: other), room.polite(actions, other, toward: one))
      #expect(a != nil && b != nil && a != b)
    }
  }

  @Test func aFullRoomRefuses() throws {
    let room = Room()
    for link in 1...Limits.roomMembers { _ = try room.join("person\(link)", on: link) }
    let mistake = CallMistake(.tooMany, "the room is full")
    #expect(throws: mistake) { try room.join("one more", on: 99) }
    // Who is there already may come back.
    #expect(throws: Never.self) { try room.join("person3", on: 100) }
  }

  @Test func joiningTwiceOnASocketIsAMistake() throws {
    let room = Room()
    _ = try room.join("nurse", on: 1)
    #expect { try room.join("nurse", on: 1) } throws: { ($0 as? CallMistake)?.code == .alreadyJoined }
    #expect { try room.receive(.chat("x"), on: 7) } throws: { ($0 as? CallMistake)?.code == .notJoined }
  }

  // MARK: Signals

  @Test func signalsAreRelayedInOrder() throws {
    let room = try Room.ofTwo()
    let offer: JSON = ["type": "offer", "sdp": "v=0"]
    let actions = try room.receive(.description(to: "p1-s", generation: 1, offer), on: 2)
    #expect(
      actions == [
        .send(["op": "description", "from": "p2-s", "generation": 1, "description": offer], to: 1),
        .send(["op": "ping"], to: 1),
      ])
    #expect(
      try room.receive(.candidate(to: "p1-s", generation: 1, .null), on: 2) == [
        .send(["op": "candidate", "from": "p2-s", "generation": 1, "candidate": .null], to: 1)
      ])
  }

  @Test func candidatesWaitForTheirOffer() throws {
    let room = try Room.ofTwo()
    #expect(try room.candidate(1, to: 2, "a").isEmpty)
    #expect(try room.candidate(1, to: 2, "b").isEmpty)
    // The other direction's offer is not theirs.
    #expect(Room.heard(try room.offer(2, to: 1, "x"), 1) == ["description x"])
    #expect(Room.heard(try room.offer(1, to: 2, "y"), 2) == ["description y", "candidate a", "candidate b"])
    #expect(Room.heard(try room.candidate(1, to: 2, "c"), 2) == ["candidate c"])
    for number in 0..<Limits.undelivered { _ = try? room.candidate(2, to: 1, "\(number)") }
  }

  @Test func tooManyEarlyCandidatesAreAMistake() throws {
    let room = try Room.ofTwo()
    for number in 0..<Limits.undelivered { _ = try room.candidate(1, to: 2, "\(number)") }
    #expect { try room.candidate(1, to: 2, "more") } throws: { ($0 as? CallMistake)?.code == .tooMany }
  }

  @Test func wrongAddresses() throws {
    let room = try Room.ofTwo()
    func code(_ to: String, _ generation: Int64) -> CallMistake.Code? {
      do throws(CallMistake) {
        _ = try room.receive(.candidate(to: to, generation: generation, .null), on: 1)
        return nil
      } catch {
        return error.code
      }
    }
    #expect(code("p99", 1) == .unknownMember)
    #expect(code("p1-s", 1) == .invalid)
    #expect(code("p2-s", 2) == .invalid)
    #expect(code("p2-s", 0) == nil)
  }

  @Test func chatGoesToAllOthers() throws {
    let room = try Room.ofTwo()
    _ = try room.join("crew", on: 3)
    let actions = try room.receive(.chat("xin chào"), on: 2)
    #expect(Room.heard(actions, 1) == ["chat xin chào"])
    #expect(Room.heard(actions, 2) == [])
    #expect(Room.heard(actions, 3) == ["chat xin chào"])
    #expect(try room.receive(.ping, on: 1) == [.send(["op": "pong"], to: 1)])
    #expect(try room.receive(.quality(CallQuality(mode: .audio)), on: 1) == [])
  }

  // MARK: Going and coming back

  @Test func leavingIsTold() throws {
    let room = try Room.ofTwo()
    let actions = try room.receive(.leave, on: 2)
    #expect(actions.first == .close(2, .normal, reason: "left"))
    #expect(room.roster(actions, of: 1) == [])
    #expect(actions.contains(.record(.callLeft, room.people["doctor"], participants: 1)))
    #expect(!actions.contains(.record(.callEnded, nil, participants: 0)))
    let last = try room.receive(.leave, on: 1)
    #expect(
      last == [
        .close(1, .normal, reason: "left"), .record(.callLeft, room.people["nurse"], participants: 0),
        .record(.callEnded, nil, participants: 0), .presence(participants: 0),
      ])
    #expect(room.isEmpty)
  }

  @Test func aLostLinkHoldsTheSeat() throws {
    let room = try Room.ofTwo()
    #expect(room.disconnected(2) == [.hold(seat: "p2-s", number: 1)])
    #expect(Room.heard(try room.offer(1, to: 2, "while away"), 2) == [])
    _ = try room.candidate(1, to: 2, "a")
    let actions = try room.join("doctor", .specialist, on: 12, resume: "token2")
    #expect(actions.first == .release(seat: "p2-s"))
    let joined = try #require(Room.sent(actions, 12).first)
    #expect(joined["op"] == "joined" && joined["self"] == "p2-s" && joined["resume"] == "token2")
    #expect(joined["renegotiate"] == false)
    #expect(room.roster(actions, of: 12) == ["p1-s station Người nurse polite 1"])
    #expect(Room.heard(actions, 12) == ["description while away", "candidate a"])
    // Nothing changed for the others, and nothing happened that belongs into the log.
    #expect(Room.sent(actions, 1).isEmpty)
    #expect(!actions.contains { if case .record = $0 { true } else { false } })
  }

  @Test func whatWasSentToADeadLinkComesAgain() throws {
    let room = try Room.ofTwo()
    _ = try room.offer(1, to: 2, "arrived")
    _ = try room.receive(.pong, on: 2)
    _ = try room.offer(1, to: 2, "into the void")
    _ = room.disconnected(2)
    let actions = try room.join("doctor", .specialist, on: 12, resume: "token2")
    #expect(Room.heard(actions, 12) == ["description into the void"])
  }

  @Test func tooMuchForTheSeatAsksForANewNegotiation() throws {
    let room = try Room.ofTwo()
    _ = room.disconnected(2)
    _ = try room.offer(1, to: 2, "first")
    for number in 0..<400 { _ = try room.candidate(1, to: 2, "\(number)") }
    var actions = try room.join("doctor", .specialist, on: 12, resume: "token2")
    #expect(Room.sent(actions, 12).first?["renegotiate"] == true)
    #expect(Room.heard(actions, 12).count == Limits.undelivered)
    #expect(Room.heard(actions, 12).first == "description first")
    // Until it is known to have been told.
    _ = room.disconnected(12)
    actions = try room.join("doctor", .specialist, on: 22, resume: "token2")
    #expect(Room.sent(actions, 22).first?["renegotiate"] == true)
    _ = try room.receive(.pong, on: 22)
    _ = room.disconnected(22)
    actions = try room.join("doctor", .specialist, on: 32, resume: "token2")
    #expect(Room.sent(actions, 32).first?["renegotiate"] == false)
    #expect(Room.heard(actions, 32) == [])
  }

  @Test func aNewerSocketTakesTheSeatOver() throws {
    let room = try Room.ofTwo()
    let actions = try room.join("doctor", .specialist, on: 12, resume: "token2")
    #expect(actions.first == .close(2, .normal, reason: "taken over"))
    #expect(Room.heard(try room.offer(1, to: 2, "x"), 12) == ["description x"])
    // The old socket's end concerns nobody.
    #expect(room.disconnected(2) == [])
  }

  @Test func aSeatThatNobodyClaimsIsGivenUp() throws {
    let room = try Room.ofTwo()
    _ = room.disconnected(2)
    _ = try room.join("doctor", .specialist, on: 12, resume: "token2")
    // The timer of the first loss came too late.
    #expect(room.expire(seat: "p2-s", number: 1) == [])
    #expect(room.disconnected(12) == [.hold(seat: "p2-s", number: 2)])
    #expect(room.expire(seat: "p2-s", number: 1) == [])
    let actions = room.expire(seat: "p2-s", number: 2)
    #expect(room.roster(actions, of: 1) == [])
    #expect(actions.contains(.record(.callLeft, room.people["doctor"], participants: 1)))
    let late = try room.join("doctor", .specialist, on: 22, resume: "token2")
    #expect(room.roster(late, of: 22) == ["p1-s station Người nurse polite 2"])
    #expect(room.roster(late, of: 1) == ["p2-s specialist Người doctor impolite 2"])
  }

  @Test func aTokenIsForItsPersonOnly() throws {
    let room = try Room.ofTwo()
    let actions = try room.join("thief", on: 3, resume: "token2")
    #expect(Room.sent(actions, 3).first?["self"] == "p3-s")
    #expect(Room.heard(try room.offer(1, to: 2, "x"), 2) == ["description x"])
  }

  @Test func aFreshJoinOfTheSameSessionReplacesItsSeat() throws {
    let room = try Room.ofTwo()
    _ = try room.offer(1, to: 2, "old")
    _ = try room.candidate(2, to: 1, "early")
    let actions = try room.join("nurse", on: 11)
    #expect(actions.first == .close(1, .normal, reason: "taken over"))
    #expect(Room.sent(actions, 11).first?["self"] == "p1-s")
    #expect(room.roster(actions, of: 11) == ["p2-s specialist Người doctor polite 2"])
    #expect(room.roster(actions, of: 2) == ["p1-s station Người nurse impolite 2"])
    #expect(actions.contains(.record(.callLeft, room.people["nurse"], participants: 1)))
    #expect(actions.contains(.record(.callJoined, room.people["nurse"], participants: 2)))
    // What was signalled before is of an older generation: dropped, also where it still waited.
    #expect(try room.receive(.candidate(to: "p1-s", generation: 1, .null), on: 2) == [])
    #expect(Room.heard(try room.offer(2, to: 1, "new", generation: 2), 11) == ["description new"])
    _ = room.disconnected(2)
    let back = try room.join("doctor", .specialist, on: 12, resume: "token2")
    #expect(Room.heard(back, 12) == [])
  }

  @Test func signalsToWhoHasJustLeftAreNoMistake() throws {
    let room = try Room.ofTwo()
    _ = try room.receive(.leave, on: 2)
    #expect(try room.candidate(1, to: 2, "late") == [])
  }

  @Test func whoMayNotStayHoldsNoSeat() throws {
    let room = try Room.ofTwo()
    let actions = room.dismiss(2)
    #expect(actions.contains(.record(.callLeft, room.people["doctor"], participants: 1)))
    #expect(room.dismiss(2) == [])
  }

  @Test func whoMayNoLongerBeHereIsSentAway() throws {
    let room = try Room.ofTwo()
    let actions = room.dismiss { $0.role == .specialist }
    #expect(actions.first == .close(2, .notAllowed, reason: "not your call any more"))
    #expect(room.roster(actions, of: 1) == [])
    #expect(room.count == 1)
    #expect(room.dismiss { $0.role == .specialist } == [])
  }

  /// Another node goes on with what this one kept: the same seats by the same tokens, the same generations; and
  /// whoever comes back is told that signals may be missing.
  @Test func anotherNodeGoesOn() throws {
    let room = try Room.ofTwo()
    _ = try room.offer(1, to: 2, "before")
    #expect(try room.moved() == [.hold(seat: "p1-s", number: 1), .hold(seat: "p2-s", number: 1)])
    #expect(room.count == 2)
    #expect(throws: CallMistake.self) { try room.receive(.ping, on: 1) }
    let back = try room.join("nurse", on: 11, resume: "token1")
    #expect(back.first == .release(seat: "p1-s"))
    let joined = try #require(Room.sent(back, 11).first)
    #expect(joined["self"] == "p1-s" && joined["resume"] == "token1" && joined["renegotiate"] == true)
    #expect(joined["roster"]?["members"]?.array?.first?["generation"] == 1)
    #expect(joined["roster"]?["members"]?.array?.first?["polite"] == false)
    // A thief's token is no better there.
    #expect(Room.sent(try room.join("thief", on: 3, resume: "token2"), 3).first?["self"] != "p2-s")
    // The other resumes, and they negotiate in the generation that they were in.
    _ = try room.join("doctor", .specialist, on: 12, resume: "token2")
    #expect(Room.heard(try room.offer(11, to: 2, "after"), 12) == ["description after"])
    // After an answered ping it is known that everything arrives again.
    _ = try room.receive(.pong, on: 11)
    _ = room.disconnected(11)
    #expect(Room.sent(try room.join("nurse", on: 21, resume: "token1"), 21).first?["renegotiate"] == false)
    #expect(room.expire(seat: "p2-s", number: 1).isEmpty)
  }

  @Test func aDocumentThatIsNoneIsRefused() {
    for text in ["{}", "[]", "{\"salt\":\"s\",\"joins\":1,\"version\":1,\"seats\":[{\"id\":\"p1\"}]}"] {
      #expect(RoomMachine(document: (try? JSON(parsing: text)) ?? .null, tree: FacilityTree(parents: [])) == nil)
    }
  }

  @Test func longVisitorsListsAreForgotten() throws {
    let room = Room()
    _ = try room.join("host", on: 1)
    for number in 2...1_000 {
      _ = try room.join("guest\(number)", on: number)
      _ = try room.receive(.leave, on: number)
    }
    let actions = try room.join("guest2", on: 2_000)
    #expect(Room.sent(actions, 2_000).first?["self"]?.string?.hasSuffix("-s") == true)
    #expect(room.count == 2)
  }
}

/// A room with names, and what its actions mean in short.
private final class Room {
  private var machine = RoomMachine(salt: "s")
  var people: [String: RoomMachine.Participant] = [:]
  private var tokens = 0

  var isEmpty: Bool { machine.isEmpty }
  var count: Int { machine.count }
  func receive(_ message: CallMessage, on link: Int) throws(CallMistake) -> [RoomMachine.Action] {
    try machine.receive(message, on: link)
  }
  func disconnected(_ link: Int) -> [RoomMachine.Action] { machine.disconnected(link) }
  func expire(seat: String, number: Int) -> [RoomMachine.Action] { machine.expire(seat: seat, number: number) }
  func dismiss(_ link: Int) -> [RoomMachine.Action] { machine.dismiss(link) }
  func dismiss(where isUnwanted: (RoomMachine.Participant) -> Bool) -> [RoomMachine.Action] {
    machine.dismiss(where: isUnwanted)
  }
  /// As if another node had read what this one kept.
  func moved() throws -> [RoomMachine.Action] {
    let document = try JSON(parsing: machine.document.text)
    machine = try #require(RoomMachine(document: document, tree: FacilityTree(parents: [])))
    return machine.holdAll()
  }

  static func ofTwo() throws -> Room {
    let room = Room()
    _ = try room.join("nurse", on: 1)
    _ = try room.join("doctor", .specialist, on: 2)
    return room
  }

  func join(
    _ name: String, _ role: Role = .station, on link: Int, resume: String? = nil
  ) throws -> [RoomMachine.Action] {
    let participant =
      people[name]
      ?? .init(
        caller: Caller(
          sessionId: "session \(name)", kind: .session, personId: name, username: name, name: "Người \(name)",
          grants: [], tree: FacilityTree(parents: [])), role: role)
    people[name] = participant
    tokens += 1
    return try machine.join(
      participant, on: link, resume: resume, newToken: "token\(tokens)", iceServers: { [["for": .string($0)]] })
  }

  func offer(
    _ link: Int, to other: Int, _ sdp: String, generation: Int64 = 1
  ) throws -> [RoomMachine.Action] {
    try machine.receive(
      .description(
        to: "p\(other)-s", generation: generation, ["type": "offer", "sdp": .string(sdp)]), on: link)
  }

  func candidate(_ link: Int, to other: Int, _ text: String) throws -> [RoomMachine.Action] {
    try machine.receive(
      .candidate(to: "p\(other)-s", generation: 1, ["candidate": .string(text)]), on: link)
  }

  static func sent(_ actions: [RoomMachine.Action], _ link: Int) -> [JSON] {
    actions.compactMap { if case .send(let json, link) = $0 { json } else { nil } }
  }

  /// The relayed messages to a link.
  static func heard(_ actions: [RoomMachine.Action], _ link: Int) -> [String] {
    sent(actions, link).compactMap { json in
      switch json["op"] {
      case "description": "description \(json["description"]?["sdp"]?.string ?? "")"
      case "candidate": "candidate \(json["candidate"]?["candidate"]?.string ?? "")"
      case "chat": "chat \(json["text"]?.string ?? "")"
      default: nil
      }
    }
  }

  /// The newest roster that a link was told.
  private static func roster(_ actions: [RoomMachine.Action], _ link: Int) -> JSON? {
    sent(actions, link).compactMap { $0["op"] == "joined" ? $0["roster"] : $0["op"] == "roster" ? $0 : nil }.last
  }

  static func version(_ actions: [RoomMachine.Action], _ link: Int) -> Int64? {
    roster(actions, link)?["version"]?.int
  }

  func roster(_ actions: [RoomMachine.Action], of link: Int) -> [String]? {
    Self.roster(actions, link)?["members"]?.array?.map { member in
      let polite = member["polite"] == true ? "polite" : "impolite"
      return [member["id"]?.string, member["role"]?.string, member["name"]?.string, polite].compactMap { $0 }.joined(
        separator: " ") + " \(member["generation"]?.int ?? 0)"
    }
  }

  func polite(_ actions: [RoomMachine.Action], _ link: Int, toward other: Int) -> Bool? {
    Self.roster(actions, link)?["members"]?.array?.first { $0["id"]?.string == "p\(other)-s" }?["polite"]?.bool
  }
}
