package import Domain
import HTTPTypes
package import Hummingbird
import NIOCore

/// From bytes to checked values: the steps between the router and a handler.
extension Endpoint {
  /// The path's parameters, decoded and of the declared shape.
  /// - Throws: `notFound`: a thing with such a name can't exist.
  package func decodeParameters(_ raw: Parameters) throws(Rejection) -> [(name: String, value: String)] {
    guard !raw.isEmpty else { return [] }
    var decoded: [(name: String, value: String)] = []
    decoded.reserveCapacity(raw.count)
    for name in parameterNames {
      guard let text = raw[name[...]], let value = Percent.decode(text.utf8) else { throw .notFound }
      let schema = schema(ofParameter: name)
      guard schema.check(QueryParameter.value(of: value, schema)).isEmpty else { throw .notFound }
      if case .format(.uuid) = schema.kind {
        decoded.append((name, value.lowercased()))
      } else {
        decoded.append((name, value))
      }
    }
    return decoded
  }

  /// The query's parameters; those that are not declared are ignored.
  /// - Throws: `malformed`, or `invalid` with every fault.
  package func decodeQuery(_ text: String?) throws(Rejection) -> JSON.Members {
    guard !query.isEmpty else { return .init() }
    let pairs = try text.map { text throws(Rejection) in try QueryString.parse(text) } ?? []
    var members = JSON.Members()
    var faults: [Rejection.Field] = []
    for parameter in query {
      let values = pairs.filter { $0.name == parameter.name }
      guard let first = values.first else {
        if parameter.isRequired { faults.append(.init(parameter.name, "required", "This parameter is missing.")) }
        continue
      }
      guard values.count == 1 else {
        faults.append(.init(parameter.name, "duplicate", "This parameter is there more than once."))
        continue
      }
      let value = QueryParameter.value(of: first.value, parameter.schema)
      faults += parameter.schema.check(value, root: parameter.name)
      members[parameter.name] = value
    }
    guard faults.isEmpty else { throw Rejection(.invalid, "The query is not valid.", fields: faults) }
    return members
  }

  /// The body, within its bound. A write that needs none takes an empty one, or any document, which it does not read:
  /// what is broken is refused there too, since its sender meant something by it.
  /// - Throws: `unsupportedMediaType`, `tooLarge`, `malformed` with the place, `invalid` with every fault.
  package func decodeBody(_ request: Request) async throws -> (JSON, [UInt8]) {
    // A length that is announced is refused before a byte is read, also where no body is expected.
    if let length = request.headers[.contentLength].flatMap(Int.init), length > bodyLimit { throw tooLarge }
    guard body != nil || isWrite else { return (.null, []) }
    let buffer: ByteBuffer
    do { buffer = try await request.body.collect(upTo: bodyLimit) } catch is NIOTooManyBytesError {
      throw tooLarge
    } catch {
      throw BrokenBody(cause: error)
    }
    let bytes = Array(buffer.readableBytesView)
    if bytes.isEmpty, body == nil || options.contains(.optionalBody) { return (.null, []) }
    guard request.headers[.contentEncoding].map({ $0.lowercased() == "identity" }) ?? true,
      Self.isJSON(request.headers[.contentType])
    else {
      throw Rejection(.unsupportedMediaType, "The body must be 'application/json', in UTF-8 and not compressed.")
    }
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch {
      throw Rejection(
        .malformed, "The body is not a JSON document we take: \(error.reason), at byte \(error.offset).",
        extra: .init([("offset", .int(Int64(error.offset)))]))
    }
    let faults = body?.check(json) ?? []
    guard faults.isEmpty else { throw Rejection(.invalid, "The input is not valid.", fields: faults) }
    return (json, bytes)
  }

  private var tooLarge: Rejection { Rejection(.tooLarge, "A body here has at most \(bodyLimit) bytes.") }

  /// `application/json`, with no charset but UTF-8.
  static func isJSON(_ contentType: String?) -> Bool {
    guard let contentType else { return false }
    if contentType == "application/json" { return true }
    let parts = contentType.lowercased().split(separator: ";").map(\.trimmed)
    guard parts.first == "application/json" else { return false }
    return parts.dropFirst().allSatisfy { part in
      !part.hasPrefix("charset=") || part == "charset=utf-8" || part == "charset=\"utf-8\""
    }
  }
}

extension QueryParameter {
  /// The text as the kind of value that its schema speaks of; a text that can't be one stays a text, for the check
  /// to refuse.
  static func value(of text: String, _ schema: Schema) -> JSON {
    switch schema.kind {
    case .integer:
      // `Int64.init` would take "+7"; the wire does not.
      return text.utf8.first == UInt8(ascii: "+") ? .string(text) : Int64(text).map { .int($0) } ?? .string(text)
    case .number:
      guard text.utf8.allSatisfy({ (0x2B...0x39).contains($0) || $0 == 0x45 || $0 == 0x65 }), let number = Double(text)
      else { return .string(text) }
      return .double(number)
    case .boolean: return text == "true" ? true : text == "false" ? false : .string(text)
    case .array(let element, _):
      return .array(text.split(separator: ",", omittingEmptySubsequences: false).map { value(of: String($0), element) })
    case .format(.dateTime):
      // A '+' that was not escaped arrives as a space; no time has a space there otherwise.
      return .string(text.utf8.count >= 25 ? text.replacing(" ", with: "+") : text)
    case .named(_, let inner): return value(of: text, inner)
    case .any, .string, .format, .pattern, .choice, .object, .map, .anyOf: return .string(text)
    }
  }
}
