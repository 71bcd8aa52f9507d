import ArgumentParser
import Coordinator
import Crypto
import Domain
import Foundation
import Logging
import Server

/// The opened database and the use cases over it: what every command begins with.
struct Deployment {
  let store: any Store
  let coordinator: Coordinator
  let secrets: Secrets
  let logger: Logger

  enum Purpose {
    /// The one server.
    case serve
    /// A command that may begin a database, such as an import.
    case make
    /// A command that works on what is there: a mistyped path must not look like an empty province.
    case use
  }

  /// - Parameters:
  ///   - isDemo: its key may stand in the database, since its passwords are public anyway.
  ///   - publish: where positions and presence go; only a server has somebody to tell.
  init(
    _ settings: Settings, _ purpose: Purpose, isDemo: Bool = false, logger: Logger,
    publish: @escaping @Sendable (VolatileEvent) -> Void = { _ in }
  ) async throws {
    self.logger = logger
    // What is made here holds patients' records: its owner's only.
    umask(0o077)
    store = try settings.database.open(purpose, logger: logger)
    do {
      secrets = Secrets(key: try await SecretKey.read(settings, store, mayMake: purpose != .use, isDemo: isDemo))
      if case .postgres = settings.database { try await SecretKey.check(secrets, store) }
    } catch {
      store.close()
      throw error
    }
    let publicURL = settings.server.publicURL ?? Self.address(settings)
    coordinator = Coordinator(
      store: store, secrets: secrets, publicURL: { publicURL }, logger: logger, publish: publish)
  }

  /// - Parameter port: what was bound, where the setting is 0.
  static func address(_ settings: Settings, port: Int? = nil) -> String {
    let host = settings.server.host.contains(":") ? "[\(settings.server.host)]" : settings.server.host
    return "\(settings.server.tls == nil ? "http" : "https")://\(host):\(port ?? settings.server.port)"
  }

  /// Who the command line is: whoever can write the database file may do everything anyway.
  func administrator() async throws -> Caller {
    let parents = try await store.read { try $0.facilityParents() }
    return Caller(
      sessionId: "command-line", kind: .token, personId: "command-line", username: "command-line",
      name: "Command line", grants: [Grant(role: .admin, facilities: parents.map(\.code))],
      tree: FacilityTree(parents: parents))
  }

  static func logger(_ settings: Settings) -> Logger {
    var logger = Logger(label: "hoichan", factory: { StreamLogHandler.standardError(label: $0) })
    logger.logLevel = settings.logLevel
    return logger
  }
}

/// The deployment's secret key: a setting, or a file beside the database that only its owner reads.
enum SecretKey {
  static func read(_ settings: Settings, _ store: any Store, mayMake: Bool, isDemo: Bool) async throws -> [UInt8] {
    if let text = settings.secretKey {
      guard text.utf8.count >= 32 else {
        throw UnreadableFile(path: "HOICHAN_SECRET_KEY", reason: "it must have at least 32 characters")
      }
      return Array(text.utf8)
    }
    switch settings.database {
    case .sqlite(let path): return try besideDatabase(path, mayMake: mayMake)
    case .postgres: return try await ofDemo(store, isDemo: isDemo)
    }
  }

  /// Every node needs the same key, and a demo's stands where each finds it. Nobody else's does: whoever reads the
  /// database must not be able to seal it.
  private static func ofDemo(_ store: any Store, isDemo: Bool) async throws -> [UInt8] {
    let name = "demo.key"
    let key =
      if isDemo {
        try await store.write { tx -> String? in
          guard try tx.meta("demo") != nil || tx.people(page: Page(limit: 1)).isEmpty else { return nil }
          return try tx.settleMeta(name, Secrets.random())
        }
      } else {
        try await store.read { try $0.meta(name) }
      }
    guard let key else {
      throw ValidationError(
        "HOICHAN_SECRET_KEY is needed with PostgreSQL: at least 32 characters, the same on every node.")
    }
    return Array(key.utf8)
  }

  /// Refuses a node whose key is not the other nodes'.
  static func check(_ secrets: Secrets, _ store: any Store) async throws {
    let known = try await store.write { try $0.settleMeta("key.fingerprint", secrets.fingerprint) }
    guard known == secrets.fingerprint else {
      throw ValidationError("HOICHAN_SECRET_KEY is not the key with which this database was begun (docs/SECURITY.md).")
    }
  }

  private static func besideDatabase(_ path: String, mayMake: Bool) throws -> [UInt8] {
    let file = URL(fileURLWithPath: path).deletingLastPathComponent().appending(path: "secret.key")
    if let known = try known(file) { return known }
    guard mayMake else {
      throw UnreadableFile(path: file.path, reason: "it is not there; put it back beside the database")
    }
    // Written whole under another name, then linked: nobody ever sees half a key, and of two that start at once one wins.
    let made = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
    let draft = file.path + ".\(getpid())"
    let descriptor = open(draft, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw UnreadableFile(path: file.path, reason: String(cString: strerror(errno))) }
    defer { unlink(draft) }
    let written = write(descriptor, made, made.count) == made.count && fsync(descriptor) == 0
    close(descriptor)
    guard written else { throw UnreadableFile(path: file.path, reason: "it could not be written") }
    if link(draft, file.path) == 0 { return made }
    guard errno == EEXIST, let known = try known(file) else {
      throw UnreadableFile(path: file.path, reason: String(cString: strerror(errno)))
    }
    return known
  }

  private static func known(_ file: URL) throws -> [UInt8]? {
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    let bytes = try ImportFile.bytes(of: file.path)
    guard bytes.count >= 32 else { throw UnreadableFile(path: file.path, reason: "it is no key: it is too short") }
    return bytes
  }
}
