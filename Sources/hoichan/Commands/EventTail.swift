import Coordinator
import Domain
import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Prints the log from a cursor on, and what is added to it by whichever process.
///
/// The store tells when it has changed: SQLite's by looking at what other processes wrote, PostgreSQL's by hearing of
/// it. A look once a second repairs what was not told.
final class EventTail: Service {
  enum End: Sendable {
    /// It was stopped, or nobody reads any more. Everything up to here was printed.
    case over(Cursor)
    case gap(CursorGap, LogBounds)
    /// The output takes nothing more, which is not because its reader has gone.
    case failed(String)
  }

  private static let interval = Duration.seconds(1)

  private let coordinator: Coordinator
  private let start: Cursor
  private let visibility: Visibility
  private let filter: EventFilter
  private let output = LineOutput()
  private let result = Mutex<End?>(nil)
  private let wakes: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  init(_ coordinator: Coordinator, from start: Cursor, visibility: Visibility, filter: EventFilter) {
    self.coordinator = coordinator
    self.start = start
    self.visibility = visibility
    self.filter = filter
    (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    coordinator.store.onChange { [wake] _ in wake.yield() }
  }

  /// How it ended; nil before.
  var end: End? { result.withLock { $0 } }

  func run() async throws {
    let end = await cancelWhenGracefulShutdown { await self.follow() }
    result.withLock { $0 = end }
  }

  private func follow() async -> End {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        while !Task.isCancelled {
          self.wake.yield()
          try? await Task.sleep(for: Self.interval)
        }
      }
      defer { group.cancelAll() }
      var cursor = start
      var isReadable = true
      for await _ in wakes {
        do {
          if let end = try await printNew(&cursor) { return end }
          isReadable = true
        } catch is CancellationError {
          break
        } catch let failure as OutputFailure {
          return .failed(failure.description)
        } catch {
          // Nothing is lost by waiting: it goes on from the cursor.
          if isReadable {
            coordinator.logger.error(
              "the event log could not be read; trying again", metadata: ["error": "\(error)"])
          }
          isReadable = false
        }
      }
      return .over(cursor)
    }
  }

  /// Prints what stands behind the cursor and moves it; how it ended, if it did.
  private func printNew(_ cursor: inout Cursor) async throws -> End? {
    while true {
      guard output.isOpen else { return .over(cursor) }
      let (verdict, bounds, events) = try await coordinator.events(behind: cursor, limit: Limits.replayPage)
      if case .gap(let gap) = verdict { return .gap(gap, bounds) }
      for event in events {
        if visibility.sees(event),
          filter.matches(
            type: event.type, facilities: event.facilities, specialty: event.specialty, subject: event.subject)
        {
          guard try await output.put(event.cloudEvent + "\n") else { return .over(cursor) }
        }
        cursor = Cursor(epoch: bounds.epoch, seq: event.seq, chain: event.chain)
      }
      if events.count < Limits.replayPage { return nil }
    }
  }
}

/// Nobody will get what is written any more, and the reason is not that the reader has gone.
private struct OutputFailure: Error, CustomStringConvertible { let description: String }

/// Standard output, a line at a time: each is with the reader before the next is made, whatever the output is.
private struct LineOutput: Sendable {
  /// What a pipe that takes anything takes at once (Linux's PIPE_BUF).
  private static let piece = 4_096

  /// Whether somebody may still read it. One who has gone is noticed also while nothing happens.
  var isOpen: Bool {
    var descriptor = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    return poll(&descriptor, 1, 0) <= 0
  }

  /// Hands the line over; false when nobody reads any more. A reader that takes nothing is waited for without a thread,
  /// and can be given up.
  /// - Throws: `CancellationError`, `OutputFailure`.
  func put(_ line: String) async throws -> Bool {
    var rest = Array(line.utf8)[...]
    while !rest.isEmpty {
      var descriptor = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
      guard poll(&descriptor, 1, 0) > 0 else {
        try await Task.sleep(for: .milliseconds(20))
        continue
      }
      let count = rest.prefix(Self.piece).withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno == EPIPE {
        return false
      } else if errno != EINTR, errno != EAGAIN {
        throw OutputFailure(description: "The output cannot be written: \(String(cString: strerror(errno)))")
      }
    }
    return true
  }
}
