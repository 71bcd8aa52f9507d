package import Coordinator
import Domain
package import Logging
import ServiceLifecycle
import Synchronization

/// Sends events to webhooks: to each its own, one after another, from its cursor on; a slow one holds up no other.
///
/// Of several nodes one delivers, by a lease; another begins within some seconds of its death. Each delivery is
/// recorded before the next one is made, so that after a crash at most the last one is repeated.
package final class WebhookService: Service, CustomStringConvertible {
  /// What the log of services shows, instead of every member.
  package var description: String { "WebhookService" }

  private struct State {
    /// How far each webhook was read: further than its row says, where events were not for it.
    var places: [String: WebhookPlace] = [:]
    /// Those that somebody is at.
    var busy: Set<String> = []
    /// Wakes the pass over all of them; nil while another node delivers.
    var wake: AsyncStream<Void>.Continuation?
    /// Until then nobody else can have the lease; nil: for ever.
    var leadsUntil: ContinuousClock.Instant?
  }

  let coordinator: Coordinator
  let sender: WebhookSender
  private let logger: Logger
  private let chance: @Sendable () -> Double
  private let metrics = WebhookMetrics()
  private let state = Mutex(State())

  /// - Parameter chance: from 0 to 1, for the waits between attempts.
  package init(
    _ coordinator: Coordinator, sender: WebhookSender, logger: Logger,
    chance: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
  ) {
    self.coordinator = coordinator
    self.sender = sender
    self.logger = logger
    self.chance = chance
    coordinator.store.onChange { [weak self] change in
      if case .logged = change { self?.wake() }
    }
  }

  package func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        do {
          // Whoever has none writes no lease.
          if try await self.coordinator.hasWebhooks(), let lease = try await self.coordinator.takeDeliveryLease() {
            await self.lead(lease)
          }
        } catch {
          self.logger.error("webhooks cannot be looked up; trying again", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: .seconds(1))
      }
    }
  }

  // MARK: Leading

  /// Delivers until another node does, or there is no webhook any more.
  private func lead(_ lease: DeliveryLease) async {
    let (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    state.withLock { state in
      state = State()
      state.wake = wake
      state.leadsUntil = lease == .alone ? nil : ContinuousClock.now
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.hold(lease) }
      group.addTask { await self.serve(wakes) }
      await group.next()
      group.cancelAll()
    }
    state.withLock { $0.wake = nil }
    metrics.show([])
    do { try await coordinator.giveBack(lease) } catch {
      // It ends by itself soon.
      logger.debug("the lease of webhooks could not be given back", metadata: ["error": "\(error)"])
    }
  }

  /// Keeps the lease; comes back when it is lost.
  private func hold(_ lease: DeliveryLease) async {
    while !Task.isCancelled {
      let asked = ContinuousClock.now
      do {
        guard try await coordinator.renew(lease) else { return logger.warning("another node serves webhooks now") }
        if lease != .alone {
          // By our own clock a second less, so that nothing is begun at the very end.
          let lasts = Duration.milliseconds(Limits.webhookLeaseMilliseconds) - .seconds(1)
          state.withLock { $0.leadsUntil = asked + lasts }
          wake()
        }
      } catch {
        logger.error("the lease of webhooks cannot be renewed; trying again", metadata: ["error": "\(error)"])
        guard leads else { return }
      }
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private var leads: Bool { state.withLock { $0.leadsUntil.map { ContinuousClock.now < $0 } ?? true } }

  private func wake() { state.withLock { $0.wake }?.yield() }

  /// Passes over the webhooks whenever something was logged, and once a second, since a wake-up is only a hint and
  /// attempts have their times.
  private func serve(_ wakes: AsyncStream<Void>) async {
    await withDiscardingTaskGroup { group in
      group.addTask {
        while !Task.isCancelled {
          self.wake()
          try? await Task.sleep(for: .seconds(1))
        }
      }
      for await _ in wakes {
        do {
          let (webhooks, head) = try await self.coordinator.webhooksAndHead()
          self.metrics.show(webhooks)
          if webhooks.isEmpty { break }
          for id in self.take(webhooks, head) { group.addTask { await self.drain(id) } }
        } catch {
          self.logger.error("webhooks cannot be looked up; trying again", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: .milliseconds(Limits.webhookPassMilliseconds))
      }
      group.cancelAll()
    }
  }

  /// Those for which there may be something to do and whom nobody is at; from here on somebody is.
  private func take(_ webhooks: [Webhook], _ head: Cursor) -> [String] {
    let now = coordinator.now()
    return state.withLock { state in
      var taken: [String] = []
      for webhook in webhooks where webhook.machine.isDue(at: now) && !state.busy.contains(webhook.id) {
        let place = state.places[webhook.id].flatMap { $0.progress == webhook.progress ? $0 : nil }
        let stands = place?.cursor ?? webhook.machine.cursor
        guard stands != head || (place?.wantsBookmark(webhook) ?? false) else { continue }
        state.busy.insert(webhook.id)
        taken.append(webhook.id)
      }
      let known = Set(webhooks.map(\.id))
      state.places = state.places.filter { known.contains($0.key) }
      return taken
    }
  }

  // MARK: One webhook

  private func drain(_ id: String) async {
    do {
      // Read again: the row of the pass may be from before the last delivery was recorded.
      if let webhook = try await coordinator.webhook(id), webhook.machine.isDue(at: coordinator.now()) {
        var line = WebhookLine(sender, to: webhook.url)
        defer { line.close() }
        try await deliver(to: webhook, over: &line)
      }
    } catch {
      if !Task.isCancelled {
        logger.error(
          "a webhook cannot be served; trying again", metadata: ["webhook": "\(id)", "error": "\(error)"])
        try? await Task.sleep(for: .seconds(1))
      }
    }
    state.withLock { state in _ = state.busy.remove(id) }
    // Something may have been logged since the last look.
    wake()
  }

  /// Sends what stands behind the webhook's place, to the head, or until the receiver does not take something.
  private func deliver(to read: Webhook, over line: inout WebhookLine) async throws {
    var webhook = read
    guard let secret = try? coordinator.secret(of: webhook) else {
      webhook.machine.stop(.secretUnreadable)
      _ = try await keep(&webhook)
      return
    }
    var cursor = place(of: webhook).cursor
    var isAtHead = false
    while !isAtHead {
      try Task.checkCancellation()
      let (verdict, bounds) = try await coordinator.resolve(cursor.text)
      let start: Int64
      switch verdict {
      case .serve(let after): start = after
      case .gap(let gap):
        webhook.machine.lost(gap)
        _ = try await keep(&webhook)
        return
      }
      let events: [EventRecord]
      do {
        events = try await coordinator.events(after: start, limit: Limits.webhookPage)
      } catch is LogCut {
        // Archived since the cursor was looked at, which says so now.
        continue
      }
      isAtHead = events.count < Limits.webhookPage
      var visibility = try await coordinator.visibility(of: webhook)
      for event in events {
        let next = Cursor(epoch: bounds.epoch, seq: event.seq, chain: event.chain)
        if webhook.wants(event, visibility) {
          guard leads else { return }
          let request = WebhookRequest(
            id: event.id, body: event.cloudEvent, secret: secret, at: coordinator.now())
          guard try await send(request, standingBefore: next, to: &webhook, over: &line) else { return }
          // That may have taken seconds, in which a facility was moved.
          visibility = try await coordinator.visibility(of: webhook)
        }
        cursor = next
      }
      passOver(to: cursor, webhook)
    }
    if place(of: webhook).wantsBookmark(webhook) {
      webhook.machine.passedOver(to: cursor)
      _ = try await keep(&webhook)
    }
  }

  /// One attempt, recorded. Whether the receiver took it and the webhook is still what it was.
  private func send(
    _ request: WebhookRequest, standingBefore next: Cursor, to webhook: inout Webhook, over line: inout WebhookLine
  ) async throws -> Bool {
    do {
      let status = try await line.post(request)
      let now = coordinator.now()
      if (200..<300).contains(status) {
        metrics.delivered()
        webhook.machine.delivered(to: next, status: status, at: now)
      } else {
        metrics.failed()
        webhook.machine.failed(.status, status: status, at: now, chance: chance())
      }
    } catch let failure as WebhookFailure {
      // Nobody's fault when we were stopped in the middle.
      try Task.checkCancellation()
      metrics.failed()
      webhook.machine.failed(failure, at: coordinator.now(), chance: chance())
    }
    let isTaken = webhook.machine.failingSince == nil
    let isKept = try await keep(&webhook)
    return isTaken && isKept
  }

  /// Writes down where the webhook stands. False when somebody changed or removed it meanwhile.
  private func keep(_ webhook: inout Webhook) async throws -> Bool {
    let pause = webhook.machine.pause
    // A pause is a change that whoever read the webhook before must notice.
    if pause != nil { webhook.version += 1 }
    guard let kept = try await coordinator.keepProgress(of: webhook) else { return false }
    webhook = kept
    state.withLock { $0.places[kept.id] = WebhookPlace(kept) }
    if let pause {
      logger.warning(
        "a webhook is paused",
        metadata: [
          "webhook": "\(kept.id)", "reason": "\(pause.rawValue)", "error": "\(kept.machine.lastError?.rawValue ?? "-")",
        ])
    }
    return true
  }

  private func place(of webhook: Webhook) -> WebhookPlace {
    state.withLock { state in
      if let known = state.places[webhook.id], known.progress == webhook.progress { return known }
      let place = WebhookPlace(webhook)
      state.places[webhook.id] = place
      return place
    }
  }

  private func passOver(to cursor: Cursor, _ webhook: Webhook) {
    state.withLock { state in
      if state.places[webhook.id]?.progress == webhook.progress { state.places[webhook.id]?.cursor = cursor }
    }
  }
}

extension Webhook {
  fileprivate func wants(_ event: EventRecord, _ visibility: Visibility) -> Bool {
    visibility.sees(event)
      && filter.matches(
        type: event.type, facilities: event.facilities, specialty: event.specialty, subject: event.subject)
  }
}

/// How far a webhook was read. Positions that moved past events of others are written down now and then only.
private struct WebhookPlace {
  /// Of the row that it belongs to.
  var progress: Int64
  var cursor: Cursor
  var writtenAt = ContinuousClock.now

  init(_ webhook: Webhook) {
    progress = webhook.progress
    cursor = webhook.machine.cursor
  }

  /// Whether the row has been behind for long enough.
  func wantsBookmark(_ webhook: Webhook) -> Bool {
    cursor != webhook.machine.cursor
      && ContinuousClock.now - writtenAt > .seconds(Limits.webhookBookmarkSeconds)
  }
}
