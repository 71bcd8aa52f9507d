extension ImportRows {
  mutating func facilities(_ rows: [CSVTable.Row], known: KnownDirectory) -> [Facility] {
    var lines: [String: Int] = [:]
    let facilities = each(rows) { row -> Facility? in
      let code = row.required("code") == nil ? nil : row.facilityCode("code")
      let name = row.name("name")
      let kind = row.facilityKind()
      let province = row.province(of: code)
      let commune = row.commune()
      let (parent, successor) = (row.facilityCode("parent"), row.facilityCode("successor"))
      let (from, to) = row.validity()
      let (latitude, longitude) = (row.degrees("latitude", 90), row.degrees("longitude", 180))
      if (row.optional("latitude") == nil) != (row.optional("longitude") == nil) {
        row.problem("latitude", "Latitude and longitude belong together.")
      }
      let phone = row.phone("phone")
      guard let code, let name, let kind, let province, row.unique("code", code) else { return nil }
      lines[code] = row.line
      return Facility(
        code: code, name: name, kind: kind, province: province, communeCode: commune, parent: parent,
        successor: successor, validFrom: from, validTo: to, latitude: latitude, longitude: longitude, phone: phone)
    }
    checkReferences(facilities, lines: lines, known: known)
    return facilities
  }

  /// Parents and successors may stand anywhere in the file, so they are looked up when all of it is read.
  private mutating func checkReferences(_ facilities: [Facility], lines: [String: Int], known: KnownDirectory) {
    var parents = known.parents
    for facility in facilities { parents[facility.code] = .some(facility.parent) }
    for facility in facilities {
      let line = lines[facility.code] ?? 0
      if let parent = facility.parent, parents[parent] == nil {
        problem(onLine: line, "parent", "There is no facility '\(parent)', here or in the directory.")
      } else if isUnderItself(facility.code, parents: parents) {
        problem(onLine: line, "parent", "'\(facility.code)' would lie under itself.")
      }
      if let successor = facility.successor, parents[successor] == nil {
        problem(onLine: line, "successor", "There is no facility '\(successor)', here or in the directory.")
      }
      if facility.successor == facility.code {
        problem(onLine: line, "successor", "A facility does not succeed itself.")
      }
    }
  }

  private func isUnderItself(_ code: String, parents: [String: String?]) -> Bool {
    var seen: Set<String> = []
    var above = parents[code] ?? nil
    while let current = above, seen.insert(current).inserted {
      if current == code { return true }
      above = parents[current] ?? nil
    }
    return false
  }

  private mutating func facilityKind() -> Facility.Kind? {
    guard let text = required("kind") else { return nil }
    let kind = Facility.Kind(rawValue: text.lowercased())
    if kind == nil {
      problem(
        "kind", "'\(text.prefix(40))' is none of \(Facility.Kind.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return kind
  }

  /// As written, or the first two digits of the code, which are the province's in the national list.
  private mutating func province(of code: String?) -> String? {
    guard let text = optional("province") ?? code.map({ String($0.prefix(2)) }) else { return nil }
    guard text.utf8.count == 2, text.utf8.allSatisfy(\.isDigit) else {
      problem("province", "'\(text.prefix(40))' is no province code: two digits, as in 38.")
      return nil
    }
    return text
  }

  private mutating func commune() -> String? {
    guard let text = optional("commune_code") else { return nil }
    guard text.utf8.count == 5, text.utf8.allSatisfy(\.isDigit) else {
      problem("commune_code", "'\(text.prefix(40))' is no commune code: five digits, as in 14797.")
      return nil
    }
    return text
  }
}
