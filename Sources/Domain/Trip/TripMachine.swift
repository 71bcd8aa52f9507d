/// The steps of an ambulance trip (NEMSIS v3.5.1 eTimes, DOMAIN "Ambulance trip"), and the ways it ends early.
package enum Milestone: String, Sendable, CaseIterable {
  case dispatched, acknowledged, enRoute, atScene, patientContact, departed, atDestination, handedOver, available,
    atBase
  case cancelled, stoodDown, noPatient, refused, treatedNotTransported, diverted, brokeDown, died

  /// The order in which a trip passes its steps; nil for the ways it ends early.
  package var order: Int? {
    switch self {
    case .dispatched: 1
    case .acknowledged: 2
    case .enRoute: 3
    case .atScene: 4
    case .patientContact: 5
    case .departed: 6
    case .atDestination: 7
    case .handedOver: 8
    case .available: 9
    case .atBase: 10
    default: nil
    }
  }

  package var isSideExit: Bool { order == nil }
}

/// A step as it was recorded.
package struct RecordedMilestone: Sendable, Equatable {
  package enum Flag: String, Sendable, CaseIterable {
    /// The device's time was more than two minutes ahead and was replaced by the server's.
    case clockAhead
    /// Recorded more than five minutes after it happened: sent after a dead zone.
    case late
    /// Its time contradicts the order of the steps.
    case inverted
  }

  package var milestone: Milestone
  package var at: Instant
  package var recordedAt: Instant
  package var flags: [String]

  package init(milestone: Milestone, at: Instant, recordedAt: Instant, flags: [String]) {
    self.milestone = milestone
    self.at = at
    self.recordedAt = recordedAt
    self.flags = flags
  }

  package var json: JSON {
    .compact([
      "milestone": .string(milestone.rawValue), "at": .instant(at), "recordedAt": .instant(recordedAt),
      "flags": flags.isEmpty ? nil : .strings(flags),
    ])
  }
}

/// The trip's life as a value. Late and offline times are accepted, inversions flagged; only what cannot have
/// happened is refused.
package struct TripMachine: Sendable, Equatable {
  package static let deviceAhead = Span.minutes(2)
  package static let lateAfter = Span.minutes(5)

  /// What recording a step leads to.
  package enum Step: Sendable, Equatable {
    /// The same step at the same time again (an offline phone repeats itself): nothing to do.
    case repeated
    case recorded(RecordedMilestone, closes: Bool)
  }

  package private(set) var milestones: [RecordedMilestone]

  package init(milestones: [RecordedMilestone]) { self.milestones = milestones }

  /// `requested`, the furthest step, or how it ended early.
  package var state: String {
    if let exit = sideExit { return exit.milestone.rawValue }
    return furthest?.rawValue ?? "requested"
  }

  package var sideExit: RecordedMilestone? { milestones.first { $0.milestone.isSideExit } }

  package var furthest: Milestone? {
    milestones.map(\.milestone).filter { !$0.isSideExit }.max { ($0.order ?? 0) < ($1.order ?? 0) }
  }

  package func has(_ milestone: Milestone) -> Bool { milestones.contains { $0.milestone == milestone } }

  /// From handover on, and after every early end: no position is shown any more, and no new link is given out.
  package var isClosed: Bool { sideExit != nil || (furthest?.order ?? 0) >= (Milestone.handedOver.order ?? 0) }

  /// When it closed; positions from before may still arrive.
  package var closedAt: Instant? {
    sideExit?.at ?? milestones.first { $0.milestone == .handedOver }?.at
      ?? (isClosed ? milestones.map(\.at).min() : nil)
  }

  /// On the road: a position is expected.
  package var isUnderWay: Bool { !isClosed && (furthest?.order ?? 0) >= (Milestone.enRoute.order ?? 0) }

  package var allowed: [Milestone] {
    Milestone.allCases.filter { milestone in
      guard !has(milestone) else { return false }
      if sideExit != nil { return milestone == .available || milestone == .atBase }
      return milestone.isSideExit ? !isClosed : true
    }
  }

  package mutating func record(_ milestone: Milestone, at claimed: Instant, now: Instant) throws(Rejection) -> Step {
    let ahead = claimed > now + Self.deviceAhead
    let at = ahead ? now : claimed
    if let known = milestones.first(where: { $0.milestone == milestone }) {
      // Of a phone whose clock is ahead, the time that it claimed was not kept.
      if known.at == at || (ahead && known.flags.contains(RecordedMilestone.Flag.clockAhead.rawValue)) {
        return .repeated
      }
    }
    // A step before an early end may still arrive from a phone that was offline.
    let beforeExit = sideExit.map { at < $0.at && !milestone.isSideExit && !has(milestone) } ?? false
    guard allowed.contains(milestone) || beforeExit else {
      throw .illegalTransition(milestone.rawValue, state: state, allowed: allowed.map(\.rawValue))
    }
    var flags: [RecordedMilestone.Flag] = []
    if ahead { flags.append(.clockAhead) }
    if at < now - Self.lateAfter { flags.append(.late) }
    if contradictsOrder(milestone, at: at) { flags.append(.inverted) }
    let wasClosed = isClosed
    let recorded = RecordedMilestone(milestone: milestone, at: at, recordedAt: now, flags: flags.map(\.rawValue))
    milestones.append(recorded)
    return .recorded(recorded, closes: isClosed && !wasClosed)
  }

  private func contradictsOrder(_ milestone: Milestone, at: Instant) -> Bool {
    milestones.contains { other in
      guard let mine = milestone.order, let theirs = other.milestone.order else {
        return milestone.isSideExit && other.at > at
      }
      return (theirs < mine && other.at > at) || (theirs > mine && other.at < at)
    }
  }
}
