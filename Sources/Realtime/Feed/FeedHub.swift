package import Coordinator
package import Domain
package import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Brings what is committed to everybody who follows: reads the log once, encodes each event once, and lets the
/// subscribers of all event loops read the same ring.
package final class FeedHub: Service {
  package static let subprotocol = "hoichan.feed.v1"
  package static let socketLimits = SocketLimits(
    frame: Limits.feedMessageBytes, message: Limits.feedMessageBytes, pending: 1024 * 1024)

  package let sessions: SessionWatch
  package let metrics = FeedMetrics()
  let timing: FeedTiming
  let coordinator: Coordinator
  let waits = PageWaits()
  private let logger: Logger
  let lenses = FeedLensKeys()
  let pages = StreamPages()
  let ring: FeedRing
  let backlog: FeedBacklog
  let startedAt: Instant
  private let beginning = OneTime()
  /// What everybody's grants covered when they were last looked at; nil until the ring begins.
  private let basis = Mutex<GrantBasis?>(nil)
  private let news = Mutex(News())
  private let replay = FeedReplay()
  private let loops = Mutex<[ObjectIdentifier: FeedLoopHandle]>([:])
  private let streams = Mutex<[ObjectIdentifier: StreamSignal]>([:])
  private let wakes: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  package init(
    _ coordinator: Coordinator, publisher: FeedPublisher, logger: Logger, timing: FeedTiming = FeedTiming(),
    ringEvents: Int = Limits.ringEvents, memory: FeedMemory = FeedMemory()
  ) {
    self.coordinator = coordinator
    self.logger = logger
    self.timing = timing
    startedAt = coordinator.now()
    ring = FeedRing(capacity: ringEvents, memory: memory.ring)
    backlog = FeedBacklog(limit: memory.backlog)
    sessions = SessionWatch(coordinator, logger: logger)
    // Commits that come while the log is being read are one wake-up.
    (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    coordinator.store.onChange { [sessions, weak self] change in
      switch change {
      case .committed, .changedElsewhere: sessions.noteCommit()
      case .logged(let stretch): self?.hear(stretch)
      }
    }
    coordinator.store.peers.onMessage { [sessions, weak self] message, _ in
      switch message.kind {
      case .sessions: sessions.noteCommit()
      case .volatile: if let event = VolatileEvent(json: message.body) { self?.show(event) }
      case .busy, .directory, .signInFailed, .call: break
      }
    }
    publisher.connect(self)
  }

  package func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.beginEarly() }
        group.addTask { await self.followLog() }
        group.addTask { await self.replay.run { try await self.page(after: $0) } }
        group.addTask { await self.sessions.run() }
        group.addTask { await self.beat() }
        await group.waitForAll()
      }
    }
  }

  // MARK: For the routes

  /// Resolves the cursor, so that one that is none is refused with a status. One that can't be served is told inside
  /// the socket or stream.
  package func subscribe(
    _ caller: Caller, after: String?, filter: EventFilter, volatility: FeedVolatility = FeedVolatility()
  ) async throws -> FeedSubscription {
    try caller.require(.readEvents)
    guard metrics.openCount < Limits.feedSockets else {
      metrics.ended(.tooMany)
      throw Rejection(.tooMany, "Too many follow the feed already.", retryAfter: 30)
    }
    // Asked before the log: what is resolved while that is rewound is not of the log that comes.
    let restarts = ring.restarts
    let (verdict, bounds) = try await coordinator.resolve(after)
    try await begin(at: bounds)
    var subscription = FeedSubscription(
      hub: self, caller: caller, key: lenses.key(filter, Visibility(caller)),
      volatility: volatility, start: bounds.head, bounds: bounds, restarts: restarts, gap: nil)
    switch verdict {
    case .gap(let gap): subscription.gap = gap
    case .serve: subscription.start = after.map { Cursor($0) ?? bounds.oldest } ?? bounds.head
    }
    return subscription
  }

  /// The session was signed out here: its sockets and streams close now, not half a second later.
  package func sessionEnded(_ id: String) { sessions.ended(id) }

  /// Tells whoever watches, may see it and can keep up, on every node. Any thread.
  package func publish(_ event: VolatileEvent) {
    show(event)
    coordinator.store.peers.tell(PeerMessage(.volatile, event.json), to: nil)
  }

  private func show(_ event: VolatileEvent) {
    let item = VolatileItem(event)
    for loop in loops.withLock({ Array($0.values) }) { loop.publish(item) }
  }

  // MARK: For subscribers

  /// The readers of the event loop on which this is called.
  func loop(on eventLoop: any EventLoop) -> FeedLoop {
    let known = loops.withLock { $0[ObjectIdentifier(eventLoop)] }
    if let known { return known.loop.value }
    // Only this loop makes its own, so nobody else can have made it meanwhile.
    let loop = FeedLoop(
      eventLoop, ring: ring, backlog: backlog, replay: replay, timing: timing, metrics: metrics)
    loops.withLock { $0[ObjectIdentifier(eventLoop)] = FeedLoopHandle(loop, on: eventLoop) }
    // Only now, when it is told of everything that comes behind that.
    loop.begin()
    return loop
  }

  /// The ring begins, unless it has. It begins with the newest events of the log, read once: after a restart all come
  /// back at the same time, and what they missed is not read for each of them.
  func begin(at bounds: LogBounds) async throws {
    let isFirst = ring.head == nil
    if isFirst {
      let now = try await coordinator.grantBasis()
      basis.withLock { $0 = $0 ?? now }
      try await beginning.run { try await fill(bounds) }
    }
    // What was written since that head was read may have been passed over as nobody's.
    if isFirst || ring.head != bounds.head { hear(nil) }
  }

  /// Before the first reader comes, who would wait for it.
  private func beginEarly() async {
    do {
      _ = try await start()
    } catch {
      logger.warning("the feed begins with its first reader: no log could be read", metadata: ["error": "\(error)"])
    }
  }

  private func fill(_ bounds: LogBounds) async throws {
    let head = bounds.head
    var position = max(bounds.oldest.seq, head.seq - Int64(min(ring.capacity, Limits.ringBeginning)))
    var items: [FeedItem] = []
    do {
      while position < head.seq {
        let limit = min(Int64(Limits.replayPage), head.seq - position)
        let page = try await coordinator.events(after: position, limit: Int(limit))
        guard let last = page.last else { break }
        items += page.map { FeedItem($0, epoch: head.epoch, isWanted: false, metrics: metrics) }
        position = last.seq
      }
    } catch is LogCut {
      // Archived meanwhile, or put back: whoever needs it reads the log, and learns there what became of it.
      items = []
    }
    ring.start(at: head, holding: items)
  }

  func add(_ stream: StreamSignal) { streams.withLock { $0[ObjectIdentifier(stream)] = stream } }
  func remove(_ stream: StreamSignal) { streams.withLock { $0[ObjectIdentifier(stream)] = nil } }

  /// What stands behind a position: from the ring, else from the log. Empty at the head.
  func items(after seq: Int64) async throws -> [FeedItem] {
    if let items = ring.items(after: seq) { return items }
    return try await replay.page(after: seq)
  }

  private func page(after seq: Int64) async throws -> [FeedItem] {
    let epoch = try await start().epoch
    metrics.replayed()
    return try await coordinator.events(after: seq, limit: Limits.replayPage).map {
      FeedItem($0, epoch: epoch, isWanted: true, metrics: metrics)
    }
  }

  // MARK: The log

  private func start() async throws -> Cursor {
    if let head = ring.head { return head }
    let bounds = try await coordinator.logBounds()
    try await begin(at: bounds)
    return ring.head ?? bounds.head
  }

  private func followLog() async {
    for await _ in wakes {
      do {
        try await readNew()
      } catch let cut as LogCut {
        // It went to the archive before it was shown here: this node was far behind.
        restart(at: cut.bounds.head, "the log was cut")
      } catch {
        // The next beat tries again.
        logger.error("the event log could not be read; trying again", metadata: ["error": "\(error)"])
      }
    }
  }

  /// Something was logged: this stretch, or what only a look into the log shows.
  private func hear(_ stretch: LogStretch?) {
    news.withLock { $0.add(stretch) }
    wake.yield()
  }

  private func readNew() async throws {
    let news = news.withLock { $0.take() }
    // What was written before it begins is in it then.
    guard ring.head != nil else { return }
    var mustRead = news.mustRead
    for stretch in news.stretches {
      guard let head = ring.head else { return }
      if Cursor(epoch: head.epoch, seq: stretch.seq, chain: stretch.chain) == head {
        show(stretch.events[...], epoch: head.epoch)
      } else {
        mustRead = true
      }
    }
    if mustRead { try await readLog() }
  }

  private func readLog() async throws {
    while let head = ring.head {
      // The head is read again, and must be what it was: a database that was taken over by a standby which had not all
      // of it, or put back from a snapshot, has another log under the same numbers.
      var page = try await coordinator.events(after: head.seq - 1, limit: Limits.replayPage + 1)[...]
      if head.seq > 0 {
        guard let known = page.popFirst(), Cursor(epoch: head.epoch, seq: known.seq, chain: known.chain) == head else {
          return restart(at: try await coordinator.logBounds().head, "the log was rewound")
        }
      }
      show(page, epoch: head.epoch)
      if page.count < Limits.replayPage { return }
    }
  }

  private func show(_ events: ArraySlice<EventRecord>, epoch: UInt64) {
    guard let newest = events.last else { return }
    let isWanted = metrics.openCount > 0
    ring.append(events.map { FeedItem($0, epoch: epoch, isWanted: isWanted, metrics: metrics) })
    metrics.holds(ring.size)
    metrics.lagged(milliseconds: (coordinator.now() - newest.time).milliseconds)
    for loop in loops.withLock({ Array($0.values) }) { loop.wake() }
    for stream in streams.withLock({ Array($0.values) }) { stream.wake() }
  }

  private func restart(at head: Cursor, _ reason: String) {
    logger.error("\(reason): everybody who follows comes again", metadata: ["head": "\(head.seq)"])
    ring.restart(at: head)
    metrics.holds(ring.size)
    for loop in loops.withLock({ Array($0.values) }) { loop.run { $0.restart(at: head) } }
    for stream in streams.withLock({ Array($0.values) }) { stream.end() }
  }

  private func grantsHaveChanged() async -> Bool {
    // Without the database nobody can be told anything new either; the next beat asks again.
    guard let now = try? await coordinator.grantBasis() else { return false }
    return basis.withLock { known in
      guard known != nil, known != now else { return false }
      known = now
      return true
    }
  }

  /// What was granted covers other facilities than before. Everybody comes again, with the cursor they have.
  private func showAnew() {
    if metrics.openCount > 0 {
      logger.notice("the facilities or specialties changed: everybody who follows comes again")
    }
    for loop in loops.withLock({ Array($0.values) }) { loop.run { $0.showAnew() } }
    for stream in streams.withLock({ Array($0.values) }) { stream.end() }
  }

  /// A signal is only a hint: a regular look repairs what it missed. It also gives the streams their time.
  private func beat() async {
    var hasChanged = false
    while !Task.isCancelled {
      hear(nil)
      // A beat later: whoever signed in before the change has subscribed by then.
      if hasChanged { showAnew() }
      hasChanged = await grantsHaveChanged()
      metrics.waits(backlog.bytes)
      let head = ring.head?.seq ?? 0
      var behind = FeedMetrics.Behind()
      for stream in streams.withLock({ Array($0.values) }) {
        stream.beat(patience: backlog.isOver ? timing.crowdedPatience : timing.patience)
        if let position = stream.position { behind.add(head - position) }
      }
      metrics.note(behind, in: ObjectIdentifier(self))
      try? await Task.sleep(for: timing.safetyPass)
    }
  }
}

/// What was heard of the log since it was last looked at.
private struct News {
  /// What this process has written itself, and so need not read.
  private(set) var stretches: [LogStretch] = []
  private(set) var mustRead = false

  mutating func add(_ stretch: LogStretch?) {
    guard let stretch, stretches.count < Limits.heardStretches else {
      mustRead = true
      return
    }
    stretches.append(stretch)
  }

  mutating func take() -> News {
    defer { self = News() }
    return self
  }
}
