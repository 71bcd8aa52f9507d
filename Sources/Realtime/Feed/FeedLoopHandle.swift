import Domain
import NIOCore
import Synchronization

/// How other threads reach the readers of an event loop: many wake-ups are one turn of the loop.
final class FeedLoopHandle: Sendable {
  let loop: NIOLoopBound<FeedLoop>
  private let isWoken = Atomic<Bool>(false)
  private let pending = Mutex<[VolatileItem]>([])

  init(_ loop: FeedLoop, on eventLoop: any EventLoop) {
    self.loop = NIOLoopBound(loop, eventLoop: eventLoop)
  }

  func publish(_ item: VolatileItem) {
    pending.withLock { pending in
      // A loop that has so many to look at is far behind: the newest of each subject have to do.
      if pending.count >= Limits.volatileSubjects { pending = LatestValues(pending).values }
      if pending.count < Limits.volatileSubjects { pending.append(item) }
    }
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
      let items = pending.withLock { pending in
        defer { pending = [] }
        return pending
      }
      if !items.isEmpty { loop.value.publish(items) }
    }
  }
}
