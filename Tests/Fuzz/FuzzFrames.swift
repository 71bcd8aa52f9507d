import NIOCore
import Realtime

/// What libFuzzer calls with bytes that it made up (ops/fuzz). Whatever they are, the decoder must read them alike in
/// one piece and in many, in either role, and give out nothing that breaks its own promises.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = ByteBuffer(bytes: UnsafeBufferPointer(start: start, count: count))
  for role in [FrameDecoder.Role.server, .client] {
    for deflates in [false, true] {
      let whole = decode(input, role: role, deflates: deflates) { count }
      let octets = decode(input, role: role, deflates: deflates) { 1 }
      require(octets == whole, "octet by octet \(octets), in one piece \(whole)")
      var pieces = Pieces(of: input)
      let random = decode(input, role: role, deflates: deflates) { pieces.next() }
      require(random == whole, "in pieces \(random), in one piece \(whole)")
      readBack(whole.events, role: role)
    }
  }
  inflate(input)
  return 0
}

/// As if it were a compressed message, and as one that is to be compressed.
private func inflate(_ input: ByteBuffer) {
  if let expanded = try? Inflater.expand(input, limit: tight.message) {
    require(expanded.readableBytes <= tight.message, "expanded beyond the limit")
  }
  guard let packed = Deflater.shared.compress(input) else { return }
  let expanded = try? Inflater.expand(packed, limit: input.readableBytes)
  require(expanded == input, "compressed and expanded it is another")
}

/// Small, so that the limits are reached by inputs of a few kilobytes.
private let tight = SocketLimits(frame: 1024, message: 2048)

private struct Outcome: Equatable {
  var events: [FrameEvent] = []
  var failure: ProtocolFailure?
}

/// Feeds the bytes in pieces of the lengths given, as a connection would, up to the failure if there is one.
private func decode(
  _ input: ByteBuffer, role: FrameDecoder.Role, limits: SocketLimits = tight, deflates: Bool = false,
  pieces nextLength: () -> Int
) -> Outcome {
  var decoder = FrameDecoder(role: role, limits: limits, deflates: deflates)
  var outcome = Outcome()
  var coming = input
  var waiting = ByteBuffer()
  while coming.readableBytes > 0 {
    guard var piece = coming.readSlice(length: min(nextLength(), coming.readableBytes)) else { break }
    waiting.writeBuffer(&piece)
    do throws(ProtocolFailure) {
      while true {
        let before = waiting.readableBytes
        let event = try decoder.next(&waiting)
        require(waiting.readableBytes <= before, "bytes came back")
        guard let event else { break }
        require(waiting.readableBytes < before, "an event out of nothing: \(event)")
        check(event, limits)
        outcome.events.append(event)
      }
      // A header that is not whole is all that may wait, and asking again changes nothing.
      let before = waiting.readableBytes
      require(before < 14, "\(before) bytes wait")
      let more = try decoder.next(&waiting)
      require(more == nil && waiting.readableBytes == before, "asked again it found more")
    } catch {
      require([.protocolError, .invalidPayload, .tooBig].contains(error.code), "failed with \(error)")
      outcome.failure = error
      return outcome
    }
  }
  return outcome
}

/// What holds of every event by itself.
private func check(_ event: FrameEvent, _ limits: SocketLimits) {
  switch event {
  case .message(.text(let bytes)):
    require(bytes.readableBytes <= limits.message, "a text beyond the limit")
    require(String(validating: bytes.readableBytesView, as: UTF8.self) != nil, "a text that is not UTF-8")
  case .message(.binary(let bytes)):
    require(bytes.readableBytes <= limits.message, "a message beyond the limit")
  case .ping(let bytes), .pong(let bytes):
    require(bytes.readableBytes <= 125, "a long control frame")
  case .close(let code, let reason):
    require(code == .noStatus ? reason.isEmpty : code.mayBeSent && reason.utf8.count <= 123, "closed by \(event)")
  }
}

/// What was understood, written as single frames, is understood as the same again.
private func readBack(_ events: [FrameEvent], role: FrameDecoder.Role) {
  let mask: UInt32? = role == .server ? 0x9E37_79B9 : nil
  var frames = ByteBuffer()
  for event in events {
    var frame =
      switch event {
      case .message(.text(let bytes)): FrameEncoder.frame(.text, bytes, mask: mask)
      case .message(.binary(let bytes)): FrameEncoder.frame(.binary, bytes, mask: mask)
      case .ping(let bytes): FrameEncoder.frame(.ping, bytes, mask: mask)
      case .pong(let bytes): FrameEncoder.frame(.pong, bytes, mask: mask)
      case .close(let code, let reason): FrameEncoder.close(code, reason: reason, mask: mask)
      }
    frames.writeBuffer(&frame)
  }
  // One frame may be as long as a message here.
  let roomy = SocketLimits(frame: tight.message, message: tight.message)
  let length = max(1, frames.readableBytes)
  let again = decode(frames, role: role, limits: roomy) { length }
  require(again == Outcome(events: events), "written and read again \(events) became \(again)")
}

/// Lengths of pieces, most of them short, by chance that depends on the input alone: the same input fails twice.
private struct Pieces {
  private var state: UInt64

  init(of input: ByteBuffer) {
    state = 0xCBF2_9CE4_8422_2325
    for byte in input.readableBytesView { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  mutating func next() -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let isLong = (state >> 40) & 7 == 0
    return 1 + Int((state >> 48) & (isLong ? 0x7FF : 0xF))
  }
}

/// Traps in release builds too, with what was wrong.
private func require(_ isTrue: Bool, _ wrong: @autoclosure () -> String) {
  guard isTrue else { fatalError(wrong()) }
}
