import ArgumentParser
import Coordinator
import Domain
import Foundation
import Logging

/// A ready province to look at, on loopback only.
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Serves a made-up but complete province on this machine.")
  @OptionGroup var settings: SettingsOptions
  @Option(help: "The port.") var port: Int?
  @Option(help: "The folder that holds the demo's database, unless HOICHAN_DATABASE is on PostgreSQL.")
  var data: String?
  @Option(help: "The province's official code, such as 38 for Thanh Hóa.") var province: String?
  @Flag(help: "Starts over: what the demo's database held is lost.") var fresh = false
  @Flag(help: "Keeps playing a day's traffic.") var live = false

  func run() async throws {
    let settings = try await read()
    guard settings.isLoopback else {
      throw ValidationError("The demo's passwords are public: it listens on loopback only.")
    }
    let logger = Deployment.logger(settings)
    if fresh { try settings.database.remove() }
    try await Wiring.serve(settings, isDemo: true, live: live, logger: logger) { deployment in
      try await Self.fill(deployment, province: province)
    } ready: { port in
      print(Self.welcome(Deployment.address(settings, port: port)))
      // The address must be seen at once also where the output is a file.
      fflush(nil)
    }
  }

  private func read() async throws -> Settings {
    var settings = try await settings.read(["listen": port.map { "127.0.0.1:\($0)" }])
    if case .sqlite = settings.database, let data { settings.database = try Database("sqlite:\(data)/hoichan.sqlite") }
    return settings
  }

  /// Loads the province unless the database has one; a database that is in real use is left alone.
  static func fill(_ deployment: Deployment, province code: String?) async throws {
    let (demo, people) = try await deployment.store.read { tx in
      (try tx.meta("demo"), try tx.people(page: Page(limit: 1)).count)
    }
    if let demo {
      guard code == nil || code == demo else {
        throw ValidationError("This database holds the demo of province \(demo); give --fresh to start over.")
      }
      return
    }
    guard people == 0 else { throw ValidationError("This database is in real use; the demo leaves it alone.") }
    let province: DemoProvince
    do {
      province = try DemoProvince(
        communes: try CommuneList.bytes(), province: code ?? DemoProvince.defaultProvince)
    } catch DemoProvince.Failure.unknownProvince(let code, let known) {
      throw ValidationError("There is no province '\(code)'. There are \(known.joined(separator: ", ")).")
    }
    // One hash for all: the password is public anyway, and a hash takes its time.
    let hash = try await deployment.coordinator.passwords.hash(DemoProvince.password)
    try await deployment.coordinator.load(
      province.batch,
      people: province.accounts.map { account in
        Person(
          id: account.id, username: account.username, name: account.name, passwordHash: hash,
          practitionerId: account.practitioner, vehicleId: account.vehicle, grants: account.grants)
      }, meta: ["demo": province.code])
  }

  private static func welcome(_ address: String) -> String {
    """
    Hội Chẩn is ready: \(address)
    \(DemoProvince.note.vi) \(DemoProvince.note.en)
    It listens on loopback only: nobody but this machine reaches it. Password of every account: \(DemoProvince.password)
      tram      station            trạm y tế
      bacsi     specialist         bác sĩ chuyên khoa (tim mạch)
      dieuphoi  dispatcher         điều phối
      xe        ambulance crew     kíp xe cấp cứu
      giamsat   monitor            giám sát
      quantri   administrator      quản trị
      kiemtra   auditor            kiểm tra
    """
  }
}
