package import Domain

extension Schema {
  /// Every way in which a value does not fit, at most `SchemaChecker.limit`; empty when it fits.
  ///
  /// Unknown members are ignored, but in a closed object. The codes: `required`, `type`, `format`, `range`, `step`,
  /// `length`, `blank`, `count`, `enum`, `shape`, `unknown`.
  /// - Parameter root: what the pointers begin with: empty for a body, the name for a parameter.
  package func check(_ value: JSON, root: String = "") -> [Rejection.Field] {
    var checker = SchemaChecker(at: JSONPointer(root: root))
    checker.check(value, self)
    return checker.faults
  }
}

private struct SchemaChecker {
  /// A long array of wrong elements is one mistake made often: more lines would help nobody.
  static let limit = 100

  var at: JSONPointer
  var faults: [Rejection.Field] = []

  init(at: JSONPointer) { self.at = at }

  mutating func fault(_ code: String, _ detail: @autoclosure () -> String) {
    if faults.count < Self.limit { faults.append(.init(at.text, code, detail())) }
  }

  mutating func check(_ value: JSON, _ schema: Schema) {
    if value == .null, schema.isNullable { return }
    switch schema.kind {
    case .any: break
    case .boolean: if value.bool == nil { fault("type", "true or false was expected.") }
    case .string(let length, let notBlank): checkString(value, length, notBlank)
    case .format(let format): checkFormat(value, format)
    case .pattern(let pattern): checkPattern(value, pattern)
    case .choice(let values): checkChoice(value, values)
    case .integer(let range, let step): checkInteger(value, range, step)
    case .number(let range): checkNumber(value, range)
    case .array(let element, let count): checkArray(value, element, count)
    case .object(let members): checkObject(value, members, isClosed: schema.isClosed)
    case .map(let element): checkMap(value, element)
    case .anyOf(let shapes): checkAny(value, shapes)
    case .named(_, let inner): check(value, inner)
    }
  }

  mutating func checkString(_ value: JSON, _ length: ClosedRange<Int>, _ notBlank: Bool) {
    guard let text = value.string else { return fault("type", "A text was expected.") }
    // Scalars are counted only when the bytes leave a doubt: no scalar is shorter than one byte.
    if text.utf8.count > length.upperBound || text.utf8.count < length.lowerBound * 4 {
      let count = text.unicodeScalars.count
      guard length.contains(count) else {
        return fault("length", "\(length.lowerBound) to \(length.upperBound) characters were expected, not \(count).")
      }
    }
    if notBlank, text.unicodeScalars.allSatisfy(\.isBlank) { fault("blank", "More than spaces was expected.") }
  }

  mutating func checkFormat(_ value: JSON, _ format: Schema.Format) {
    guard let text = value.string else { return fault("type", "A text was expected.") }
    guard !format.fits(text) else { return }
    switch format {
    case .dateTime: fault("format", "A time with its offset was expected, as 2026-11-21T08:30:00+07:00.")
    case .date: fault("format", "A day was expected, as 2026-11-21.")
    case .uuid: fault("format", "A UUID was expected.")
    case .uri: fault("format", "An address was expected.")
    }
  }

  mutating func checkPattern(_ value: JSON, _ pattern: Schema.Pattern) {
    guard let text = value.string else { return fault("type", "A text was expected.") }
    if !pattern.fits(text) { fault("format", pattern.expected) }
  }

  mutating func checkChoice(_ value: JSON, _ values: [String]) {
    guard let text = value.string else { return fault("type", "A text was expected.") }
    if !values.contains(text) { fault("enum", "One of these was expected: \(values.joined(separator: ", ")).") }
  }

  mutating func checkInteger(_ value: JSON, _ range: ClosedRange<Int64>, _ step: Int64) {
    guard let number = value.int else { return fault("type", "A whole number was expected.") }
    guard range.contains(number) else {
      return fault("range", "\(range.lowerBound) to \(range.upperBound) was expected.")
    }
    if number % step != 0 { fault("step", "A multiple of \(step) was expected.") }
  }

  mutating func checkNumber(_ value: JSON, _ range: ClosedRange<Double>) {
    guard let number = value.number else { return fault("type", "A number was expected.") }
    if !range.contains(number) { fault("range", "\(range.lowerBound) to \(range.upperBound) was expected.") }
  }

  mutating func checkArray(_ value: JSON, _ element: Schema, _ count: ClosedRange<Int>) {
    guard let values = value.array else { return fault("type", "A list was expected.") }
    guard count.contains(values.count) else {
      return fault("count", "\(count.lowerBound) to \(count.upperBound) elements were expected, not \(values.count).")
    }
    for (index, value) in values.enumerated() { within(.index(index)) { $0.check(value, element) } }
  }

  mutating func checkObject(_ value: JSON, _ members: [Schema.Member], isClosed: Bool) {
    guard case .object(let object) = value else { return fault("type", "An object was expected.") }
    for member in members {
      guard let value = object[member.name] else {
        if member.presence == .required {
          within(.member(member.name)) { $0.fault("required", "This member is missing.") }
        }
        continue
      }
      if value == .null, member.presence == .optional { continue }
      within(.member(member.name)) { $0.check(value, member.schema) }
    }
    guard isClosed else { return }
    for item in object.items where !members.contains(where: { $0.name == item.name }) {
      within(.member(item.name)) { $0.fault("unknown", "There is no such member.") }
    }
  }

  mutating func checkMap(_ value: JSON, _ element: Schema) {
    guard case .object(let object) = value else { return fault("type", "An object was expected.") }
    for item in object.items { within(.member(item.name)) { $0.check(item.value, element) } }
  }

  /// Fits if one shape fits; otherwise says what is wrong with the nearest, the one with the fewest faults.
  mutating func checkAny(_ value: JSON, _ shapes: [Schema]) {
    var nearest: [Rejection.Field]?
    for shape in shapes {
      var attempt = SchemaChecker(at: at)
      attempt.check(value, shape)
      if attempt.faults.isEmpty { return }
      if attempt.faults.count < nearest?.count ?? .max { nearest = attempt.faults }
    }
    fault("shape", "None of the \(shapes.count) possible shapes fits.")
    for field in nearest ?? [] where faults.count < Self.limit { faults.append(field) }
  }

  mutating func within(_ step: JSONPointer.Step, _ body: (inout SchemaChecker) -> Void) {
    at.steps.append(step)
    body(&self)
    at.steps.removeLast()
  }
}

extension Schema.Format {
  package func fits(_ text: String) -> Bool {
    switch self {
    case .dateTime: Instant(text) != nil
    case .date: CalendarDay(text) != nil
    case .uuid: Self.isUUID(text)
    case .uri: !text.isEmpty && !text.utf8.contains { $0 <= 0x20 || $0 == 0x7F }
    }
  }

  /// 8-4-4-4-12 hexadecimal digits.
  static func isUUID(_ text: String) -> Bool {
    let bytes = text.utf8
    guard bytes.count == 36 else { return false }
    for (index, byte) in bytes.enumerated() {
      switch (index, byte) {
      case (8, 0x2D), (13, 0x2D), (18, 0x2D), (23, 0x2D): continue
      case (8, _), (13, _), (18, _), (23, _): return false
      case (_, 0x30...0x39), (_, 0x41...0x46), (_, 0x61...0x66): continue
      default: return false
      }
    }
    return true
  }
}

extension Unicode.Scalar {
  /// White space, and the four separators that regular expressions count as such.
  fileprivate var isBlank: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}
