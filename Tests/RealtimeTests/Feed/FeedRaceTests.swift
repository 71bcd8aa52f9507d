import Coordinator
import Domain
import Foundation
import NIOCore
import NIOEmbedded
import Testing

@testable import Realtime

/// Readers who come at any moment of a writer's work and at any position, and leave again: each sees every event behind
/// its own position once. They share a few sockets without a network, so that thousands come in a second.
@Suite struct FeedRaceTests {
  /// As many as fit into every run of the suite; `ops/test-feed races` asks for 100,000.
  static let races = ProcessInfo.processInfo.environment["HOICHAN_RACES"].flatMap { Int($0) } ?? 10_000
  private static let loopCount = 4
  private static let seatsPerLoop = 24
  private static let ringEvents = 1_024

  @Test func comingDuringPublishingNeitherMissesNorRepeats() async throws {
    let site = try await Site(ringEvents: Self.ringEvents)
    try await site.append(3 * Self.ringEvents)
    let seen = SeenLog(epoch: try await site.head().epoch)
    try await seen.learn(from: site)
    let (begun, over, done) = (LockedBox(0), LockedBox(0), LockedBox(false))
    try await site.run(limit: patience + .milliseconds(10 * Self.races)) {
      let caller = try await site.caller("monitor")
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          var size = 1
          while !done.withLock({ $0 }), !Task.isCancelled {
            try await site.append(size)
            size = size % 7 + 1
          }
        }
        for _ in 0..<Self.loopCount {
          let loop = NIOAsyncTestingEventLoop()
          for _ in 0..<Self.seatsPerLoop {
            group.addTask {
              let seat = try await FeedSeat.make(on: loop, seen: seen)
              while case let number = begun.withLock({ Self.increase(&$0) }), number <= Self.races {
                let after = Self.start(number, seen)
                let subscription = try await site.subscribe(caller, after: after?.text)
                try await FeedSeat.visit(seat, on: loop, subscription, from: after, events: 1 + number % 12)
                _ = over.withLock { Self.increase(&$0) }
              }
            }
          }
        }
        for _ in 0..<Self.loopCount * Self.seatsPerLoop { try await group.next() }
        done.withLock { $0 = true }
        try await group.waitForAll()
      }
    }
    #expect(over.withLock { $0 } == Self.races)
    // What the readers were shown is the log.
    let newest = seen.highest
    try await seen.learn(from: site)
    let head = try await site.head().seq
    #expect(seen.wrong == [])
    #expect(newest > 3 * Int64(Self.ringEvents) && newest <= head)
  }

  private static func increase(_ number: inout Int) -> Int {
    number += 1
    return number
  }

  /// From now on, from somewhere in the ring, or, seldom, since it is slow, from behind it.
  private static func start(_ number: Int, _ seen: SeenLog) -> Cursor? {
    switch number % 32 {
    case 0: seen.cursor(back: Int.random(in: 2 * ringEvents...3 * ringEvents))
    case 1...8: nil
    case 9...20: seen.cursor(back: Int.random(in: 0...20))
    default: seen.cursor(back: Int.random(in: 0...ringEvents))
    }
  }
}

/// What readers were shown: one cursor for a number, whoever is asked.
private final class SeenLog: Sendable {
  private struct State {
    var cursors: [Int64: Cursor] = [:]
    var highest: Int64 = 0
    var wrong: [String] = []
  }

  private let epoch: UInt64
  private let state = LockedBox(State())

  init(epoch: UInt64) { self.epoch = epoch }

  var highest: Int64 { state.withLock { $0.highest } }
  var wrong: [String] { state.withLock { $0.wrong } }

  func blame(_ reason: String) { state.withLock { $0.wrong.append(reason) } }

  /// Notes what was shown; it must be what others were shown under this number.
  func note(_ cursor: Cursor) {
    state.withLock { state in
      if let known = state.cursors.updateValue(cursor, forKey: cursor.seq), known != cursor {
        state.wrong.append("two events have the number \(cursor.seq)")
      }
      state.highest = max(state.highest, cursor.seq)
    }
  }

  /// A position so far behind the newest that anybody was shown.
  func cursor(back: Int) -> Cursor? {
    state.withLock { $0.cursors[max(1, $0.highest - Int64(back))] }
  }

  /// Reads the log itself.
  func learn(from site: Site) async throws {
    var position: Int64 = 0
    while case let page = try await site.coordinator.events(after: position, limit: 1_000), let last = page.last {
      for event in page { note(Cursor(epoch: epoch, seq: event.seq, chain: event.chain)) }
      position = last.seq
    }
  }
}

