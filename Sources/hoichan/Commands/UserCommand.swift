import ArgumentParser
import Coordinator
import Domain
import Foundation
import Logging

/// Accounts of people. Passwords are read from standard input, so that they stand in no process list.
struct UserCommand: AsyncParsableCommand {
  func run() async throws { throw ValidationError("Say what to do: add, disable, enable or passwd.") }

  static let configuration = CommandConfiguration(
    commandName: "user", abstract: "Adds, disables and re-enables accounts, and sets passwords.",
    subcommands: [Add.self, Disable.self, Enable.self, Passwd.self])

  struct Add: AsyncParsableCommand {
    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The user name.") var username: String
    @Option(help: "The person's full name.") var name: String?
    @Option(help: "station, specialist, dispatcher, crew, monitor, admin or auditor; may be repeated.")
    var role: [String]
    @Option(help: "A facility's code that the roles hold for; may be repeated.") var facility: [String]
    @Option(help: "For a specialist: the practitioner's id.") var practitioner: String?
    @Option(help: "For a crew: the vehicle's id.") var vehicle: String?

    func run() async throws {
      let password = try readPassword()
      try await administer(settings) { coordinator, call in
        let answer = try await coordinator.addPerson(
          call,
          .compact([
            "username": .string(username), "name": .string(name ?? username), "password": .string(password),
            "grants": grants(roles: role, facilities: facility), "practitionerId": practitioner.map { .string($0) },
            "vehicleId": vehicle.map { .string($0) },
          ]))
        print(text(answer, "id"))
      }
    }
  }

  struct Disable: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Disables an account and ends its sessions.")
    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The user name.") var username: String
    func run() async throws { try await change(settings, username, ["disabled": true]) }
  }

  struct Enable: AsyncParsableCommand {
    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The user name.") var username: String
    func run() async throws { try await change(settings, username, ["disabled": false]) }
  }

  struct Passwd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Sets a password, and ends the account's sessions.")
    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The user name.") var username: String
    func run() async throws {
      let password = try readPassword()
      try await change(settings, username, ["password": .string(password)])
    }
  }

  private static func change(_ settings: SettingsOptions, _ username: String, _ body: JSON) async throws {
    try await administer(settings) { coordinator, call in
      guard let person = try await coordinator.store.read({ try $0.person(username: username) }) else {
        throw ValidationError("There is no user '\(username)'.")
      }
      _ = try await coordinator.changePerson(call, id: person.id, body)
    }
  }
}

/// Tokens of machines.
struct TokenCommand: AsyncParsableCommand {
  func run() async throws { throw ValidationError("Say what to do: create, revoke or list.") }

  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Makes, lists and revokes machine tokens.",
    subcommands: [Create.self, Revoke.self, List.self])

  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Makes a token and prints it, this once.")
    @OptionGroup var settings: SettingsOptions
    @Argument(help: "What the token is for.") var name: String
    @Option(help: "A role; may be repeated.") var role: [String]
    @Option(help: "A facility's code that the roles hold for; may be repeated.") var facility: [String]
    @Option(help: "When it ends, in RFC 3339; never when not given.") var expires: String?

    func run() async throws {
      try await administer(settings) { coordinator, call in
        let answer = try await coordinator.addToken(
          call,
          .compact([
            "name": .string(name), "grants": grants(roles: role, facilities: facility),
            "expiresAt": expires.map { .string($0) },
          ]))
        print(text(answer, "token"))
      }
    }
  }

  struct Revoke: AsyncParsableCommand {
    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The token's id, or its name when only one has it.") var token: String
    func run() async throws {
      try await administer(settings) { coordinator, call in
        let named = try await all(coordinator).filter { $0.id == token || $0.name == token }
        guard named.count == 1, let found = named.first else {
          throw ValidationError(
            named.isEmpty ? "There is no token '\(token)'." : "Several tokens are named '\(token)'; give the id.")
        }
        _ = try await coordinator.revokeToken(call, id: found.id)
      }
    }
  }

  struct List: AsyncParsableCommand {
    @OptionGroup var settings: SettingsOptions
    func run() async throws {
      try await administer(settings) { coordinator, _ in
        for token in try await all(coordinator) {
          let grants = token.grants.map { "\($0.role.rawValue)@\($0.facilities.joined(separator: ","))" }
          print(
            "\(token.id)\t\(token.name)\t\(grants.joined(separator: " "))\t\(token.expiresAt?.text ?? "never ends")")
        }
      }
    }
  }

  private static func all(_ coordinator: Coordinator) async throws -> [Session] {
    try await coordinator.store.read { tx in
      var found: [Session] = []
      while true {
        let page = try tx.tokens(page: Page(after: found.last?.id, limit: Limits.pageMax))
        found += page
        if page.count < Limits.pageMax { return found }
      }
    }
  }
}

/// Opens the database as its administrator; what is refused is said in plain words.
func administer(
  _ options: SettingsOptions, _ purpose: Deployment.Purpose = .use,
  _ body: (Coordinator, Call) async throws -> Void
) async throws {
  let settings = try await options.read()
  var logger = Deployment.logger(settings)
  logger.logLevel = max(logger.logLevel, .warning)
  let deployment = try await Deployment(settings, purpose, logger: logger)
  defer { deployment.store.close() }
  do {
    try await body(deployment.coordinator, Call(try await deployment.administrator()))
  } catch let rejection as Rejection {
    let fields = rejection.fields.map { "\($0.pointer): \($0.detail)" }
    throw ValidationError(([rejection.detail] + fields).joined(separator: "\n"))
  }
}

private func readPassword() throws -> String {
  // Typed at a terminal it is not shown.
  let typed = isatty(0) != 0 ? getpass("Password: ").map { String(cString: $0) } : readLine()
  guard let line = typed, Limits.password.contains(line.count) else {
    throw ValidationError("A password has \(Limits.password.lowerBound) to \(Limits.password.upperBound) characters.")
  }
  return line
}

private func grants(roles: [String], facilities: [String]) -> JSON {
  .array(roles.map { ["role": .string($0), "facilities": .strings(facilities)] })
}

private func text(_ answer: Answer, _ member: String) -> String {
  (answer.body.flatMap { try? JSON(parsing: $0) })?[member]?.string ?? ""
}
