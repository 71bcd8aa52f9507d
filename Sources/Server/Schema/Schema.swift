package import Domain

/// The shape of a JSON value: the subset of JSON Schema 2020-12 that our documents need.
///
/// One declaration does three things: it checks what comes in (`check`), it is shown in `/openapi.json` (`openAPI`),
/// and it documents. What a schema can't say (that an end follows its start) is for `Domain` to decide.
package struct Schema: Sendable {
  package indirect enum Kind: Sendable {
    case any
    case boolean
    case string(length: ClosedRange<Int>, notBlank: Bool)
    case format(Format)
    case pattern(Pattern)
    case choice([String])
    case integer(ClosedRange<Int64>, multipleOf: Int64)
    case number(ClosedRange<Double>)
    case array(Schema, count: ClosedRange<Int>)
    case object([Member])
    /// An object whose member names are data, not schema.
    case map(Schema)
    /// At least one of the shapes fits.
    case anyOf([Schema])
    /// A shape with a name of its own under `components/schemas`.
    case named(String, Schema)
  }

  package enum Format: String, Sendable, CaseIterable {
    case dateTime = "date-time"
    case date, uuid, uri
  }

  /// A text of a form that a regular expression shows to others, and that a function of `Domain` decides for us.
  package struct Pattern: Sendable {
    package var expression: String
    package var expected: String
    package var fits: @Sendable (String) -> Bool
  }

  package struct Member: Sendable {
    package enum Presence: Sendable {
      /// Must be there.
      case required
      /// May be absent, or `null`, which many clients write for absent. For what comes in.
      case optional
      /// May be absent, but is never `null`. For what goes out.
      case sometimes
    }

    let name: String
    let schema: Schema
    let presence: Presence
  }

  package var kind: Kind
  package var isNullable = false
  /// Of an object: it has no members but these. For what goes out.
  package var isClosed = false
  package var note: String?
  package var sample: JSON?

  init(_ kind: Kind) { self.kind = kind }
}

extension Schema {
  package static let any = Schema(.any)
  package static let boolean = Schema(.boolean)
  package static let dateTime = Schema(.format(.dateTime))
  package static let date = Schema(.format(.date))
  package static let uuid = Schema(.format(.uuid))
  package static let uri = Schema(.format(.uri))
  package static let integer = Schema(.integer(.min ... .max, multipleOf: 1))
  package static let number = Schema(.number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude))
  /// A text of any length: for what goes out. What comes in has a bound.
  package static let string = Schema(.string(length: 0 ... .max, notBlank: false))

  /// A text of a bounded length, in Unicode scalars; it may be empty.
  package static func string(_ length: ClosedRange<Int>) -> Schema { .init(.string(length: length, notBlank: false)) }
  /// A text for people to read: bounded, and not only spaces.
  package static func text(_ most: Int) -> Schema { .init(.string(length: 1...most, notBlank: true)) }
  package static func pattern(
    _ expression: String, _ expected: String, _ fits: @escaping @Sendable (String) -> Bool
  ) -> Schema {
    .init(.pattern(Pattern(expression: expression, expected: expected, fits: fits)))
  }
  package static func choice(_ values: [String]) -> Schema { .init(.choice(values)) }
  package static func choice<Value: RawRepresentable & CaseIterable>(_: Value.Type) -> Schema
  where Value.RawValue == String {
    .choice(Value.allCases.map(\.rawValue))
  }
  package static func integer(_ range: ClosedRange<Int64>, multipleOf: Int64 = 1) -> Schema {
    .init(.integer(range, multipleOf: multipleOf))
  }
  package static func number(_ range: ClosedRange<Double>) -> Schema { .init(.number(range)) }
  package static func array(_ element: Schema, _ count: ClosedRange<Int> = 0 ... .max) -> Schema {
    .init(.array(element, count: count))
  }
  package static func map(_ value: Schema) -> Schema { .init(.map(value)) }
  package static func anyOf(_ shapes: Schema...) -> Schema { .init(.anyOf(shapes)) }
  package static func object(@MemberBuilder _ members: () -> [Member]) -> Schema { .init(.object(members())) }

  /// The usual answer of a list: `{items, next}`.
  package static func page(of element: Schema) -> Schema {
    .object {
      Member.required("items", .array(element))
      Member.required("next", .string.orNull.described("The cursor of the next page; null on the last."))
    }
  }

  /// The same shape, which may also be `null`.
  package var orNull: Schema {
    var schema = self
    schema.isNullable = true
    return schema
  }

  /// The same object, without room for members that are not declared.
  package var closed: Schema {
    var schema = self
    schema.isClosed = true
    return schema
  }

  package func named(_ name: String) -> Schema { .init(.named(name, self)) }

  package func described(_ note: String) -> Schema {
    var schema = self
    schema.note = note
    return schema
  }

  package func sample(_ value: JSON) -> Schema {
    var schema = self
    schema.sample = value
    return schema
  }

  /// The same object with more members: for documents that extend another's.
  package func adding(@MemberBuilder _ more: () -> [Member]) -> Schema {
    switch kind {
    case .object(let members): .init(.object(members + more()))
    case .named(_, let inner): inner.adding(more)
    default: preconditionFailure("only an object takes more members")
    }
  }
}

extension Schema.Member {
  package static func required(_ name: String, _ schema: Schema, _ note: String? = nil) -> Self {
    .init(name: name, schema: note.map(schema.described) ?? schema, presence: .required)
  }
  package static func optional(_ name: String, _ schema: Schema, _ note: String? = nil) -> Self {
    .init(name: name, schema: note.map(schema.described) ?? schema, presence: .optional)
  }
  package static func sometimes(_ name: String, _ schema: Schema, _ note: String? = nil) -> Self {
    .init(name: name, schema: note.map(schema.described) ?? schema, presence: .sometimes)
  }
}

@resultBuilder
package enum MemberBuilder {
  package static func buildBlock(_ members: Schema.Member...) -> [Schema.Member] { members }
}