/// A socket on which one reader after another follows the feed. It looks at what is written, which goes no further.
private final class FeedSeat: ChannelOutboundHandler, SocketDelegate {
  typealias OutboundIn = ByteBuffer

  private let seen: SeenLog
  private var socket: Realtime.Socket?
  private var reader: (any SocketDelegate)?
  private var finish: CheckedContinuation<Void, Never>?
  private var isGivenUp = false
  /// Where the reader asked to begin, and where it stands, from `ready` on.
  private var start: Cursor?
  private var position: Int64?
  private var left = 0

  private init(_ seen: SeenLog) { self.seen = seen }

  static func make(on loop: NIOAsyncTestingEventLoop, seen: SeenLog) async throws -> NIOLoopBound<FeedSeat> {
    let channel = NIOAsyncTestingChannel(loop: loop)
    try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
    return try await loop.executeInContext {
      let seat = FeedSeat(seen)
      let bound = NIOLoopBound(seat, eventLoop: loop)
      try channel.pipeline.syncOperations.addHandler(seat)
      let handler = WebSocketHandler(
        PendingSocket(limits: FeedHub.socketLimits, makeDelegate: { _ in bound.value }), wheel: TimerWheel(loop),
        now: loop.now)
      try channel.pipeline.syncOperations.addHandler(handler)
      return bound
    }
  }

  /// A reader comes, sees so many events at least, and leaves.
  static func visit(
    _ seat: NIOLoopBound<FeedSeat>, on loop: NIOAsyncTestingEventLoop, _ subscription: FeedSubscription,
    from start: Cursor?, events: Int
  ) async throws {
    await withTaskCancellationHandler {
      await withCheckedContinuation { (finish: CheckedContinuation<Void, Never>) in
        loop.execute { seat.value.come(subscription, from: start, events: events, finish) }
      }
    } onCancel: {
      loop.execute { seat.value.giveUp() }
    }
    try await loop.executeInContext { seat.value.leave() }
    try Task.checkCancellation()
  }

  private func come(
    _ subscription: FeedSubscription, from start: Cursor?, events: Int, _ finish: CheckedContinuation<Void, Never>
  ) {
    guard let socket, !isGivenUp else { return finish.resume() }
    self.finish = finish
    self.start = start
    position = nil
    left = events
    let reader = subscription.delegate(socket)
    self.reader = reader
    reader.opened(socket)
  }

  private func leave() {
    guard let socket, let reader else { return }
    self.reader = nil
    reader.closed(socket, SocketClosure(origin: .network, code: .goingAway, reason: ""))
  }

  private func giveUp() {
    isGivenUp = true
    end()
  }

  private func end() {
    finish?.resume()
    finish = nil
  }

  // MARK: What is written

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    promise?.succeed()
    var bytes = unwrapOutboundIn(data)
    // Whoever has seen enough looks at nothing more.
    while finish != nil, bytes.readableBytes > 0 { take(&bytes) }
  }

  /// One frame. All of the feed's have a length of two bytes, and those with a kind of five letters have their cursor at
  /// the same place.
  private func take(_ bytes: inout ByteBuffer) {
    guard bytes.readInteger(as: UInt16.self) == 0x817E, let length = bytes.readInteger(as: UInt16.self),
      let text = bytes.readSlice(length: Int(length)), text.readableBytes > 58,
      let kind = text.getString(at: text.readerIndex + 9, length: 5),
      let word = text.getString(at: text.readerIndex + 26, length: 32), let cursor = Cursor(word)
    else { return fail("a frame that is neither `ready` nor an event") }
    switch kind {
    case "ready":
      guard position == nil, start == nil || start == cursor else {
        return fail("`ready` says \(cursor.seq), and \(start?.seq ?? -1) was asked for")
      }
      position = cursor.seq
    case "event":
      guard let position, cursor.seq == position + 1 else {
        return fail("after \(position ?? -1) came \(cursor.seq)")
      }
      seen.note(cursor)
      self.position = cursor.seq
      left -= 1
      if left == 0 { end() }
    default:
      fail("a frame of the kind \(kind)")
    }
  }

  private func fail(_ reason: String) {
    seen.blame(reason)
    end()
  }

  // MARK: The socket's own delegate, before any reader

  func opened(_ socket: Realtime.Socket) { self.socket = socket }
  func received(_ message: SocketMessage, on socket: Realtime.Socket) {}
  func closed(_ socket: Realtime.Socket, _ closure: SocketClosure) {}
}
