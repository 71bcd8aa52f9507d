import Domain
import Testing

@testable import Server

private let shape = Schema.object {
  Schema.Member.required("name", .text(5))
  Schema.Member.optional("note", .string(0...10))
  Schema.Member.required("kind", .choice(["a", "b"]))
  Schema.Member.optional("count", .integer(0...100, multipleOf: 5))
  Schema.Member.optional("ratio", .number(-1...1))
  Schema.Member.optional("at", .dateTime)
  Schema.Member.optional("day", .date)
  Schema.Member.optional("id", .uuid)
  Schema.Member.optional("flag", .boolean)
  Schema.Member.optional("list", .array(.integer(1...3), 1...2))
  Schema.Member.optional(
    "place",
    .anyOf(
      .object { Schema.Member.required("code", .text(5)) },
      .object {
        Schema.Member.required("lat", .number(-90...90))
        Schema.Member.required("lon", .number(-180...180))
      }))
  Schema.Member.optional("names", .map(.text(3)))
}

private let good: JSON = ["name": "An", "kind": "a"]

private func with(_ name: String, _ value: JSON?) -> JSON {
  guard case .object(var members) = good else { return good }
  members[name] = value
  return .object(members)
}

@Suite struct SchemaCheckTests {
  @Test func takesWhatFits() {
    #expect(shape.check(good).isEmpty)
    let full: JSON = [
      "name": "Ân ơi", "note": .null, "kind": "b", "count": 100, "ratio": -1, "at": "2026-11-21T08:30:00+07:00",
      "day": "2024-02-29", "id": "01890a5d-ac96-774b-bcce-b302099a8057", "flag": false, "list": [1, 3],
      "place": ["lat": .double(19.8), "lon": .double(105.77)], "names": ["vi": "Tim"], "unknown": ["anything": 1],
    ]
    #expect(shape.check(full).isEmpty)
  }

  @Test func takesWholeNumbersWrittenAsFractions() {
    #expect(shape.check(with("count", .double(35.0))).isEmpty)
    #expect(shape.check(with("ratio", .int(1))).isEmpty)
  }

  @Test(
    arguments: [
      ("name", nil, "/name", "required"),
      ("name", .null, "/name", "type"),
      ("name", 7, "/name", "type"),
      ("name", "", "/name", "length"),
      ("name", "ả-dài-quá", "/name", "length"),
      ("name", "   ", "/name", "blank"),
      ("note", "12345678901", "/note", "length"),
      ("kind", "c", "/kind", "enum"),
      ("kind", ["a"], "/kind", "type"),
      ("count", 101, "/count", "range"),
      ("count", -5, "/count", "range"),
      ("count", 7, "/count", "step"),
      ("count", .double(5.5), "/count", "type"),
      ("count", "5", "/count", "type"),
      ("ratio", .double(1.01), "/ratio", "range"),
      ("ratio", true, "/ratio", "type"),
      ("at", "2026-11-21T08:30:00", "/at", "format"),
      ("at", "2026-02-30T08:30:00Z", "/at", "format"),
      ("at", 5, "/at", "type"),
      ("day", "2023-02-29", "/day", "format"),
      ("id", "01890a5d-ac96-774b-bcce-b302099a805", "/id", "format"),
      ("id", "01890a5d-ac96-774b-bcce-b302099a805g", "/id", "format"),
      ("flag", "true", "/flag", "type"),
      ("list", [], "/list", "count"),
      ("list", [1, 2, 3], "/list", "count"),
      ("list", [1, 9], "/list/1", "range"),
      ("list", ["of": 1], "/list", "type"),
      ("place", ["lat": 100, "lon": 1], "/place", "shape"),
      ("names", ["a/b~c": ""], "/names/a~1b~0c", "length"),
    ] as [(String, JSON?, String, String)])
  func refuses(name: String, value: JSON?, pointer: String, code: String) {
    let faults = shape.check(with(name, value))
    #expect(faults.first?.pointer == pointer)
    #expect(faults.first?.code == code)
  }

  @Test func tellsEveryFault() {
    let faults = shape.check(["kind": "c", "count": "x", "list": [0, "y"]])
    #expect(faults.map(\.pointer) == ["/name", "/kind", "/count", "/list/0", "/list/1"])
    #expect(faults.map(\.code) == ["required", "enum", "type", "range", "type"])
  }

  @Test func tellsWhatIsWrongWithTheNearestShape() {
    let faults = shape.check(with("place", ["lat": 1]))
    #expect(faults.map(\.pointer) == ["/place", "/place/code"] || faults.map(\.pointer) == ["/place", "/place/lon"])
  }

  @Test func boundsItsAnswer() {
    let faults = Schema.array(.integer).check(.array(Array(repeating: "x", count: 1_000)))
    #expect(faults.count == 100)
  }

  @Test func countsScalarsNotBytesNorCharacters() {
    let flag = "🇻🇳"  // one character, two scalars, eight bytes
    #expect(Schema.string(2...2).check(.string(flag)).isEmpty)
    #expect(Schema.string(1...1).check(.string(flag)).map(\.code) == ["length"])
    #expect(Schema.string(3...10).check(.string(flag)).map(\.code) == ["length"])
  }

  @Test func refusesOtherMembersOfAClosedObject() {
    let faults = shape.closed.check(with("surname", "Nguyễn"))
    #expect(faults.map(\.pointer) == ["/surname"] && faults.map(\.code) == ["unknown"])
    #expect(shape.closed.check(good).isEmpty)
  }

  @Test func prefixesPointersWithTheParameter() {
    #expect(Schema.array(.integer).check([1, "x"], root: "limit").map(\.pointer) == ["limit/1"])
  }
}
