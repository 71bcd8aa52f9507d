package import Domain

/// What a cursor leads to.
package enum CursorVerdict: Sendable, Equatable {
  case serve(after: Int64)
  case gap(CursorGap)
}

/// What stood behind a position was taken out of the log while it was being read: the gap `too-old`.
package struct LogCut: Error, Sendable {
  package var bounds: LogBounds
  package init(bounds: LogBounds) { self.bounds = bounds }
}

/// The log, as the feed reads it.
extension Coordinator {
  package func logBounds() async throws -> LogBounds { try await store.read { try $0.logBounds() } }

  /// Events behind a position, oldest first and without a hole.
  /// - Throws: `LogCut` when the next ones are not offered any more.
  package func events(after seq: Int64, limit: Int) async throws -> [EventRecord] {
    try await store.read { tx in
      let events = try tx.events(after: seq, limit: limit)
      // Numbers leave nothing out, so that a later one says what has happened to those in between.
      if let first = events.first, first.seq > max(seq, 0) + 1 { throw LogCut(bounds: try tx.logBounds()) }
      return events
    }
  }

  /// Whether a cursor can be served, and the log's bounds at that moment. No cursor is the head: from now on.
  package func resolve(_ text: String?) async throws -> (verdict: CursorVerdict, bounds: LogBounds) {
    // Whoever wrote before asks for a log that has it.
    try await store.settle()
    guard let text else {
      let bounds = try await logBounds()
      return (.serve(after: bounds.head.seq), bounds)
    }
    return try await store.read { tx in
      let bounds = try tx.logBounds()
      // `oldest` as a word: from the first event that is kept.
      if text == "oldest" { return (.serve(after: bounds.oldest.seq), bounds) }
      guard let cursor = Cursor(text) else {
        throw Rejection.invalid("after", "format", "This is not a cursor.")
      }
      return (try Self.verdict(on: cursor, tx, bounds), bounds)
    }
  }

  /// What stands behind a cursor, oldest first, and whether it can be served: all of one moment, for who looks again and
  /// again at a database that may be cut or put back meanwhile.
  package func events(
    behind cursor: Cursor, limit: Int
  ) async throws -> (verdict: CursorVerdict, bounds: LogBounds, events: [EventRecord]) {
    try await store.read { tx in
      let bounds = try tx.logBounds()
      let verdict = try Self.verdict(on: cursor, tx, bounds)
      guard case .serve(let seq) = verdict else { return (verdict, bounds, []) }
      return (verdict, bounds, try tx.events(after: seq, limit: limit))
    }
  }

  private static func verdict(
    on cursor: Cursor, _ tx: any StoreTransaction, _ bounds: LogBounds
  ) throws -> CursorVerdict {
    guard cursor.epoch == bounds.epoch else { return .gap(.epochChanged) }
    guard cursor.seq <= bounds.head.seq else { return .gap(.ahead) }
    guard cursor.seq >= bounds.oldest.seq else { return .gap(.tooOld) }
    if cursor.seq == bounds.oldest.seq {
      return cursor == bounds.oldest ? .serve(after: cursor.seq) : .gap(.epochChanged)
    }
    let chain = try tx.event(seq: cursor.seq).map { Cursor(epoch: bounds.epoch, seq: $0.seq, chain: $0.chain) }
    return chain == cursor ? .serve(after: cursor.seq) : .gap(.epochChanged)
  }

  /// A page of what the caller may see, oldest first (CONTRACT "Paging").
  package func eventPage(_ call: Call, after: String?, filter: EventFilter, limit: Int) async throws -> Answer {
    try await readEventPage(call, after: after, filter: filter, limit: limit).answer
  }

  /// The same, for whoever waits when there is nothing on it.
  package func readEventPage(
    _ call: Call, after: String?, filter: EventFilter, limit: Int
  ) async throws -> EventPage {
    try call.caller.require(.readEvents)
    let visibility = Visibility(call.caller)
    let (verdict, bounds) = try await resolve(after ?? "oldest")
    guard case .serve(let from) = verdict else {
      guard case .gap(let reason) = verdict else { throw Rejection.notFound }
      throw Rejection.cursorGap(reason, bounds)
    }
    var items: [EventRecord] = []
    var position = from
    var chain = from == bounds.oldest.seq ? nil : try await store.read { try $0.event(seq: from)?.chain }
    var reachedHead = false
    // Bounded work a call: a filter that matches nothing still comes forward page by page.
    for _ in 0..<Limits.scannedPages where items.count < limit && !reachedHead {
      let page: [EventRecord]
      do { page = try await events(after: position, limit: Limits.replayPage) } catch let cut as LogCut {
        throw Rejection.cursorGap(.tooOld, cut.bounds)
      }
      reachedHead = page.count < Limits.replayPage
      for event in page {
        guard items.count < limit else {
          reachedHead = false
          break
        }
        position = event.seq
        chain = event.chain
        if visibility.sees(event),
          filter.matches(
            type: event.type, facilities: event.facilities, specialty: event.specialty, subject: event.subject)
        {
          items.append(event)
        }
      }
    }
    return EventPage(
      items: items, cursor: chain.map { Cursor(epoch: bounds.epoch, seq: position, chain: $0) } ?? bounds.oldest,
      isAtHead: reachedHead || position >= bounds.head.seq, oldest: bounds.oldest,
      head: try await logBounds().head)
  }
}

extension Rejection {
  /// A cursor that can't be served, with those that can.
  static func cursorGap(_ reason: CursorGap, _ bounds: LogBounds) -> Rejection {
    Rejection(
      .cursorGap, "This cursor cannot be served: \(reason.rawValue).",
      extra: .init([
        ("reason", .string(reason.rawValue)), ("oldest", .string(bounds.oldest.text)),
        ("head", .string(bounds.head.text)),
      ]))
  }
}

/// A page of the log as one reader may see it.
package struct EventPage: Sendable {
  package var items: [EventRecord]
  /// The position behind the page, also behind an empty one.
  package var cursor: Cursor
  /// Nothing more stood behind it.
  package var isAtHead: Bool
  package var oldest: Cursor
  package var head: Cursor

  package var answer: Answer {
    let members = items.map { event in
      let at = Cursor(epoch: cursor.epoch, seq: event.seq, chain: event.chain)
      return "{\"cursor\":\"\(at.text)\",\"event\":\(event.cloudEvent)}"
    }
    let text =
      "{\"items\":[\(members.joined(separator: ","))],\"next\":\(isAtHead ? "null" : "\"\(cursor.text)\""),"
      + "\"cursor\":\"\(cursor.text)\",\"oldest\":\"\(oldest.text)\",\"head\":\"\(head.text)\"}"
    return Answer(.ok, body: Array(text.utf8))
  }
}
