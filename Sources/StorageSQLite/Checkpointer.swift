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
  private let busyTimeoutMilliseconds: Int
  /// Pages at which the log is to be begun anew.
  private var wanted = Limits.walCheckpointPages
  private let pages = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  init(_ handle: OpaquePointer, busyTimeoutMilliseconds: Int) {
    self.handle = handle
    self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
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
    guard pages.pointee >= wanted, checkpointer.advance() else { return }
    // Nearly everything was copied beside us; this takes the rest and lets the next group begin at the log's start.
    // It waits for readers, but not for long: a backup or `verify` reads for minutes, and bookings must go on. Then
    // the log grows, and is tried again when it has grown by a quarter.
    sqlite3_busy_timeout(handle, Int32(Limits.walRestartMilliseconds))
    let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_RESTART, nil, nil)
    sqlite3_busy_timeout(handle, Int32(busyTimeoutMilliseconds))
    wanted = code == SQLITE_OK ? Limits.walCheckpointPages : pages.pointee + Limits.walCheckpointPages / 4
  }
}
