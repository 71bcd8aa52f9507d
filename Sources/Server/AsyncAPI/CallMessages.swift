import Domain
import Realtime

/// The messages of the call's socket (CONTRACT "Call socket"). What a participant says may have further members, which
/// go nowhere; what it hears has none.
extension AsyncMessage {
  static let fromParticipant: [AsyncMessage] = [
    said("join", "Takes a seat, or claims the one that the token is of.", [.optional("resume", .string)]),
    said(
      "description", "An offer or answer for another member.",
      [to, generation, .required("description", sessionDescription)]),
    said(
      "candidate", "A candidate for another member; null: there are no more.",
      [to, generation, .required("candidate", candidate(.optional).orNull)]),
    said("chat", "A text for everybody else.", [.required("text", chatText)]),
    said(
      "quality", "How the link is, as the page measures it.",
      [
        .optional("rttMs", .number(0...600_000)), .optional("lossPct", .number(0...100)),
        .optional("mode", .choice(CallQuality.Mode.self)),
      ]),
    said("leave", "Gives up the seat."),
    said("ping", "Asks whether the link lives."),
    said("pong", "Answers a `ping`: everything before it has arrived."),
  ]

  static let toParticipant: [AsyncMessage] = [
    told(
      "joined", "The seat, the token that claims it again, and who else is there.",
      [
        .required("self", .string, "The participant's own id."), .required("resume", .string),
        .required("renegotiate", .boolean, "Signals were lost: negotiate anew with everybody."),
        .required("roster", roster), .required("iceServers", .array(iceServer), "Fresh credentials."),
      ]),
    told(
      "description", "An offer or answer of another member.",
      [from, generation, .required("description", sessionDescription.closed)]),
    told(
      "candidate", "A candidate of another member; null: there are no more.",
      [from, generation, .required("candidate", candidate(.sometimes).closed.orNull)]),
    told("roster", "Who else is there now.", rosterMembers),
    told("chat", "A text of another member.", [from, .required("text", chatText)]),
    told("ping", "To be answered with `pong`."),
    told("pong", "The link lives."),
    told(
      "error", "What was wrong with a message of this participant.",
      [.required("code", .choice(CallMistake.Code.self)), .required("detail", .string)]),
  ]

  private static let to = Schema.Member.required("to", .string, "A member's id.")
  private static let from = Schema.Member.required("from", .string, "A member's id.")
  private static let generation = Schema.Member.required(
    "generation", .count, "As the roster says it for this pair; signals of an older one are dropped.")
  private static let chatText = Schema.string(1...Limits.chatText)

  private static let sessionDescription = Schema.object {
    Schema.Member.required("type", .choice(["offer", "answer", "pranswer"]))
    Schema.Member.required("sdp", .string)
  }

  /// - Parameter presence: of what a browser may leave out or send as null, and the server leaves out.
  private static func candidate(_ presence: Schema.Member.Presence) -> Schema {
    Schema(
      .object([
        .required("candidate", .string(0...Limits.candidateText)),
        Schema.Member(name: "sdpMid", schema: .string(0...256), presence: presence),
        Schema.Member(name: "sdpMLineIndex", schema: .integer, presence: presence),
        Schema.Member(name: "usernameFragment", schema: .string(0...256), presence: presence),
      ]))
  }

  private static let member = Schema.object {
    Schema.Member.required("id", .string)
    Schema.Member.required("role", .choice(Role.self))
    Schema.Member.required("name", .string)
    Schema.Member.required("polite", .boolean, "Whether the hearer is polite toward this member.")
    generation
  }.closed.named("CallMember")

  private static let rosterMembers: [Schema.Member] = [
    .required("version", .count, "One more with every change."), .required("members", .array(member)),
  ]
  private static let roster = Schema(.object(rosterMembers)).closed

  private static let iceServer = Schema.object {
    Schema.Member.required("urls", .array(.string))
    Schema.Member.sometimes("username", .string)
    Schema.Member.sometimes("credential", .string)
  }.closed.named("IceServer")

  private static func said(_ op: String, _ summary: String, _ members: [Schema.Member] = []) -> AsyncMessage {
    AsyncMessage(name: "participant.\(op)", summary: summary, payload: message(op, members))
  }

  private static func told(_ op: String, _ summary: String, _ members: [Schema.Member] = []) -> AsyncMessage {
    AsyncMessage(name: "server.\(op)", summary: summary, payload: message(op, members).closed)
  }

  private static func message(_ op: String, _ members: [Schema.Member]) -> Schema {
    let first: [Schema.Member] = [.required("op", .choice([op]))]
    return Schema(.object(first + members))
  }
}
