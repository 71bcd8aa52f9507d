import Domain
import Realtime

/// One kind of message on a socket.
struct AsyncMessage: Sendable {
  /// Under `components/messages`: an event's type, the feed's `kind`, or who speaks and the call's `op`.
  let name: String
  let summary: String
  let payload: Schema

  var json: JSON {
    [
      "name": .string(name), "summary": .string(summary), "contentType": "application/json",
      "payload": payload.openAPI,
    ]
  }
}

/// A socket as AsyncAPI shows it: where it is, how it is opened, and who says what on it.
struct AsyncChannel: Sendable {
  /// What one side says. AsyncAPI describes the server: it sends, or it receives.
  struct Operation: Sendable {
    enum Action: String, Sendable { case send, receive }

    let name: String
    let action: Action
    let summary: String
    let messages: [AsyncMessage]
  }

  let name: String
  /// The `operationId` of the endpoint that opens it.
  let endpoint: String
  let title: String
  let note: String
  let subprotocol: String
  /// Query parameters of the endpoint that mean nothing to a socket.
  var foreign: Set<String> = []
  /// What the path's parameters are.
  var parameters: [(name: String, note: String)] = []
  let operations: [Operation]

  static let all = [feed, call]

  static let feed = AsyncChannel(
    name: "feed", endpoint: "readEvents", title: "The feed of events",
    note: """
      Every event that the caller may see and that fits the filter, once and in order, from `after` on. Lists in the \
      query are written with commas. A client sends nothing. Close codes: 1001 the server stops, 4401 the sign-in \
      ended, 4403 not allowed, 4408 too slow (the reason is the last cursor), 4410 gap, 4429 too many.
      """,
    subprotocol: FeedHub.subprotocol, foreign: ["limit", "wait"],
    operations: [
      Operation(name: "sendFeed", action: .send, summary: "What a follower hears.", messages: AsyncMessage.feed)
    ])

  static let call = AsyncChannel(
    name: "call", endpoint: "joinCall", title: "The call of a consult",
    note: """
      Signaling between the members of a consult's room. Whoever opens the socket takes a seat with `join`; a seat \
      outlives its socket for 30 seconds and is claimed with `resume`. Messages hold up to \
      \(Limits.signalBytes / 1024) KiB.
      """,
    subprotocol: CallRooms.subprotocol, parameters: [("id", "The consult's id.")],
    operations: [
      Operation(
        name: "receiveFromParticipant", action: .receive, summary: "What a participant says.",
        messages: AsyncMessage.fromParticipant),
      Operation(
        name: "sendToParticipant", action: .send, summary: "What a participant hears.",
        messages: AsyncMessage.toParticipant),
    ])

  /// The query of the handshake: as the endpoint takes it.
  func query(_ endpoint: Endpoint) -> Schema {
    let known = endpoint.query.filter { !foreign.contains($0.name) }
    return Schema(
      .object(
        known.map { parameter -> Schema.Member in
          parameter.isRequired
            ? .required(parameter.name, parameter.schema, parameter.note)
            : .sometimes(parameter.name, parameter.schema, parameter.note)
        }))
  }

  func json(_ endpoint: Endpoint) -> JSON {
    let header = Schema.object {
      Schema.Member.sometimes("Sec-WebSocket-Protocol", .choice([subprotocol]), "May be left out.")
    }
    var messages = JSON.Members()
    for message in operations.flatMap(\.messages) {
      messages[message.name] = Self.reference("#/components/messages/\(message.name)")
    }
    var members = JSON.Members([
      ("address", .string(endpoint.path)), ("title", .string(title)), ("description", .string(note)),
      ("messages", .object(messages)),
    ])
    if !parameters.isEmpty {
      var notes = JSON.Members()
      for parameter in parameters { notes[parameter.name] = ["description": .string(parameter.note)] }
      members["parameters"] = .object(notes)
    }
    members["bindings"] = [
      "ws": [
        "method": "GET", "query": query(endpoint).openAPI, "headers": header.openAPI, "bindingVersion": "0.1.0",
      ]
    ]
    return .object(members)
  }

  func json(_ operation: Operation) -> JSON {
    [
      "action": .string(operation.action.rawValue), "channel": Self.reference("#/channels/\(name)"),
      "summary": .string(operation.summary),
      "security": .array(Self.signIns.map { Self.reference("#/components/securitySchemes/\($0)") }),
      "messages": .array(operation.messages.map { Self.reference("#/channels/\(name)/messages/\($0.name)") }),
    ]
  }

  /// One of them is enough.
  private static let signIns: [String] = ["bearer", "cookie", "ticket"]

  private static func reference(_ address: String) -> JSON { ["$ref": .string(address)] }
}
