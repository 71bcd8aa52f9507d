import Coordinator
import Domain
package import NIOCore

/// All readers of one event loop, confined to it. Those that keep up stand together at `position` and are written to
/// in one pass; the others have positions of their own and pull whenever their channel takes more.
final class FeedLoop {
  private let eventLoop: any EventLoop
  private let ring: FeedRing
  private let backlog: FeedBacklog
  private let replay: FeedReplay
  private let timing: FeedTiming
  private let metrics: FeedMetrics

  private var lenses: [FeedLensKey: FeedLens] = [:]
  /// Where the live readers stand.
  private(set) var position = Cursor(epoch: 0, seq: 0, chain: UInt64(0))
  /// Readers that reached `position` while it was being moved, or that are ahead of it: the next pass takes them in.
  private var waiting: [FeedReader] = []
  private var isPumping = false
  /// Behind the page that is being written to the live readers.
  private var delivering: Cursor?
  private var tick: Scheduled<Void>?
  /// Readers whose next position or presence is not due yet.
  private var heldBack: [ObjectIdentifier: FeedReader] = [:]
  private var heldBackDue: NIODeadline?
  private var heldBackTimer: Scheduled<Void>?
  private static let heldBackStep = TimeAmount.milliseconds(25)
  static let rewound = "the log was rewound"

  init(
    _ eventLoop: any EventLoop, ring: FeedRing, backlog: FeedBacklog, replay: FeedReplay, timing: FeedTiming,
    metrics: FeedMetrics
  ) {
    self.eventLoop = eventLoop
    self.ring = ring
    self.backlog = backlog
    self.replay = replay
    self.timing = timing
    self.metrics = metrics
  }

  var readers: some Sequence<FeedReader> { lenses.values.lazy.flatMap { Array($0.behind.values) + $0.live } }

  // MARK: Coming and going

  func lens(_ key: FeedLensKey) -> FeedLens {
    if let known = lenses[key] { return known }
    let lens = FeedLens(key)
    lenses[key] = lens
    return lens
  }

  func add(_ reader: FeedReader) {
    // The last reader of an equal lens may have gone while this one was being made.
    lenses[reader.lens.key] = reader.lens
    reader.lens.addBehind(reader)
    if tick == nil { scheduleTick() }
    pull(reader)
  }

  func remove(_ reader: FeedReader) {
    reader.lens.remove(reader)
    heldBack[ObjectIdentifier(reader)] = nil
    if reader.lens.isEmpty, lenses[reader.lens.key] === reader.lens { lenses[reader.lens.key] = nil }
    if lenses.isEmpty {
      tick?.cancel()
      tick = nil
      noteBehind()
    }
  }

  // MARK: New events

  /// Its readers stand at the ring's head, which there is as soon as anybody subscribes.
  func begin() { position = ring.head ?? position }

  /// Brings the live readers to the ring's head; then those that waited for this join them.
  func pump() {
    guard !isPumping, let head = ring.head else { return }
    isPumping = true
    var lapped: [FeedReader] = []
    while position.seq < head.seq {
      guard let items = ring.items(after: position.seq), let last = items.last else {
        // The ring moved on faster than this loop: the log has what it no longer holds.
        for lens in lenses.values {
          for reader in lens.live {
            fallBehind(reader)
            lapped.append(reader)
          }
        }
        position = head
        break
      }
      for lens in lenses.values where !lens.live.isEmpty { deliver(items, to: lens) }
      position = last.cursor
    }
    isPumping = false
    for reader in lapped { pull(reader) }
    let joining = waiting
    waiting = []
    for reader in joining {
      reader.isWaiting = false
      pull(reader)
    }
  }

  private func deliver(_ items: [FeedItem], to lens: FeedLens) {
    guard let page = lens.page(items, after: position.seq), page.count > 0 else { return }
    delivering = page.through
    metrics.delivered(lens.deliver(page, at: eventLoop.now) * page.count)
    delivering = nil
  }

  /// It takes no more for now, or is to be read the log: from here on it has a position of its own.
  func fallBehind(_ reader: FeedReader) {
    reader.leaveLive(at: delivering ?? position)
    reader.lens.addBehind(reader)
  }

  /// The log went back behind what these readers were told: they come again, and their cursors get their verdict.
  func restart(at head: Cursor) {
    for reader in Array(readers) { reader.fail(.goingAway, Self.rewound) }
    position = head
  }

  /// What was granted covers something else now: all come again, from where they are.
  func showAnew() {
    for reader in Array(readers) {
      reader.bookmark()
      reader.fail(.goingAway, "what you may see has changed")
    }
  }

  // MARK: Readers who do not read

  /// More waits for all of them than may: those go that have taken nothing for longest.
  private func relieve() {
    guard backlog.isOver else { return }
    let blocked = readers.compactMap { reader in reader.blockedSince.map { (reader, $0) } }
    let latest = eventLoop.now - timing.crowdedPatience
    for (reader, since) in blocked.sorted(by: { $0.1 < $1.1 }) where since <= latest {
      guard backlog.isOver else { return }
      reader.fail(.tooSlow, reader.position.text)
    }
  }

  // MARK: Readers behind

