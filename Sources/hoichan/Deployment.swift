import ArgumentParser
import Coordinator
import Crypto
import Domain
import Foundation
import Logging
import Server
import Storage

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
      guard try await store.read({ try $0.meta(DatabaseCopy.mark) }) == nil else {
        throw ValidationError("A copy into this database has not ended; run hoichan copy again.")
      }
    } catch {
      store.close()
      throw error
    }
    let publicURL = settings.server.publicURL ?? Self.address(settings)
    coordinator = Coordinator(
      store: store, secrets: secrets, publicURL: { publicURL }, logger: logger,
      allowsLocalReceivers: settings.allowsLocalReceivers, publish: publish)
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
      // What a single server made for itself holds any bytes; other nodes are given the file.
      let key = text.hasPrefix("file:") ? try ImportFile.bytes(of: String(text.dropFirst(5))) : Array(text.utf8)
      guard key.count >= 32 else {
        throw UnreadableFile(path: "HOICHAN_SECRET_KEY", reason: "it must have at least 32 characters")
      }
      return key
    }
    switch settings.database {
    case .sqlite(let path): return try besideDatabase(path, mayMake: mayMake)
    case .postgres: return try await ofDemo(store, isDemo: isDemo)
    }
  }

  /// Every node needs the same key, and a demo's stands where each finds it. Nobody else's does: whoever reads the
  /// database must not be able to seal it.
  private static func ofDemo(_ store: any Store, isDemo: Bool) async throws -> [UInt8] {
    let key =
      if isDemo {
        try await store.write { tx -> String? in
          guard try tx.meta("demo") != nil || tx.people(page: Page(limit: 1)).isEmpty else { return nil }
          return try tx.settleMeta(demoKey, Secrets.random())
        }
      } else {
        try await store.read { try $0.meta(demoKey) }
      }
    guard let key = key.flatMap({ Base64URL.decode($0) }) else {
      throw ValidationError(
        "HOICHAN_SECRET_KEY is needed with PostgreSQL: at least 32 characters, the same on every node.")
    }
    return key
  }

  /// Makes a copied database ask for the key of the one it was copied from; a demo's stands where each node finds it.
  static func hand(_ key: [UInt8], to store: any Store, _ database: Database, isDemo: Bool) async throws {
    switch database {
    case .sqlite(let path):
      guard try besideDatabase(path, key, mayMake: true) == key else {
        throw ValidationError("There is another secret.key beside \(path).")
      }
    case .postgres:
      let fingerprint = Secrets(key: key).fingerprint
      let encoded = Base64URL.encode(key)
      try await store.write { tx in
        try tx.setMeta("key.fingerprint", fingerprint)
        if isDemo { try tx.setMeta(demoKey, encoded) }
      }
    }
  }

  private static let demoKey = "demo.key"

  /// Refuses a node whose key is not the other nodes'.
  static func check(_ secrets: Secrets, _ store: any Store) async throws {
    let known = try await store.write { try $0.settleMeta("key.fingerprint", secrets.fingerprint) }
    guard known == secrets.fingerprint else {
      throw ValidationError("HOICHAN_SECRET_KEY is not the key with which this database was begun (docs/SECURITY.md).")
    }
  }

  /// - Parameter key: what is put there when there is none; otherwise one is made.
  private static func besideDatabase(_ path: String, _ key: [UInt8]? = nil, mayMake: Bool) throws -> [UInt8] {
    let file = URL(fileURLWithPath: path).deletingLastPathComponent().appending(path: "secret.key")
    if let known = try known(file) { return known }
    guard mayMake else {
      throw UnreadableFile(path: file.path, reason: "it is not there; put it back beside the database")
    }
    // Written whole under another name, then linked: nobody ever sees half a key, and of two that start at once one wins.
    let made = key ?? SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
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
