/// What is wrong with an imported file, and where.
package struct ImportProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// From 1; the header is line 1.
  package var line: Int
  /// From 1, counted in fields as a spreadsheet does; nil when the whole line is meant.
  package var column: Int?
  /// The column's name in the header, where it has one.
  package var name: String?
  package var message: String

  package init(line: Int, column: Int? = nil, name: String? = nil, message: String) {
    self.line = line
    self.column = column
    self.name = name
    self.message = message
  }

  /// `line 12, column weekday (3): …`, or `line 12, column 3: …` where the columns have no names yet.
  package var description: String {
    let place =
      switch (name, column) {
      case (let name?, let column?): ", column \(name) (\(column))"
      case (let name?, nil): ", column \(name)"
      case (nil, let column?): ", column \(column)"
      case (nil, nil): ""
      }
    return "line \(line)\(place): \(message)"
  }
}

/// What the files that come later may refer to: the directory as it is before the import.
package struct KnownDirectory: Sendable, Equatable {
  /// Each facility's code with its parent's, if any.
  package var parents: [String: String?]
  package var practitioners: Set<String>

  package init(facilities: [Facility] = [], practitioners: some Sequence<String> = []) {
    parents = Dictionary(facilities.map { ($0.code, $0.parent) }) { first, _ in first }
    self.practitioners = Set(practitioners)
  }
}

/// A file as read: what to load, or every problem. With one problem nothing is to be loaded.
package struct ImportResult: Sendable, Equatable {
  package var batch: DirectoryBatch
  package var problems: [ImportProblem]
  package var rows: Int
}

/// What a CSV file may hold; `docs/IMPORT.md` describes the columns.
package enum ImportKind: String, Sendable, CaseIterable {
  case facilities, practitioners, schedules, vehicles

  /// Required columns first, then those that may be left out.
  package var columns: (required: [String], optional: [String]) {
    switch self {
    case .facilities:
      (
        ["code", "name", "kind"],
        ["province", "commune_code", "parent", "successor", "valid_from", "valid_to", "latitude", "longitude", "phone"]
      )
    case .practitioners: (["id", "name", "facility", "specialty"], ["phone", "valid_to"])
    case .schedules:
      (
        ["practitioner", "weekday", "start", "end", "visit_minutes"],
        ["id", "valid_from", "valid_to", "every_weeks", "week_offset"]
      )
    case .vehicles: (["label", "facility"], ["id", "kind"])
    }
  }

  /// Reads a whole file. References are looked up in `known` and, for facilities, in the file itself.
  package func read(_ bytes: [UInt8], known: KnownDirectory) -> ImportResult {
    var rows = ImportRows(kind: self)
    let table: CSVTable
    do {
      table = try CSVTable(parsing: bytes)
    } catch {
      return .init(batch: .init(), problems: [error], rows: 0)
    }
    var batch = DirectoryBatch()
    if rows.begin(table.header) {
      switch self {
      case .facilities: batch.facilities = rows.facilities(table.rows, known: known)
      case .practitioners: batch.practitioners = rows.practitioners(table.rows, known: known)
      case .schedules: batch.sessions = rows.schedules(table.rows, known: known)
      case .vehicles: batch.vehicles = rows.vehicles(table.rows, known: known)
      }
    }
    return .init(batch: rows.problems.isEmpty ? batch : .init(), problems: rows.problems, rows: table.rows.count)
  }
}
