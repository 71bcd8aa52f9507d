/// A JSON value (RFC 8259). One type carries every document between bytes, rules and storage, so that the
/// wire shape of a thing is written in one place. Objects keep their members' order.
package enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case string(String)
  case array([JSON])
  case object(Members)

  /// An object's members in their order; lookups scan, since our objects are small.
  package struct Members: Sendable, Equatable {
    package private(set) var items: [(name: String, value: JSON)] = []

    package init() {}

    package init(_ items: [(String, JSON)]) { self.items = items.map { (name: $0.0, value: $0.1) } }

    /// A member of a name that is not there yet: unlike the subscript, it does not look.
    mutating func append(_ name: String, _ value: JSON) { items.append((name, value)) }

    package subscript(name: String) -> JSON? {
      get { items.first { $0.name == name }?.value }
      set {
        if let index = items.firstIndex(where: { $0.name == name }) {
          if let newValue { items[index].value = newValue } else { items.remove(at: index) }
        } else if let newValue {
          items.append((name, newValue))
        }
      }
    }

    package static func == (left: Members, right: Members) -> Bool {
      left.items.count == right.items.count
        && left.items.allSatisfy { item in right[item.name] == item.value }
    }
  }

  /// The member of an object; nil for other values and for absent or `null` members.
  package subscript(name: String) -> JSON? {
    guard case .object(let members) = self, let value = members[name], value != .null else { return nil }
    return value
  }

  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  package var isNull: Bool { self == .null }

  /// A whole number: also `37.0`, which many clients send for 37.
  package var int: Int64? {
    switch self {
    case .int(let value): value
    case .double(let value): Int64(exactly: value)
    default: nil
    }
  }

  package var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int64) { self = .int(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSON...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(Members(elements)) }

  /// An object without the members whose value is nil: the form of optional members on the wire.
  package static func compact(_ items: KeyValuePairs<String, JSON?>) -> JSON {
    var members = Members()
    for (name, value) in items { if let value { members.append(name, value) } }
    return .object(members)
  }

  /// `.null` for nil: the form of members that are always present.
  package static func orNull(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
  package static func orNull(_ instant: Instant?) -> JSON { instant.map { .string($0.text) } ?? .null }
  package static func instant(_ instant: Instant) -> JSON { .string(instant.text) }
  package static func strings(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }
}
