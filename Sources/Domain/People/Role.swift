/// What a person or machine may be here (CONTRACT "Who may").
package enum Role: String, Sendable, CaseIterable, Hashable {
  case station, specialist, dispatcher, crew, monitor, admin, auditor
}

/// A role in some facilities; a facility covers all under it.
package struct Grant: Sendable, Equatable {
  package var role: Role
  /// Facility codes as they were granted.
  package var facilities: [String]

  package init(role: Role, facilities: [String]) {
    self.role = role
    self.facilities = facilities
  }

  package var json: JSON { ["role": .string(role.rawValue), "facilities": .strings(facilities)] }

  /// Nil for a role that this release does not know.
  package init?(json: JSON) {
    guard let role = json["role"]?.string.flatMap(Role.init(rawValue:)) else { return nil }
    self.init(role: role, facilities: (json["facilities"]?.array ?? []).compactMap(\.string))
  }
}

/// Which facility lies under which. Parents may form no cycle; the walk is bounded all the same.
package struct FacilityTree: Sendable, Equatable {
  private var children: [String: [String]] = [:]

  package init(parents: [(code: String, parent: String?)]) {
    for (code, parent) in parents { if let parent { children[parent, default: []].append(code) } }
  }

  /// The given facilities and every facility under them.
  package func covered(by roots: [String]) -> Set<String> {
    var covered = Set<String>()
    var open = roots
    while let code = open.popLast() {
      if covered.insert(code).inserted { open.append(contentsOf: children[code] ?? []) }
    }
    return covered
  }
}

/// A name to sign in with: 2 to 50 small letters, digits, dots, dashes and underscores, a letter or digit first.
package enum Username {
  package static func isValid(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard (2...50).contains(bytes.count) else { return false }
    return bytes.enumerated().allSatisfy { index, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
      case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): index > 0
      default: false
      }
    }
  }
}
