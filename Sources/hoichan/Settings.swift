import ArgumentParser
import Configuration
import Domain
import Foundation
import Logging
import Realtime
import Server
import SystemPackage

/// Settings by file, `HOICHAN_*` environment and flags, in rising precedence (CONTRACT "Commands").
struct SettingsOptions: ParsableArguments {
  @Option(help: "A JSON file of settings, such as {\"database\": \"sqlite:/var/lib/hoichan/hoichan.sqlite\"}.")
  var config: String?

  @Option(help: "sqlite:PATH or postgres://…. Also HOICHAN_DATABASE.")
  var database: String?

  @Option(help: "trace, debug, info, notice, warning, error or critical. Also HOICHAN_LOG_LEVEL.")
  var logLevel: String?

  /// - Parameter flags: further settings that were given as flags, by their names.
  func read(_ flags: [String: String?] = [:]) async throws -> Settings {
    var values: [AbsoluteConfigKey: ConfigValue] = [:]
    for (name, value) in flags.merging(["database": database, "log.level": logLevel], uniquingKeysWith: { $1 ?? $0 }) {
      if let value { values[AbsoluteConfigKey(ConfigKey(name))] = ConfigValue(stringLiteral: value) }
    }
    var providers: [any ConfigProvider] = [
      InMemoryProvider(name: "flags", values: values),
      EnvironmentVariablesProvider().prefixKeys(with: "hoichan"),
    ]
    if let config {
      try Self.check(file: config)
      do {
        providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(config)))
      } catch {
        throw ValidationError("The settings file \(config) cannot be read: \(error)")
      }
    }
    return try Settings(ConfigReader(providers: providers))
  }
}

extension SettingsOptions {
  /// Refuses what would not be read: a misspelt name, or a value that is no text. An operator who set a limit must not
  /// learn in the night that it never counted.
  private static func check(file: String) throws {
    let settings: JSON
    do {
      settings = try JSON(parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: file))))
    } catch let error as JSONError {
      throw ValidationError("The settings file \(file) is no JSON: \(error.reason) at byte \(error.offset).")
    } catch {
      throw ValidationError("The settings file \(file) cannot be read: \(error.localizedDescription)")
    }
    func check(_ value: JSON, _ path: [String]) throws {
      let name = path.joined(separator: ".")
      if case .object(let members) = value, !Settings.names.contains(name) {
        for (member, value) in members.items { try check(value, path + [member]) }
      } else if !Settings.names.contains(name) {
        let known = Settings.names.sorted().joined(separator: ", ")
        throw ValidationError("The settings file \(file): there is no setting '\(name)'; there are \(known).")
      } else if value.string == nil {
        throw ValidationError("The settings file \(file): '\(name)' must be text in quotes.")
      }
    }
    try check(settings, [])
  }
}

/// What an operator decided.
struct Settings {
  /// The settings, as a file names them: `{"log": {"level": "info"}}`.
  static let names: Set<String> = [
    "database", "secret.key", "log.level", "listen", "public.url", "trusted.proxies", "tls.cert", "tls.key",
    "turn.urls", "turn.secret", "tiles.url", "webhook.private", "limit.requests", "limit.signins", "limit.sockets",
    "events.keep.days", "events.keep.count", "feed.memory.mb", "feed.backlog.mb",
  ]

  var database: Database
  var secretKey: String?
  var logLevel: Logger.Level
  var retention: EventRetention
  var feedMemory: FeedMemory
  /// Whether webhooks may go to the own machine and network.
  var allowsLocalReceivers: Bool
  var server: ServerSettings

