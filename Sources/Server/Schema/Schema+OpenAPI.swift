package import Domain

extension Schema {
  /// The schema as OpenAPI 3.1 shows it (JSON Schema 2020-12); named shapes as references.
  package var openAPI: JSON {
    var members = JSON.Members()
    switch kind {
    case .any: break
    case .boolean: members["type"] = type("boolean")
    case .string(let length, let notBlank):
      members["type"] = type("string")
      if length.lowerBound > 0 { members["minLength"] = .int(Int64(length.lowerBound)) }
      if length.upperBound < .max { members["maxLength"] = .int(Int64(length.upperBound)) }
      if notBlank { members["pattern"] = "\\S" }
    case .format(let format):
      members["type"] = type("string")
      members["format"] = .string(format.rawValue)
    case .pattern(let pattern):
      members["type"] = type("string")
      members["pattern"] = .string(pattern.expression)
    case .choice(let values):
      members["type"] = type("string")
      members["enum"] = .array(values.map { .string($0) } + (isNullable ? [.null] : []))
    case .integer(let range, let step):
      members["type"] = type("integer")
      if range.lowerBound > .min { members["minimum"] = .int(range.lowerBound) }
      if range.upperBound < .max { members["maximum"] = .int(range.upperBound) }
      if step > 1 { members["multipleOf"] = .int(step) }
    case .number(let range):
      members["type"] = type("number")
      if range.lowerBound > -.greatestFiniteMagnitude { members["minimum"] = .double(range.lowerBound) }
      if range.upperBound < .greatestFiniteMagnitude { members["maximum"] = .double(range.upperBound) }
    case .array(let element, let count):
      members["type"] = type("array")
      members["items"] = element.openAPI
      if count.lowerBound > 0 { members["minItems"] = .int(Int64(count.lowerBound)) }
      if count.upperBound < .max { members["maxItems"] = .int(Int64(count.upperBound)) }
    case .object(let list):
      members["type"] = type("object")
      var properties = JSON.Members()
      for member in list {
        properties[member.name] = (member.presence == .optional ? member.schema.orNull : member.schema).openAPI
      }
      members["properties"] = .object(properties)
      let required = list.filter { $0.presence == .required }.map(\.name)
      if !required.isEmpty { members["required"] = .strings(required) }
      if isClosed { members["additionalProperties"] = false }
    case .map(let value):
      members["type"] = type("object")
      members["additionalProperties"] = value.openAPI
    case .anyOf(let shapes):
      members["anyOf"] = .array(shapes.map(\.openAPI) + (isNullable ? [["type": "null"]] : []))
    case .named(let name, _):
      let reference: JSON = ["$ref": .string("#/components/schemas/\(name)")]
      if isNullable {
        members["anyOf"] = [reference, ["type": "null"]]
      } else {
        members["$ref"] = reference["$ref"]
      }
    }
    if let note { members["description"] = .string(note) }
    if let sample { members["examples"] = [sample] }
    return .object(members)
  }

  private func type(_ name: String) -> JSON { isNullable ? [.string(name), "null"] : .string(name) }

  /// The named shapes that this one uses, itself included, into `components`.
  package func collect(into components: inout [String: Schema]) {
    switch kind {
    case .array(let element, _), .map(let element): element.collect(into: &components)
    case .object(let members): for member in members { member.schema.collect(into: &components) }
    case .anyOf(let shapes): for shape in shapes { shape.collect(into: &components) }
    case .named(let name, let inner):
      guard components[name] == nil else { return }
      components[name] = inner
      inner.collect(into: &components)
    case .any, .boolean, .string, .format, .pattern, .choice, .integer, .number: break
    }
  }
}
