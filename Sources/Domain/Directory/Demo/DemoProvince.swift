/// A made-up but complete province: a station for every real commune, hospitals, specialists with schedules,
/// ambulances and accounts. People, coordinates and the work of hospitals are invented; `note` says so on the pages.
///
/// Pure and the same for the same seed on every machine, so that a demo, a test and a screenshot agree.
package struct DemoProvince: Sendable, Equatable {
  package struct Account: Sendable, Equatable {
    package var id: String
    package var username: String
    package var name: String
    package var grants: [Grant]
    /// For specialists, who they are in the schedules.
    package var practitioner: String?
    /// For the crew, what they ride.
    package var vehicle: String?
  }

  package enum Failure: Error, Sendable, Equatable {
    /// The list of communes could not be read.
    case list(ImportProblem)
    /// No such province; these are there.
    case unknownProvince(String, known: [String])
  }

  package static let defaultProvince = "38"
  package static let password = "hoichan-demo"
  package static let note = (
    vi: "Dữ liệu minh họa: người, toạ độ và lịch làm việc đều không có thật.",
    en: "Demonstration data: people, coordinates and schedules are made up."
  )

  /// The province's code and short name: "38", "Thanh Hóa".
  package var code: String
  package var name: String
  package var batch: DirectoryBatch
  package var accounts: [Account]

  /// Builds the province `code` from the official list of communes (`province_code,province,commune_code,commune,type`).
  package init(communes list: [UInt8], province code: String = defaultProvince, seed: UInt64 = 2025) throws(Failure) {
    let communes = try DemoCommune.all(list)
    let mine = communes.filter { $0.province == code }
    guard let first = mine.first, let place = DemoPlace.all[code] else {
      throw .unknownProvince(code, known: Set(communes.map(\.province)).sorted())
    }
    let maker = DemoMaker(code: code, province: first.provinceName, place: place)
    // Each part has its own stream, so that a change of one leaves the others as they were.
    var random = (0..<5).map { SplitMix64(seed: seed &* 1000 &+ UInt64($0) &+ UInt64(code, radix: 10, or: 0) << 32) }
    let facilities = maker.facilities(mine, &random[0])
    var names = DemoNames()
    let practitioners = maker.practitioners(&names, &random[1])
    let vehicles = maker.vehicles(&random[3])
    batch = DirectoryBatch(
      facilities: facilities, practitioners: practitioners,
      sessions: maker.sessions(of: practitioners, &random[2]), vehicles: vehicles)
    accounts = maker.accounts(
      practitioners: practitioners, vehicles: vehicles, facilities: facilities, &names, &random[4])
    self.code = code
    name = maker.shortName
  }
}

/// A line of the official list.
struct DemoCommune {
  var province: String
  var provinceName: String
  var code: String
  /// With its type in front: "Phường Hạc Thành", "Xã Yên Thọ", "Đặc khu Lý Sơn".
  var name: String

  static func all(_ list: [UInt8]) throws(DemoProvince.Failure) -> [DemoCommune] {
    do throws(ImportProblem) {
      let table = try CSVTable(parsing: list)
      guard table.header.fields == ["province_code", "province", "commune_code", "commune", "type"] else {
        throw ImportProblem(line: 1, message: "This is not the list of communes.")
      }
      var communes: [DemoCommune] = []
      communes.reserveCapacity(table.rows.count)
      for row in table.rows {
        guard row.fields.count == 5 else { throw ImportProblem(line: row.line, message: "Five fields were expected.") }
        communes.append(
          .init(province: row.fields[0], provinceName: row.fields[1], code: row.fields[2], name: row.fields[3]))
      }
      return communes
    } catch {
      throw .list(error)
    }
  }
}

extension UInt64 {
  fileprivate init(_ text: String, radix: Int, or other: UInt64) { self = UInt64(text, radix: radix) ?? other }
}
