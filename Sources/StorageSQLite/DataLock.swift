import Coordinator
import Foundation

/// Held by whoever has the database open: shared by servers and commands, alone by a restore.
final class DataLock: Sendable {
  enum Kind { case shared, exclusive }

  private let descriptor: Int32

  /// Throws at once when the lock is held in a way that excludes this.
  init(path: String, kind: Kind) throws {
    descriptor = open(path + ".lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw StoreFailure("\(path).lock cannot be opened: \(String(cString: strerror(errno)))")
    }
    guard flock(descriptor, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 else {
      // `deinit` closes it: it runs also when this throws, as everything has a value by now.
      throw StoreFailure(
        kind == .shared ? "the database is being restored" : "a server or command has the database open; stop it first")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }
}
