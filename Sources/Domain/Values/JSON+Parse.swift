/// Why a text is no JSON document we take, and where (a byte offset).
package struct JSONError: Error, Equatable {
  package var offset: Int
  package var reason: String
}

extension JSON {
  /// Parses one JSON document (RFC 8259), strictly: no duplicate members, no lone surrogates, no U+0000 (neither
  /// engine stores it), well-formed UTF-8, bounded depth.
  package init(parsing bytes: some Sequence<UInt8>, maxDepth: Int = Limits.jsonDepth) throws(JSONError) {
    self = try Array(bytes).withUnsafeBufferPointer { bytes throws(JSONError) in
      var parser = JSONParser(bytes: bytes, maxDepth: maxDepth)
      return try parser.document()
    }
  }

  package init(parsing text: String) throws(JSONError) { try self.init(parsing: text.utf8) }
}

private struct JSONParser {
  /// Borrowed for the length of one parse.
  let bytes: UnsafeBufferPointer<UInt8>
  let maxDepth: Int
  var at = 0

  init(bytes: UnsafeBufferPointer<UInt8>, maxDepth: Int) {
    self.bytes = bytes
    self.maxDepth = maxDepth
  }

  mutating func document() throws(JSONError) -> JSON {
    let value = try self.value(depth: 0)
    skipSpace()
    guard at == bytes.count else { throw fail("text after the document") }
    return value
  }

  func fail(_ reason: String) -> JSONError { JSONError(offset: at, reason: reason) }

  var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
  }

  mutating func expect(_ literal: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    let count = literal.utf8CodeUnitCount
    guard at + count <= bytes.count else { throw fail("unexpected end") }
    for index in 0..<count where bytes[at + index] != literal.utf8Start[index] { throw fail("unexpected text") }
    at += count
    return value
  }

  mutating func value(depth: Int) throws(JSONError) -> JSON {
    guard depth <= maxDepth else { throw fail("nested too deeply") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try expect("true", .bool(true))
    case UInt8(ascii: "f"): return try expect("false", .bool(false))
    case UInt8(ascii: "n"): return try expect("null", .null)
    case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
    case nil: throw fail("unexpected end")
    default: throw fail("unexpected character")
    }
  }

  mutating func object(depth: Int) throws(JSONError) -> JSON {
    at += 1
    var items: [(String, JSON)] = []
    skipSpace()
    if next == UInt8(ascii: "}") {
      at += 1
      return .object(.init())
    }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw fail("a member name was expected") }
      let name = try string()
      guard !items.contains(where: { $0.0 == name }) else {
        throw fail("the member '\(name.prefix(40))' is there twice")
      }
      guard items.count < Limits.jsonMembers else { throw fail("too many members") }
      skipSpace()
      guard next == UInt8(ascii: ":") else { throw fail("':' was expected") }
      at += 1
      items.append((name, try value(depth: depth + 1)))
      skipSpace()
      switch next {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "}"):
        at += 1
        return .object(.init(items))
      default: throw fail("',' or '}' was expected")
      }
    }
  }

  mutating func array(depth: Int) throws(JSONError) -> JSON {
    at += 1
    var items: [JSON] = []
    skipSpace()
    if next == UInt8(ascii: "]") {
      at += 1
      return .array([])
    }
    while true {
      items.append(try value(depth: depth + 1))
      skipSpace()
      switch next {
      case UInt8(ascii: ","): at += 1
      case UInt8(ascii: "]"):
        at += 1
        return .array(items)
      default: throw fail("',' or ']' was expected")
      }
    }
  }

  mutating func string() throws(JSONError) -> String {
    at += 1
    let start = at
    // Most strings have no escapes: they are taken as they stand.
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { at += 1 }
    let plain = UnsafeBufferPointer(rebasing: bytes[start..<at])
    if next == UInt8(ascii: "\"") {
      at += 1
      guard let text = String(validating: plain, as: UTF8.self) else { throw fail("the string is not UTF-8") }
      return text
    }
    var content = Array(plain)
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        at += 1
        guard let text = String(validating: content, as: UTF8.self) else { throw fail("the string is not UTF-8") }
        return text
      case UInt8(ascii: "\\"):
        at += 1
        try escape(into: &content)
      case 0x00..<0x20: throw fail("a control character in a string")
      default:
        content.append(byte)
        at += 1
      }
    }
    throw fail("unexpected end in a string")
  }

  mutating func escape(into content: inout [UInt8]) throws(JSONError) {
    guard let kind = next else { throw fail("unexpected end in a string") }
    at += 1
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(kind)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"):
      var code = try unit()
      if (0xD800..<0xDC00).contains(code) {
        guard next == UInt8(ascii: "\\") else { throw fail("half a surrogate pair") }
        at += 1
        guard next == UInt8(ascii: "u") else { throw fail("half a surrogate pair") }
        at += 1
        let low = try unit()
        guard (0xDC00..<0xE000).contains(low) else { throw fail("half a surrogate pair") }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
      }
      guard code != 0 else { throw fail("U+0000 is not taken") }
      guard let scalar = Unicode.Scalar(code) else { throw fail("half a surrogate pair") }
      content.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw fail("an unknown escape")
    }
  }

  mutating func unit() throws(JSONError) -> UInt32 {
    guard at + 4 <= bytes.count else { throw fail("unexpected end in an escape") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      let byte = bytes[at]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw fail("a broken \\u escape")
      }
      code = code << 4 | UInt32(digit)
      at += 1
    }
    return code
  }

  mutating func digits() throws(JSONError) {
    let start = at
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { at += 1 }
    guard at > start else { throw fail("a digit was expected") }
  }

  mutating func number() throws(JSONError) -> JSON {
    let start = at
    var whole = true
    if next == UInt8(ascii: "-") { at += 1 }
    if next == UInt8(ascii: "0") { at += 1 } else { try digits() }
    if next == UInt8(ascii: ".") {
      whole = false
      at += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      whole = false
      at += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
      try digits()
    }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    if whole, let value = Int64(text) { return .int(value) }
    guard let value = Double(text), value.isFinite else { throw fail("a number out of range") }
    return .double(value)
  }
}
