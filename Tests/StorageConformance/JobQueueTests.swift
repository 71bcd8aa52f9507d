import Coordinator
import Domain
import Storage
import Synchronization
import Testing

/// Who is given which jobs; the storage suites show that they are run.
@Suite(.timeLimit(.minutes(10))) struct JobQueueTests {
  private final class Numbered: Job {
    let number: Int
    let refusal = Mutex<(any Error)?>(nil)

    init(_ number: Int) { self.number = number }

    func attempt(_ transaction: SQLTransaction) throws {}
    func finish(_ error: (any Error)?) { refusal.withLock { $0 = error } }
  }

  /// What the next call is given.
  private static func next(_ queue: JobQueue, _ body: () -> Void = {}) -> [Int]? {
    var numbers: [Int]?
    let isOpen = queue.serve(within: 0) { jobs in
      numbers = jobs.compactMap { ($0 as? Numbered)?.number }
      body()
    }
    return isOpen ? numbers : nil
  }

  @Test func givesAllThatWaitsUpToAGroup() {
    let queue = JobQueue(limit: 10, group: 3, patience: .seconds(3600))
    for number in 0..<5 { queue.add(Numbered(number)) }
    #expect(Self.next(queue) == [0, 1, 2])
    #expect(Self.next(queue) == [3, 4])
    #expect(Self.next(queue) == [])
  }

  @Test func besideOthersOnlyWholeGroups() {
    let queue = JobQueue(limit: 10, group: 2, patience: .seconds(3600))
    queue.add(Numbered(0))
    var beside: [Int]?
    let first = Self.next(queue) {
      for number in 1...2 { queue.add(Numbered(number)) }
      beside = Self.next(queue)
    }
    #expect(first == [0] && beside == [1, 2])
  }

  @Test func besideOthersAlsoWhatHasWaited() {
    let queue = JobQueue(limit: 10, group: 2, patience: .milliseconds(1))
    queue.add(Numbered(0))
    var beside: [Int]?
    let first = Self.next(queue) {
      queue.add(Numbered(1))
      beside = Self.next(queue)
    }
    #expect(first == [0] && beside == [1])
  }

  @Test func whatIsPutBackComesFirstAndAlone() {
    let queue = JobQueue(limit: 10, group: 4, patience: .seconds(3600))
    for number in 0..<3 { queue.add(Numbered(number)) }
    var group: [any Job] = []
    _ = queue.serve(within: 0) { group = $0 }
    queue.add(Numbered(3))
    queue.add(Numbered(4))
    queue.putBackAlone(group)
    let given = (0..<4).map { _ in Self.next(queue) }
    #expect(given == [[0], [1], [2], [3, 4]])
  }

  @Test func refusesWhatIsTooMuch() {
    let queue = JobQueue(limit: 1)
    queue.add(Numbered(0))
    let late = Numbered(1)
    queue.add(late)
    #expect(late.refusal.withLock { ($0 as? Rejection)?.code } == .unavailable)
  }

  @Test func endsOnceItIsClosedAndEmpty() {
    let queue = JobQueue(limit: 10)
    queue.add(Numbered(0))
    queue.close()
    let late = Numbered(1)
    queue.add(late)
    #expect(late.refusal.withLock { $0 } is StoreFailure)
    #expect(Self.next(queue) == [0])
    #expect(Self.next(queue) == nil)
  }
}
