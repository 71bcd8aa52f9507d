import ArgumentParser
import Coordinator
import Domain
import Foundation
import Logging
import StoragePostgres
import StorageSQLite

/// Where everything is kept: `HOICHAN_DATABASE`.
enum Database: Equatable {
  case sqlite(path: String)
  /// libpq's URI, which may name several hosts.
  case postgres(uri: String)

  init(_ text: String) throws {
    if text.hasPrefix("sqlite:"), text.count > 7 {
      self = .sqlite(path: URL(fileURLWithPath: String(text.dropFirst(7))).path)
    } else if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
      self = .postgres(uri: text)
    } else {
      throw ValidationError("HOICHAN_DATABASE must be sqlite:PATH or postgres://USER@HOST:PORT/DATABASE.")
    }
  }

  /// Opens it for a purpose. Blocks.
  func open(_ purpose: Deployment.Purpose, logger: Logger) throws -> any Store {
    switch self {
    case .sqlite(let path):
      if purpose == .use, !FileManager.default.fileExists(atPath: path) {
        throw ValidationError("There is no database at \(path).")
      }
      return try SQLiteStore(path: path, logger: logger, serves: purpose == .serve)
    case .postgres: return try PostgresStore(settings(purpose), logger: logger)
    }
  }

  /// Opens it when nobody else serves it: what is copied must stand still.
  func openAlone(_ purpose: Deployment.Purpose, logger: Logger) throws -> any Store {
    switch self {
    case .sqlite(let path):
      if purpose == .use, !FileManager.default.fileExists(atPath: path) {
        throw ValidationError("There is no database at \(path).")
      }
      return try SQLiteStore(path: path, logger: logger, serves: true)
    case .postgres:
      try PostgresStore.requireNoNodes(settings())
      return try PostgresStore(settings(), logger: logger)
    }
  }

  /// A command may take its time where a request may not.
  private func settings(_ purpose: Deployment.Purpose = .use) -> PostgresSettings {
    guard case .postgres(let uri) = self else { return PostgresSettings(uri: "") }
    return purpose == .serve
      ? PostgresSettings(uri: uri) : PostgresSettings(uri: uri, name: "hoichan command", statementSeconds: 3600)
  }

  /// The engine's own counters.
  var metricDescriptions: [(label: String, help: String)] {
    switch self {
    case .sqlite: SQLiteStore.metricDescriptions
    case .postgres: PostgresStore.metricDescriptions
    }
  }

  /// Removes the database's contents. Refuses while somebody serves it.
  func remove() throws {
    switch self {
    case .sqlite(let path): try SQLiteStore.remove(path: path)
    case .postgres: try PostgresStore.remove(settings())
    }
  }

  /// What the engine itself finds wrong. PostgreSQL checks its pages when it reads them.
  func integrityProblems() throws -> [String] {
    switch self {
    case .sqlite(let path): try SQLiteFiles.integrityCheck(path)
    case .postgres: []
    }
  }

  func backup(to file: String) throws {
    switch self {
    case .sqlite(let path): try SQLiteFiles.backup(from: path, to: file)
    case .postgres: try PostgresFiles.backup(settings(), to: file)
    }
  }

  func restore(_ file: String, now: Instant) throws {
    switch self {
    case .sqlite(let path): try SQLiteFiles.restore(file, to: path, now: now)
    case .postgres: try PostgresFiles.restore(file, to: settings(), now: now)
    }
  }
}
