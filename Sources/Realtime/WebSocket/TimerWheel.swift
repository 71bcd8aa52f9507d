import NIOCore
import Synchronization

/// Who is asked again at some time.
protocol TimerWheelMember: AnyObject {
  /// Where it stands; the wheel's own business.
  var wheelPlace: TimerWheel.Place? { get set }
  /// Its time has come, or the wheel reaches no further: when to ask again, nil for never.
  func wheelTurned(at now: NIODeadline) -> NIODeadline?
}

/// The timers of all sockets of one event loop, confined to it: they are many, and seldom due. Members stand in a ring
/// of slots of half a second each; one timer of the loop turns it, for as long as somebody stands in it.
final class TimerWheel {
  struct Place {
    fileprivate let slot: Int
    fileprivate let index: Int
  }

  static let step = TimeAmount.milliseconds(500)
  /// More than a minute: no socket asks for longer. Whoever does is asked early.
  private static let slotCount = 256

  private let eventLoop: any EventLoop
  private let origin: NIODeadline
  private var slots = [[any TimerWheelMember]](repeating: [], count: slotCount)
  /// Steps since the origin whose members were asked.
  private var turned: Int64 = 0
  private(set) var count = 0
  /// How often it was turned: once a step, for as long as somebody stands in it.
  private(set) var turns = 0
  /// Nil while it stands still; also the one that is just turning it.
  private var timer: Scheduled<Void>?

  init(_ eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
    origin = eventLoop.now
  }

  /// Asks the member at this time, up to a step later; instead of a time given before.
  func put(_ member: any TimerWheelMember, at time: NIODeadline) {
    remove(member)
    if timer == nil {
      turned = steps(at: eventLoop.now)
      schedule()
    }
    let wanted = (time + Self.step - .nanoseconds(1) - origin).nanoseconds / Self.step.nanoseconds
    let slot = Int(min(max(wanted, turned + 1), turned + Int64(Self.slotCount) - 1) % Int64(Self.slotCount))
    member.wheelPlace = Place(slot: slot, index: slots[slot].count)
    slots[slot].append(member)
    count += 1
  }

  func remove(_ member: any TimerWheelMember) {
    guard let place = member.wheelPlace else { return }
    member.wheelPlace = nil
    count -= 1
    let last = slots[place.slot].removeLast()
    guard last !== member else { return }
    slots[place.slot][place.index] = last
    last.wheelPlace = place
  }

  private func steps(at time: NIODeadline) -> Int64 { (time - origin).nanoseconds / Self.step.nanoseconds }

  private func schedule() {
    let time = origin + Self.step * Int(turned + 1)
    timer = eventLoop.assumeIsolated().scheduleTask(deadline: time) { [weak self] in self?.turn() }
  }

  private func turn() {
    turns += 1
    let now = eventLoop.now
    while turned < steps(at: now), count > 0 {
      turned += 1
      let slot = Int(turned % Int64(Self.slotCount))
      // One after the other: whoever is asked may take others out, or put itself in again, never into this slot.
      while let member = slots[slot].last {
        remove(member)
        if let next = member.wheelTurned(at: now) { put(member, at: next) }
      }
    }
    // Only now: whoever was put in again meanwhile needs no second timer.
    timer = nil
    if count > 0 { schedule() }
  }
}

/// The wheels of all event loops, each made by its loop.
final class TimerWheels: Sendable {
  private let wheels = Mutex<[ObjectIdentifier: NIOLoopBound<TimerWheel>]>([:])

  /// The wheel of the loop on which this is called.
  func wheel(on eventLoop: any EventLoop) -> TimerWheel {
    let known = wheels.withLock { $0[ObjectIdentifier(eventLoop)] }
    if let known { return known.value }
    let wheel = TimerWheel(eventLoop)
    let bound = NIOLoopBound(wheel, eventLoop: eventLoop)
    wheels.withLock { $0[ObjectIdentifier(eventLoop)] = bound }
    return wheel
  }
}
