/// Writes the members of a JSON object straight as text: for what every event needs, where building a `JSON` first
/// costs more than the rest of the event.
struct ObjectWriter {
  private var bytes: [UInt8] = []

  init() {
    bytes.reserveCapacity(384)
    bytes.append(UInt8(ascii: "{"))
  }

  /// The object as it stands now, closed.
  var text: String { String(decoding: bytes + [UInt8(ascii: "}")], as: UTF8.self) }

  mutating func put(_ name: StaticString, _ value: String?) {
    guard let value else { return }
    begin(name)
    JSON.write(value, to: &bytes)
  }

  mutating func put(_ name: StaticString, _ value: (some RawRepresentable<String>)?) { put(name, value?.rawValue) }
  mutating func put(_ name: StaticString, _ value: Instant?) { put(name, value?.text) }
  mutating func put(_ name: StaticString, _ value: Int64?) { put(name, value.map { JSON.int($0) }) }
  mutating func put(_ name: StaticString, _ value: Double?) { put(name, value.map { JSON.double($0) }) }
  mutating func put(_ name: StaticString, _ value: [String]?) { put(name, value.map { JSON.strings($0) }) }

  private mutating func put(_ name: StaticString, _ value: JSON?) {
    guard let value else { return }
    begin(name)
    value.write(to: &bytes)
  }

  private mutating func begin(_ name: StaticString) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    bytes.append(UInt8(ascii: "\""))
    name.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
  }
}
