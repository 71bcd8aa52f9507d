import Domain
import Foundation
import GRDB
import GRDBSQLite
import Logging
import Synchronization

/// Moves what is in the write-ahead log into the database, beside the writer: automatic checkpoints would run inside
/// a commit and cost a third of all bookings (docs/decisions/0002).
final class Checkpointer: Sendable {
  private enum State { case idle, wanted, running, copied, stopped }

  private let queue: DatabaseQueue
  private let logger: Logger
  private let state = Mutex(State.idle)
  private let wake = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)

  init(queue: DatabaseQueue, logger: Logger) {
    self.queue = queue
    self.logger = logger
  }

  func start() {
    let thread = Thread { [self] in
      while true {
        wake.wait()
        let goesOn = state.withLock { state in
          if state == .stopped { return false }
          state = .running
          return true
        }
        guard goesOn else { break }
        copy()
        state.withLock { if $0 == .running { $0 = .copied } }
      }
      ended.signal()
    }
    thread.name = "hoichan-checkpoint"
    thread.start()
  }

  /// The second pass takes what was written during the first.
  private func copy() {
    for _ in 0..<2 {
      do {
        _ = try queue.inDatabase { try $0.checkpoint(.passive) }
      } catch {
        logger.warning("a checkpoint failed", metadata: ["error": "\(error)"])
      }
    }
  }

  /// Asked by the writer between groups. True when the log has been copied and the writer can begin it anew.
  func advance() -> Bool {
    let (signal, copied) = state.withLock { state in
      switch state {
      case .idle:
        state = .wanted
        return (true, false)
      case .copied:
        state = .idle
        return (false, true)
      case .wanted, .running, .stopped: return (false, false)
      }
    }
    if signal { wake.signal() }
    return copied
  }

  func stop() {
    state.withLock { $0 = .stopped }
    wake.signal()
    ended.wait()
  }
}

/// The writer's view of the write-ahead log: how long it is.
final class Wal {
  private let handle: OpaquePointer
  private let pages = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  init(_ handle: OpaquePointer) {
    self.handle = handle
    pages.initialize(to: 0)
    // Setting a hook also turns SQLite's automatic checkpoints off, which are such a hook themselves.
    sqlite3_wal_hook(
      handle,
      { context, _, _, count in
        context?.assumingMemoryBound(to: Int32.self).pointee = count
        return SQLITE_OK
      }, pages)
  }

  deinit {
    sqlite3_wal_hook(handle, nil, nil)
    pages.deallocate()
  }

  func groupCommitted(_ checkpointer: Checkpointer) {
    guard pages.pointee >= Limits.walCheckpointPages, checkpointer.advance() else { return }
    // Nearly everything was copied beside us; this takes the rest and lets the next group begin at the log's start.
    sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_RESTART, nil, nil)
  }
}
