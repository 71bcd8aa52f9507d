import Coordinator
import Domain

/// What goes through a notification: the sender, and a message a line.
enum NodeMessages {
  /// PostgreSQL takes less than 8,000 bytes.
  static let payloadBytes = 7_800

  enum Line: Equatable {
    /// The sequencer has numbered events.
    case logged
    /// The outbox of events holds something.
    case outbox
    case message(PeerMessage, to: String?)
    /// The message's text is in the table `node_message` under this id.
    case stored(String, to: String?)
  }

  static func logged(by node: String) -> String { node + "\n" + encode(.logged) }

  static func encode(_ line: Line) -> String {
    let json: JSON =
      switch line {
      case .logged: ["k": "logged"]
      case .outbox: ["k": "outbox"]
      case .message(let message, let to):
        .compact(["k": .string(message.kind.rawValue), "to": to.map { .string($0) }, "b": message.body])
      case .stored(let id, let to): .compact(["k": "stored", "to": to.map { .string($0) }, "id": .string(id)])
      }
    return json.text
  }

  static func decode(_ text: some StringProtocol) -> Line? {
    // A node of the next release may say what this one does not know.
    guard let json = try? JSON(parsing: String(text)), let kind = json["k"]?.string else { return nil }
    let to = json["to"]?.string
    switch kind {
    case "logged": return .logged
    case "outbox": return .outbox
    case "stored": return json["id"]?.string.map { .stored($0, to: to) }
    default: return PeerMessage.Kind(rawValue: kind).map { .message(PeerMessage($0, json["b"] ?? .null), to: to) }
    }
  }

  /// The sender and its lines.
  static func split(_ payload: String) -> (from: String, lines: [Substring])? {
    var lines = payload.split(separator: "\n")
    guard !lines.isEmpty else { return nil }
    return (String(lines.removeFirst()), lines)
  }
}
