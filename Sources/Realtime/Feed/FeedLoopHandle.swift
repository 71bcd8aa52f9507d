import Domain
import NIOCore
import Synchronization

/// How other threads reach the readers of an event loop: many wake-ups are one turn of the loop.
final class FeedLoopHandle: Sendable {
  let loop: NIOLoopBound<FeedLoop>
  private let isWoken = Atomic<Bool>(false)
  private let pending = Mutex(Pending())

  /// Every one, until there are so many that the loop must be far behind: then the newest of each subject have to do.
  private enum Pending {
    case all([VolatileItem])
    case newest(LatestValues)

    init() { self = .all([]) }

    mutating func add(_ item: VolatileItem) {
      switch self {
      case .all(var items):
        self = Pending()
        items.append(item)
        self = items.count < Limits.volatileSubjects ? .all(items) : .newest(LatestValues(items))
      case .newest(var values):
        self = Pending()
        values.put(item)
        self = .newest(values)
      }
    }

    mutating func take() -> [VolatileItem] {
      defer { self = Pending() }
      return switch self {
      case .all(let items): items
      case .newest(let values): values.values
      }
    }
  }

  init(_ loop: FeedLoop, on eventLoop: any EventLoop) {
    self.loop = NIOLoopBound(loop, eventLoop: eventLoop)
  }

  func publish(_ item: VolatileItem) {
    pending.withLock { $0.add(item) }
    wake()
  }

  func run(_ action: @escaping @Sendable (FeedLoop) -> Void) {
    loop.eventLoop.execute { [self] in action(loop.value) }
  }

  func wake() {
    guard !isWoken.exchange(true, ordering: .acquiringAndReleasing) else { return }
    loop.eventLoop.execute { [self] in
      // Before looking: who wakes it from now on wants another look.
      isWoken.store(false, ordering: .sequentiallyConsistent)
      loop.value.pump()
      let items = pending.withLock { $0.take() }
      if !items.isEmpty { loop.value.publish(items) }
    }
  }
}
