import Coordinator
import Domain
import NIOCore
import StorageSQLite
import Synchronization
import Testing

@testable import Realtime

/// Calls over real sockets, with their facts in a real log.
@Suite struct CallSocketTests {
  @Test func twoMeetTalkAndPart() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    try await SiteServer.run(site) { server in
      let nurse = try await server.socket("/call/\(consult)?as=nurse")
      let first = try await nurse.join()
      #expect(first["roster"]?["members"] == [])
      #expect(first["iceServers"]?.array?.first?["urls"] == ["turn:turn.hoichan.test:3478"])
      let doctor = try await server.socket("/call/\(consult)?as=doctor")
      let second = try await doctor.join()
      let station = try #require(second["roster"]?["members"]?.array?.first)
      #expect(station["role"] == "station" && station["name"] == "Người nurse" && station["polite"] == true)
      let roster = try await nurse.json(op: "roster")
      let seen = try #require(roster["members"]?.array?.first)
      #expect(seen["id"] == second["self"] && seen["role"] == "specialist" && seen["polite"] == false)

      let (nurseId, doctorId) = (try #require(first["self"]), try #require(second["self"]))
      let offer: JSON = ["type": "offer", "sdp": "v=0"]
      try await nurse.say(["op": "description", "to": doctorId, "generation": 1, "description": offer])
      let relayed = try await doctor.json(op: "description")
      #expect(relayed == ["op": "description", "from": nurseId, "generation": 1, "description": offer])
      try await doctor.say(["op": "chat", "text": "Nghe rõ"])
      let chat = try await nurse.json(op: "chat")
      #expect(chat == ["op": "chat", "from": doctorId, "text": "Nghe rõ"])

      try await doctor.say(["op": "leave"])
      #expect(try await doctor.closing() == .close(.normal, reason: "left"))
      let alone = try await nurse.json(op: "roster")
      #expect(alone["members"] == [])
      try await nurse.say(["op": "leave"])
      #expect(try await nurse.closing() == .close(.normal, reason: "left"))
      let facts = try await site.facts(of: consult, until: .callEnded)
      #expect(
        facts == [
          "call.joined station 1", "call.joined specialist 2", "call.left specialist 1", "call.left station 0",
          "call.ended  0",
        ])
    }
  }

  @Test func aLostLinkIsResumed() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    try await SiteServer.run(site) { server in
      let nurse = try await server.socket("/call/\(consult)?as=nurse")
      _ = try await nurse.join()
      let doctor = try await server.socket("/call/\(consult)?as=doctor")
      let joined = try await doctor.join()
      let resume = try #require(joined["resume"]?.string)
      // What is said now may go into the dying socket or wait for the seat: it arrives once the seat is resumed.
      try await doctor.drop()
      for number in 0..<20 { try await nurse.say(["op": "chat", "text": .string("\(number)")]) }
      try await nurse.say(["op": "ping"])
      _ = try await nurse.json(op: "pong")
      let back = try await server.socket("/call/\(consult)?as=doctor")
      let resumed = try await back.join(resume: resume)
      #expect(resumed["self"] == joined["self"] && resumed["renegotiate"] == false)
      for number in 0..<20 {
        let chat = try await back.json(op: "chat")
        #expect(chat["text"]?.string == "\(number)")
      }
      // A further socket takes the seat over.
      let again = try await server.socket("/call/\(consult)?as=doctor")
      let taken = try await again.join(resume: resume)
      #expect(taken["self"] == joined["self"])
      #expect(try await back.closing() == .close(.normal, reason: "taken over"))
    }
  }

  @Test func aSeatIsHeldForAWhileOnly() async throws {
    let site = try await Site(grace: .milliseconds(200))
    let consult = try await site.consult()
    try await SiteServer.run(site) { server in
      let (nurse, doctor) = try await server.pair(in: consult)
      try await doctor.drop()
      let alone = try await nurse.json(op: "roster")
      #expect(alone["members"] == [])
      try await nurse.drop()
      let facts = try await site.facts(of: consult, until: .callEnded)
      #expect(facts.suffix(3) == ["call.left specialist 1", "call.left station 0", "call.ended  0"])
    }
  }

  /// Whoever was in a call finds the seat where the service runs next; who does not come back has left.
  @Test func aStoppingServerKeepsTheSeats() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    let tokens = Mutex<[JSON]>([])
    try await SiteServer.run(site) { server in
      for name in ["nurse", "doctor"] {
        let socket = try await server.socket("/call/\(consult)?as=\(name)")
        let joined = try await socket.join()
        tokens.withLock { $0.append(joined) }
        if name == "doctor" {
          await server.stop()
          #expect(try await socket.closing() == .close(.goingAway, reason: "server is stopping"))
        }
      }
    }
    #expect(try await site.store.read { try $0.callRoom(consult)?.node } == nil)
    let next = Site(after: site)
    try await SiteServer.run(next) { server in
      let nurse = try await server.socket("/call/\(consult)?as=nurse")
      let first = try #require(tokens.withLock { $0.first })
      let resumed = try await nurse.join(resume: try #require(first["resume"]?.string))
      #expect(resumed["self"] == first["self"] && resumed["renegotiate"] == true)
      #expect(resumed["roster"]?["members"]?.array?.count == 1)
      await server.stop()
      _ = try await nurse.closing()
    }
    // Nobody comes back.
    let last = Site(after: site, grace: .milliseconds(50))
    try await last.run {
      while try await last.store.read({ try $0.callRoom(consult) }) != nil { await Task.yield() }
    }
    let facts = try await last.facts(of: consult, until: .callEnded)
    #expect(facts.prefix(2) == ["call.joined station 1", "call.joined specialist 2"])
    // Both seats are given up in the same moment, either first.
    let left = [["station 1", "specialist 0"], ["specialist 1", "station 0"]].map { $0.map { "call.left " + $0 } }
    #expect(left.contains(Array(facts.dropFirst(2).dropLast())) && facts.last == "call.ended  0")
  }

  @Test func signingOutGivesTheSeatUp() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    let caller = try await site.caller("doctor")
    try await SiteServer.run(site) { server in
      let (nurse, doctor) = try await server.pair(in: consult)
      site.hub.sessionEnded(caller.sessionId)
      #expect(try await doctor.closing() == .close(.signInEnded, reason: "signed out"))
      let alone = try await nurse.json(op: "roster")
      #expect(alone["members"] == [])
    }
  }

  @Test func mistakesAreAnsweredAndThenEnough() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    try await SiteServer.run(site) { server in
      let nurse = try await server.socket("/call/\(consult)?as=nurse")
      try await nurse.say(["op": "chat", "text": "?"])
      var error = try await nurse.json(op: "error")
      #expect(error["code"] == "not-joined")
      _ = try await nurse.join()
      try await nurse.say(["op": "join"])
      error = try await nurse.json(op: "error")
      #expect(error["code"] == "already-joined")
      for _ in 2..<Limits.callMistakes { try await nurse.say("nonsense") }
      #expect(try await nurse.closing() == .close(.policyViolation, reason: "too many mistakes"))
    }
  }

  @Test func messagesAreTexts() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    try await SiteServer.run(site) { server in
      let nurse = try await server.socket("/call/\(consult)?as=nurse")
      try await nurse.say(["op": "ping"], as: .binary)
      #expect(try await nurse.closing() == .close(.unsupportedData, reason: "a call speaks text"))
    }
  }

  @Test func whoMayNotJoinIsRefused() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    let stranger = try await site.caller("stranger", .station, at: Site.other)
    await #expect(throws: Rejection.notFound) { try await site.rooms.admit(stranger, consult: consult) }
    let monitor = try await site.caller("monitor")
    await #expect(throws: Rejection.forbidden) { try await site.rooms.admit(monitor, consult: consult) }
    let nurse = try await site.caller("nurse")
    await #expect(throws: Rejection.notFound) { try await site.rooms.admit(nurse, consult: "none") }
  }

  @Test func aConcludedConsultDoesNotCutTheLine() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    let (nurse, doctor) = (try await site.caller("nurse"), try await site.caller("doctor"))
    try await SiteServer.run(site) { server in
      let client = try await server.socket("/call/\(consult)?as=nurse")
      _ = try await client.join()
      _ = try await site.coordinator.move(Call(doctor), consult: consult, .start, [:])
      _ = try await site.coordinator.conclude(
        Call(doctor), consult: consult,
        [
          "summary": "Nhồi máu cơ tim cấp", "diagnoses": [["code": "I21.0", "main": true]],
          "disposition": "transferEmergency", "recommendation": "Aspirin 300 mg, chuyển ngay.",
        ])
      // Who is seated may come back; who is not has come too late.
      _ = try await site.rooms.admit(nurse, consult: consult)
      await #expect(throws: Rejection.self) { try await site.rooms.admit(doctor, consult: consult) }
    }
  }

  @Test func whoDeclinedIsSentAway() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    let caller = try await site.caller("doctor")
    try await SiteServer.run(site) { server in
      let (nurse, doctor) = try await server.pair(in: consult)
      _ = try await site.coordinator.move(Call(caller), consult: consult, .decline, ["reason": "Bận mổ"])
      #expect(try await doctor.closing() == .close(.notAllowed, reason: "not your call any more"))
      let alone = try await nurse.json(op: "roster")
      #expect(alone["members"] == [])
    }
  }

  /// It came here and spoke to the other node before that one listened.
  @Test func whoIsUnknownWhereTheRoomIsComesAgain() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    try await SiteServer.run(site) { server in
      let nurse = try await server.socket("/call/\(consult)?as=nurse")
      try await nurse.say(["op": "ping"])
      _ = try await nurse.json(op: "pong")
      site.rooms.state.withLock { state in
        for link in state.wires.keys { state.away[link] = (consult, .elsewhere(node: "host", term: 1)) }
      }
      site.rooms.hear(["op": "lost"], from: "another")
      try await nurse.say(["op": "ping"])
      _ = try await nurse.json(op: "pong")
      site.rooms.hear(["op": "lost"], from: "host")
      #expect(try await nurse.closing() == .close(.goingAway, reason: "come again"))
    }
  }

  @Test func presenceIsShownToWhoWatches() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    try await SiteServer.run(site) { server in
      let feed = try await server.socket("/feed?types=presence")
      _ = try await feed.json()
      let nurse = try await server.socket("/call/\(consult)?as=nurse")
      _ = try await nurse.join()
      let shown = try await feed.json()
      #expect(shown["kind"] == "volatile")
      #expect(shown["event"]?["subject"]?.string == "consults/\(consult)")
      #expect(shown["event"]?["data"]?["participants"] == 1)
    }
  }
}

