import Domain
import Testing

@Suite struct JSONTests {
  @Test(
    arguments: [
      ("null", JSON.null), ("true", true), ("false", false), ("0", 0), ("-0", 0), ("-17", -17),
      ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
      ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("37.5", .double(37.5)), ("1e3", .double(1000)),
      ("1E-2", .double(0.01)), ("1e-400", .double(0)), ("\"\"", ""), ("\"Bác sĩ Đỗ\"", "Bác sĩ Đỗ"),
      (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0111\u1EC7""#, "đệ"), (#""\uD83D\uDE00""#, "😀"),
      ("\"\u{7F}\"", "\u{7F}"), ("[]", []), ("[ 1 ,\t2\r\n]", [1, 2]), ("{}", .object(.init())),
      (" {\"a\": {\"b\" : [null]}} ", ["a": ["b": [JSON.null]]]),
    ] as [(String, JSON)])
  func parses(text: String, value: JSON) throws {
    #expect(try JSON(parsing: text) == value)
  }

  @Test(arguments: [
    "", " ", "nul", "nulL", "truefalse", "+1", "01", "-", "1.", ".5", "1e", "1e+", "0x10", "NaN", "Infinity", "1e999",
    "-1e999", "'a'", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", #""\uD83D""#, #""\uD83Dx""#,
    #""\uD83D\n""#, #""\uD83D\uD83D""#, #""\uDE00""#, #""\u0000""#, "\"\u{0}\"", "\"\n\"", "\"\u{1F}\"", "[", "[1",
    "[1,",
    "[1,]", "[,]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{\"a\" 1}",
    "{1:2}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "1 2", "[] []", "\u{FEFF}1", "//x\n1",
  ])
  func refuses(text: String) {
    #expect(throws: JSONError.self) { try JSON(parsing: text) }
  }

  @Test(
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
      [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x80, 0x22], [0xC3, 0xA9], [0xFF, 0xFE, 0x31, 0x00],
    ] as [[UInt8]])
  func refusesWhatIsNotUTF8(bytes: [UInt8]) {
    #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
  }

  @Test func namesTheOffset() {
    let error = #expect(throws: JSONError.self) { try JSON(parsing: "[1,  x]") }
    #expect(error?.offset == 5 && error?.reason == "unexpected character")
  }

  @Test func boundsDepth() throws {
    let deepest = String(repeating: "[", count: Limits.jsonDepth) + String(repeating: "]", count: Limits.jsonDepth)
    _ = try JSON(parsing: deepest)
    let deeper = "[\(deepest)]"
    #expect(throws: Never.self) { try JSON(parsing: deeper) }
    #expect(throws: JSONError.self) { try JSON(parsing: "[\(deeper)]") }
    // A hostile document must end in a refusal, not in a stack overflow.
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[", count: 1_000_000)) }
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "{\"a\":", count: 500_000)) }
  }

  @Test func boundsMembers() throws {
    let members = { (count: Int) in "{" + (0..<count).map { "\"m\($0)\":\($0)" }.joined(separator: ",") + "}" }
    _ = try JSON(parsing: members(Limits.jsonMembers))
    #expect(throws: JSONError.self) { try JSON(parsing: members(Limits.jsonMembers + 1)) }
  }

  @Test(
    arguments: [
      (JSON.null, "null"), (true, "true"), (.int(.min), "-9223372036854775808"), (.double(36.6), "36.6"),
      (.double(1), "1.0"), (.double(-0.0), "-0.0"), (.double(1e300), "1e+300"), (.double(.infinity), "null"),
      (.double(.nan), "null"), ("a\"\\\n\r\t\u{1}\u{7F}/é", #""a\"\\\n\r\t\u0001\u007f/é""#),
      ([1, "x", []], #"[1,"x",[]]"#), (["b": 1, "a": ["c": JSON.null]], #"{"b":1,"a":{"c":null}}"#),
    ] as [(JSON, String)])
  func writes(value: JSON, text: String) {
    #expect(value.text == text)
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func roundTrips(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<20 {
      let value = Self.anyValue(&random, depth: 0)
      let again = try JSON(parsing: value.bytes)
      #expect(again == value, "seed \(seed)")
      #expect(again.bytes == value.bytes, "seed \(seed)")
    }
  }

  private static func anyValue(_ random: inout SplitMix64, depth: Int) -> JSON {
    switch random.below(depth < 5 ? 8 : 6) {
    case 0: return .null
    case 1: return .bool(random.below(2) == 0)
    case 2: return .int(Int64(bitPattern: random.next()) >> Int64(random.below(64)))
    case 3:
      let value = Double(bitPattern: random.next())
      return .double(value.isFinite ? value : 0.1)
    case 4, 5:
      return .string(anyText(&random))
    case 6:
      return .array((0..<random.below(5)).map { _ in anyValue(&random, depth: depth + 1) })
    default:
      var members = JSON.Members()
      for _ in 0..<random.below(5) { members[anyText(&random)] = anyValue(&random, depth: depth + 1) }
      return .object(members)
    }
  }

  private static func anyText(_ random: inout SplitMix64) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<random.below(12) {
      let ceiling = random.pick([0x20, 0x7F, 0x800, 0x3000, 0x110000])
      if let scalar = Unicode.Scalar(UInt32(1 + random.below(ceiling - 1))) { text.append(scalar) }
    }
    return String(text)
  }

  @Test func reads() {
    let value: JSON = [
      "text": "a", "whole": 37, "real": 37.5.json, "same": 38.0.json, "yes": true, "none": JSON.null, "list": [1],
    ]
    #expect(value["text"]?.string == "a")
    #expect(value["whole"]?.int == 37 && value["whole"]?.number == 37)
    #expect(value["real"]?.int == nil && value["real"]?.number == 37.5)
    #expect(value["same"]?.int == 38)
    #expect(value["yes"]?.bool == true && value["yes"]?.int == nil)
    #expect(value["none"] == nil && value["absent"] == nil)
    #expect(value["list"]?.array == [1] && value["list"]?["x"] == nil)
    #expect(JSON.double(1e300).int == nil)
  }

  @Test func members() {
    var members = JSON.Members([("a", 1), ("b", 2)])
    members["a"] = 3
    members["c"] = 4
    members["b"] = nil
    #expect(members.items.map(\.name) == ["a", "c"])
    #expect(members == JSON.Members([("c", 4), ("a", 3)]))
    #expect(members != JSON.Members([("c", 4), ("a", 3), ("d", JSON.null)]))
    #expect(JSON.compact(["a": 1, "b": nil, "c": JSON.null]).text == #"{"a":1,"c":null}"#)
  }
}

extension Double {
  fileprivate var json: JSON { .double(self) }
}
