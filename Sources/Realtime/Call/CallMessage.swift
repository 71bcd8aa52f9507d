import Domain
import NIOCore

/// What a participant says to the server (CONTRACT "Call socket"), checked: whatever is relayed was read here and is
/// written anew, so that no member we do not know passes through.
enum CallMessage: Equatable {
  case join(resume: String?)
  case description(to: String, generation: Int64, JSON)
  /// `.null` says that there are no more.
  case candidate(to: String, generation: Int64, JSON)
  case chat(String)
  case quality(CallQuality)
  case ping
  case pong
  case leave
}

/// How the link is for one participant, as its page measures it.
package struct CallQuality: Sendable, Equatable {
  package enum Mode: String, Sendable, CaseIterable { case video, audio, phone, written }
  var rttMs: Double?
  var lossPct: Double?
  var mode: Mode?
}

/// What was wrong with a message; told to its sender only.
package struct CallMistake: Error, Equatable {
  package enum Code: String, Sendable, CaseIterable {
    /// No JSON object with a known `op`.
    case malformed
    /// A member is missing or wrong.
    case invalid
    case notJoined = "not-joined"
    case alreadyJoined = "already-joined"
    case unknownMember = "unknown-member"
    case tooMany = "too-many"
    case unavailable
  }

  var code: Code
  var detail: String

  init(_ code: Code, _ detail: String) {
    self.code = code
    self.detail = detail
  }

  var json: JSON { ["op": "error", "code": .string(code.rawValue), "detail": .string(detail)] }
}

extension CallMessage {
  static func parse(_ text: ByteBuffer) throws(CallMistake) -> CallMessage {
    let json: JSON
    do {
      json = try JSON(parsing: text.readableBytesView)
    } catch {
      throw CallMistake(.malformed, "no JSON: \(error.reason)")
    }
    guard case .object(let members) = json, let op = json["op"]?.string else {
      throw CallMistake(.malformed, "an object with 'op' is expected")
    }
    switch op {
    case "join": return .join(resume: try optional(members, "resume", "a text", \.string))
    case "description":
      let (to, generation) = try address(json)
      return .description(to: to, generation: generation, try description(json["description"]))
    case "candidate":
      let (to, generation) = try address(json)
      return .candidate(to: to, generation: generation, try candidate(members["candidate"]))
    case "chat": return .chat(try chat(json["text"]))
    case "quality":
      return .quality(
        CallQuality(
          rttMs: try optional(members, "rttMs", "0 to 600000", { number($0, 0...600_000) }),
          lossPct: try optional(members, "lossPct", "0 to 100", { number($0, 0...100) }),
          mode: try optional(
            members, "mode", "video, audio, phone or written", { $0.string.flatMap(CallQuality.Mode.init) })))
    case "ping": return .ping
    case "pong": return .pong
    case "leave": return .leave
    default: throw CallMistake(.malformed, "there is no such 'op'")
    }
  }

  private static func address(_ json: JSON) throws(CallMistake) -> (to: String, generation: Int64) {
    guard let to = json["to"]?.string else { throw CallMistake(.invalid, "'to' must be a member's id") }
    guard case .int(let generation)? = json["generation"] else {
      throw CallMistake(.invalid, "'generation' must be the number from the roster")
    }
    return (to, generation)
  }

  private static func description(_ json: JSON?) throws(CallMistake) -> JSON {
    guard let json, let type = json["type"]?.string, ["offer", "answer", "pranswer"].contains(type),
      let sdp = json["sdp"]?.string
    else { throw CallMistake(.invalid, "'description' must hold 'type' (offer, answer, pranswer) and 'sdp'") }
    return ["type": .string(type), "sdp": .string(sdp)]
  }

  private static func candidate(_ json: JSON?) throws(CallMistake) -> JSON {
    if json == .null { return .null }
    guard let json, let text = json["candidate"]?.string, text.utf8.count <= Limits.candidateText else {
      throw CallMistake(
        .invalid, "'candidate' must be null or hold a 'candidate' of up to \(Limits.candidateText) bytes")
    }
    guard case .object(let members) = json else { throw CallMistake(.invalid, "'candidate' must be an object") }
    let short: (JSON) -> JSON? = { value in value.string.flatMap { $0.utf8.count <= 256 ? value : nil } }
    return .compact([
      "candidate": .string(text), "sdpMid": try optional(members, "sdpMid", "a short text", short),
      "sdpMLineIndex": try optional(members, "sdpMLineIndex", "a number", { $0.int.map { .int($0) } }),
      "usernameFragment": try optional(members, "usernameFragment", "a short text", short),
    ])
  }

  private static func chat(_ json: JSON?) throws(CallMistake) -> String {
    guard let text = json?.string, !text.isEmpty, text.unicodeScalars.count <= Limits.chatText else {
      throw CallMistake(.invalid, "'text' must hold 1 to \(Limits.chatText) characters")
    }
    return text
  }

  /// Absent and `null` are nil; anything else must be what is expected.
  private static func optional<T>(
    _ members: JSON.Members, _ name: String, _ expected: String, _ read: (JSON) -> T?
  ) throws(CallMistake) -> T? {
    guard let json = members[name], json != .null else { return nil }
    guard let value = read(json) else { throw CallMistake(.invalid, "'\(name)' must be \(expected)") }
    return value
  }

  private static func number(_ json: JSON, _ range: ClosedRange<Double>) -> Double? {
    json.number.flatMap { range.contains($0) ? $0 : nil }
  }
}