extension Site {
  /// An accepted consult of the first station: its id. The callers `nurse` and `doctor` are its two sides.
  func consult() async throws -> String {
    let nurse = try await caller("nurse", .station, at: Self.station)
    let doctor = try await caller("doctor", .specialist, at: Self.hospital)
    let answer = try await coordinator.requestConsult(
      Call(nurse),
      [
        "specialty": "cardiology", "urgency": "urgent", "mode": "live", "patient": ["temporary": true],
        "situation": "Đau ngực trái", "request": "Có chuyển tuyến không?",
      ])
    let id = try #require(try JSON(parsing: answer.body ?? [])["id"]?.string)
    _ = try await coordinator.move(Call(doctor), consult: id, .accept, [:])
    return id
  }

  /// The call's facts in the log, as soon as this one is there.
  func facts(of consult: String, until last: EventType) async throws -> [String] {
    // A seat is held for 30 seconds: what its end brings about is not what is waited for.
    try await within(.seconds(10)) { [self] in
      while true {
        let events = try await coordinator.events(after: 0, limit: 500).filter {
          $0.subject == "consults/\(consult)" && $0.type.hasPrefix("call.")
        }
        if events.contains(where: { $0.type == last.rawValue }) {
          return try events.map { event in
            let data = try JSON(parsing: event.data)
            return "\(event.type) \(data["role"]?.string ?? "") \(data["participants"]?.int ?? -1)"
          }
        }
        try await Task.sleep(for: .milliseconds(10))
      }
    }
  }
}

extension SiteServer {
  /// Both sides of a consult, who see each other.
  fileprivate func pair(in consult: String) async throws -> (nurse: SocketClient, doctor: SocketClient) {
    let nurse = try await socket("/call/\(consult)?as=nurse")
    _ = try await nurse.join()
    let doctor = try await socket("/call/\(consult)?as=doctor")
    _ = try await doctor.join()
    _ = try await nurse.json(op: "roster")
    return (nurse, doctor)
  }
}

extension SocketClient {
  fileprivate func join(resume: String? = nil) async throws -> JSON {
    try await say(.compact(["op": "join", "resume": resume.map { .string($0) }]))
    return try await json(op: "joined")
  }
}
