import Coordinator
import Domain
import StorageSQLite
import Synchronization
import Testing

@testable import Realtime

/// Rooms' rows in a real database, with a keeper that is set to work when the test wants it.
@Suite struct RoomKeeperTests {
  private static func room(_ term: Int64, _ facts: CallFact...) -> RoomKeeper.Room {
    .init(term: term, document: nil, facts: facts.enumerated().map { ($0.offset + 1, $0.element) })
  }

  /// Lets the keeper work until what waits is done.
  private func work(_ keeper: RoomKeeper) async {
    keeper.finish()
    await keeper.run(current: { _ in nil }, kept: { _, _, _ in }, lost: { _, _ in })
  }

  /// The row says until then that the first call goes on.
  @Test func aCallThatIsOverIsWrittenBeforeTheNextOneBegins() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    let keeper = RoomKeeper(site.coordinator, logger: Site.logger)
    guard case .ours(nil, let term) = try await keeper.take(consult) else {
      Issue.record("the room is somebody's")
      return
    }
    let ended = CallFact(type: .callEnded, caller: nil, role: nil, participants: 0)
    keeper.remove(consult, Self.room(term, ended))
    let next = Task { try await keeper.take(consult) }
    // Whoever did not wait would have been served by now.
    for _ in 0..<20 { try await site.store.write { _ in } }
    await work(keeper)
    guard case .ours(nil, 1) = try await next.value else {
      Issue.record("the next call goes on with what the first one left")
      return
    }
    #expect(try await site.facts(of: consult, until: .callEnded).count == 1)
  }

  /// Nobody waits for a keeper that has stopped.
  @Test func nobodyWaitsForWhatIsNotWrittenAnyMore() async throws {
    let site = try await Site()
    let consult = try await site.consult()
    let keeper = RoomKeeper(site.coordinator, logger: Site.logger)
    await work(keeper)
    keeper.remove(consult, Self.room(1))
    _ = try await keeper.take(consult)
  }

  /// A room whose change found no place in the queue is noted with its next one.
  @Test func aChangeThatFoundNoPlaceIsFollowedByTheNext() async throws {
    let site = try await Site()
    let keeper = RoomKeeper(site.coordinator, logger: Site.logger)
    for number in 0..<Limits.callFacts { keeper.changed("\(number)") }
    keeper.changed("late")
    let (asked, ask) = AsyncStream<String>.makeStream()
    let work = Task {
      await keeper.run(
        current: { consult in
          ask.yield(consult)
          return nil
        }, kept: { _, _, _ in }, lost: { _, _ in })
    }
    let seen = try await within(.seconds(20)) {
      var seen = 0
      for await consult in asked {
        seen += 1
        if seen == Limits.callFacts { keeper.changed("late") }
        if consult == "late" { break }
      }
      return seen
    }
    #expect(seen == Limits.callFacts + 1)
    keeper.finish()
    await work.value
  }
}