  /// Writes to one reader from its own position until it has caught up, its channel is full or its turn is over.
  func pull(_ reader: FeedReader) {
    guard reader.state == .behind, !reader.isPulling else { return }
    reader.isPulling = true
    defer { reader.isPulling = false }
    for _ in 0..<Limits.pagesPerTurn {
      // Writing may have ended it; a full channel calls again when it takes more.
      guard reader.state == .behind, reader.isWritable else { return }
      guard reader.cursor.seq < position.seq else { return join(reader) }
      guard let items = ring.items(after: reader.cursor.seq, through: position.seq) else { return readLog(for: reader) }
      write(items, to: reader)
    }
    eventLoop.assumeIsolated().execute { [weak reader] in
      if let reader { self.pull(reader) }
    }
  }

  private func join(_ reader: FeedReader) {
    if reader.cursor.seq == position.seq, !isPumping {
      reader.becomeLive()
    } else if !reader.isWaiting {
      reader.isWaiting = true
      waiting.append(reader)
    }
  }

  private func write(_ items: [FeedItem], to reader: FeedReader) {
    guard let page = reader.lens.page(items, after: reader.cursor.seq) else { return }
    // The position moves first: writing may call back into this reader.
    reader.cursor = page.through
    guard let bytes = page.bytes(for: reader) else { return }
    reader.write(bytes)
    metrics.delivered(page.count)
  }

  private func readLog(for reader: FeedReader) {
    reader.state = .replaying
    let bound = NIOLoopBound(reader, eventLoop: eventLoop)
    let loop = NIOLoopBound(self, eventLoop: eventLoop)
    replay.request(after: reader.cursor.seq) { [eventLoop] result in
      eventLoop.execute { loop.value.replayed(bound.value, result) }
    }
  }

  private func replayed(_ reader: FeedReader, _ result: Result<[FeedItem], any Error>) {
    guard reader.state == .replaying else { return }
    reader.state = .behind
    if case .failure(let error) = result, let cut = error as? LogCut {
      return reader.refuse(.tooOld, cut.bounds)
    }
    // A page of the log that can't be read, or is not there, is never taken for the end of it.
    guard case .success(let items) = result, !items.isEmpty else {
      return reader.fail(.internalError, "the log can't be read now")
    }
    write(items, to: reader)
    pull(reader)
  }

  // MARK: Positions and presence

  func publish(_ items: [VolatileItem]) {
    for lens in lenses.values {
      let matching = items.filter { lens.key.passes($0.event) }
      guard !matching.isEmpty else { continue }
      let batch = VolatileBatch(matching)
      for reader in lens.live { reader.offer(batch) }
      for reader in lens.behind.values { reader.offer(batch) }
    }
  }

  /// This reader asked for fewer than there are: it is offered what it keeps at this time, or a step later.
  func holdBack(_ reader: FeedReader, until time: NIODeadline) {
    heldBack[ObjectIdentifier(reader)] = reader
    // In steps, so that readers with times of their own do not each cost a turn of the loop.
    let step = UInt64(Self.heldBackStep.nanoseconds)
    let time = NIODeadline.uptimeNanoseconds((time.uptimeNanoseconds / step + 1) * step)
    if let due = heldBackDue, due <= time { return }
    heldBackTimer?.cancel()
    heldBackDue = time
    heldBackTimer = eventLoop.assumeIsolated().scheduleTask(deadline: time) { [weak self] in
      guard let self else { return }
      self.heldBackDue = nil
      let readers = self.heldBack.values
      self.heldBack = [:]
      for reader in readers { reader.offerKept() }
    }
  }

  // MARK: Time

  private func scheduleTick() {
    tick = eventLoop.assumeIsolated().scheduleTask(in: timing.tick) { [weak self] in
      guard let self else { return }
      self.tick = nil
      self.checkReaders()
      if !self.lenses.isEmpty { self.scheduleTick() }
    }
  }

  /// Bookmarks for who heard no position for long, the end for who takes nothing for too long.
  private func checkReaders() {
    let now = eventLoop.now
    for reader in Array(readers) {
      if let since = reader.blockedSince, now >= since + timing.patience {
        reader.fail(.tooSlow, reader.position.text)
      } else if now >= reader.toldAt + timing.bookmark {
        reader.bookmark()
      }
    }
    relieve()
    noteBehind()
  }

  private func noteBehind() {
    let head = ring.head?.seq ?? position.seq
    var behind = FeedMetrics.Behind()
    for lens in lenses.values {
      for reader in lens.behind.values { behind.add(head - reader.cursor.seq) }
    }
    metrics.note(behind, in: ObjectIdentifier(self))
  }
}

/// The feed's times; tests hold shorter ones.
package struct FeedTiming: Sendable {
  /// How often a loop looks at its readers.
  package var tick = TimeAmount.seconds(5)
  /// A reader that was told no position for so long is told one: with the tick, within 30 seconds.
  package var bookmark = TimeAmount.seconds(22)
  /// How long a reader may take nothing at all.
  package var patience = TimeAmount.seconds(60)
  /// And while more waits for all of them than may. Whoever reads is never blocked for so long.
  package var crowdedPatience = TimeAmount.seconds(2)
  /// The silence of a stream after which a comment keeps proxies from ending it.
  package var keepAlive = Duration.seconds(15)
  /// How often the log is looked at without having been told of a commit.
  package var safetyPass = Duration.seconds(1)
  package init() {}
}
