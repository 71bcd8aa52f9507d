import Coordinator
import Foundation

/// Held by whoever has the database open: shared by a server and commands, alone by a restore. A server holds a second
/// one alone: two of them would be two switchboards for one call.
final class DataLock: Sendable {
  enum Kind { case shared, exclusive, serving }

  private let descriptor: Int32

  /// Throws at once when the lock is held in a way that excludes this.
  init(path: String, kind: Kind) throws {
    let path = path + (kind == .serving ? ".serving" : ".lock")
    descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw StoreFailure("\(path) cannot be opened: \(String(cString: strerror(errno)))")
    }
    guard flock(descriptor, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 else {
      // `deinit` closes it: it runs also when this throws, as everything has a value by now.
      switch kind {
      case .shared: throw StoreFailure("the database is being restored")
      case .exclusive: throw StoreFailure("a server or command has the database open; stop it first")
      case .serving: throw StoreFailure("another server serves this database")
      }
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }
}
