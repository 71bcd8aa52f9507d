import Domain
import NIOCore

/// One participant's socket: reads what it says and keeps it within bounds. Confined to its event loop; the seat in
/// the room outlives it.
final class CallSocket: SocketDelegate {
  /// How long a socket may stay without joining.
  private static let joinTimeout = TimeAmount.seconds(30)

  private let admission: CallAdmission
  private var link: RoomMachine.Link = 0
  private var watch: SessionWatch.Ticket?
  private var budget: MessageBudget?
  private var mistakes = 0
  private var joinTimer: Scheduled<Void>?

  init(_ admission: CallAdmission) {
    self.admission = admission
  }

  private var rooms: CallRooms { admission.rooms }

  func opened(_ socket: Socket) {
    link = rooms.open(socket, admission)
    budget = MessageBudget(now: socket.eventLoop.now)
    watch = rooms.sessions.watch(admission.participant.caller) { reason in
      socket.close(.signInEnded, reason: reason)
    }
    joinTimer = socket.eventLoop.scheduleTask(in: Self.joinTimeout) {
      socket.close(.policyViolation, reason: "nobody joined")
    }
  }

  func received(_ message: SocketMessage, on socket: Socket) {
    guard budget?.take(now: socket.eventLoop.now) == true else {
      return socket.close(.tooMany, reason: "too many messages")
    }
    guard case .text(let text) = message else { return socket.close(.unsupportedData, reason: "a call speaks text") }
    do throws(CallMistake) {
      let message = try CallMessage.parse(text)
      // Whether the link lives can be asked without a seat.
      if case .ping = message { return socket.send(text: "{\"op\":\"pong\"}") }
      try rooms.receive(message, text, on: link, admission)
      if case .join = message { joinTimer?.cancel() }
    } catch {
      mistakes += 1
      socket.send(text: ByteBuffer(bytes: error.json.bytes))
      if mistakes >= Limits.callMistakes { socket.close(.policyViolation, reason: "too many mistakes") }
    }
  }

  func closed(_ socket: Socket, _ closure: SocketClosure) {
    joinTimer?.cancel()
    if let watch { rooms.sessions.unwatch(watch) }
    let dismissed = closure.origin == .server && [.signInEnded, .policyViolation, .tooMany].contains(closure.code)
    rooms.closed(link, admission, mayResume: !dismissed)
  }
}

/// How much a participant may say: a burst, and so much a second after it.
struct MessageBudget {
  private var left = Double(Limits.callBurst)
  private var at: NIODeadline

  init(now: NIODeadline) {
    at = now
  }

  mutating func take(now: NIODeadline) -> Bool {
    let seconds = Double((now - at).nanoseconds) / 1e9
    at = now
    left = min(Double(Limits.callBurst), left + seconds * Double(Limits.callMessagesPerSecond))
    guard left >= 1 else { return false }
    left -= 1
    return true
  }
}