  init(_ config: ConfigReader) throws {
    // An empty setting is no setting: an environment file can name all of them.
    func text(_ key: ConfigKey, secret: Bool = false) -> String? {
      config.string(forKey: key, isSecret: secret).flatMap { $0.isEmpty ? nil : $0 }
    }
    func list(_ key: ConfigKey, secret: Bool = false) -> [String] {
      (text(key, secret: secret) ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }

    database = try Database(text("database", secret: true) ?? "sqlite:./data/hoichan.sqlite")
    secretKey = text("secret.key", secret: true)
    let level = text("log.level") ?? "info"
    guard let parsed = Logger.Level(rawValue: level) else {
      throw ValidationError("HOICHAN_LOG_LEVEL: '\(level)' is no level; info is usual.")
    }
    logLevel = parsed
    // A year that has a leap day: whoever comes once a year still goes on from where they were.
    retention = EventRetention(
      age: try Self.bound(text("events.keep.days") ?? "366", "HOICHAN_EVENTS_KEEP_DAYS").map { .days($0) },
      count: try Self.bound(text("events.keep.count") ?? "0", "HOICHAN_EVENTS_KEEP_COUNT"))
    feedMemory = FeedMemory()
    if let size = text("feed.memory.mb") { feedMemory.ring = try Self.bytes(size, "HOICHAN_FEED_MEMORY_MB") }
    if let size = text("feed.backlog.mb") { feedMemory.backlog = try Self.bytes(size, "HOICHAN_FEED_BACKLOG_MB") }
    let local = text("webhook.private") ?? "0"
    guard ["0", "1"].contains(local) else {
      throw ValidationError("HOICHAN_WEBHOOK_PRIVATE: '\(local)' is neither 0 nor 1.")
    }
    allowsLocalReceivers = local == "1"

    server = ServerSettings()
    (server.host, server.port) = try Self.address(text("listen") ?? "127.0.0.1:8080")
    server.publicURL = text("public.url").map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
    server.trustedProxies = try list("trusted.proxies").map { block in
      guard let parsed = AddressBlock(block) else {
        throw ValidationError("HOICHAN_TRUSTED_PROXIES: '\(block)' is no address or block, such as 10.0.0.0/8.")
      }
      return parsed
    }
    switch (text("tls.cert"), text("tls.key")) {
    case (nil, nil): break
    case (let certificate?, let key?): server.tls = .init(certificate: certificate, key: key)
    default: throw ValidationError("HOICHAN_TLS_CERT and HOICHAN_TLS_KEY go together.")
    }
    server.turnURLs = list("turn.urls")
    server.turnSecrets = list("turn.secret", secret: true)
    if !server.turnURLs.isEmpty, server.turnSecrets.isEmpty {
      throw ValidationError("HOICHAN_TURN_URLS needs HOICHAN_TURN_SECRET.")
    }
    server.tilesURL = text("tiles.url")
    try Self.limit(text("limit.requests"), "HOICHAN_LIMIT_REQUESTS") { perSecond in
      server.requestRate = .init(perSecond: perSecond, burst: perSecond * 4)
    }
    try Self.limit(text("limit.signins"), "HOICHAN_LIMIT_SIGNINS") { perMinute in
      let rate = ServerSettings.Rate(perSecond: perMinute / 60, burst: perMinute)
      server.signInRate = rate
      server.signInNameRate = rate
      server.signInAddressRate = rate
    }
    try Self.limit(text("limit.sockets"), "HOICHAN_LIMIT_SOCKETS") { server.connectionsPerAddress = Int($0) }
  }

  /// 0 is no bound.
  private static func bound(_ text: String, _ name: String) throws -> Int64? {
    guard let value = Int64(text), (0...1_000_000_000).contains(value) else {
      throw ValidationError("\(name): '\(text)' is no whole number from 0 on; 0 keeps all.")
    }
    return value == 0 ? nil : value
  }

  private static func bytes(_ text: String, _ name: String) throws -> Int {
    let range = Limits.feedMemoryMebibytes
    guard let mebibytes = Int(text), range.contains(mebibytes) else {
      throw ValidationError(
        "\(name): '\(text)' is no whole number from \(range.lowerBound) to \(range.upperBound).")
    }
    return mebibytes * 1024 * 1024
  }

  private static func limit(_ text: String?, _ name: String, _ set: (Double) -> Void) throws {
    guard let text else { return }
    guard let value = Double(text), value >= 1, value <= 1e9 else {
      throw ValidationError("\(name): '\(text)' is no number from 1 on.")
    }
    set(value)
  }

  /// `host:port`, `[v6]:port`.
  private static func address(_ text: String) throws -> (String, Int) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65535).contains(port)
    else { throw ValidationError("HOICHAN_LISTEN: '\(text)' is not host:port.") }
    let host = text[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    return (host.isEmpty ? "0.0.0.0" : host, port)
  }

  /// Whether only this machine can reach the server.
  var isLoopback: Bool { server.host == "localhost" || server.host == "::1" || server.host.hasPrefix("127.") }
}
