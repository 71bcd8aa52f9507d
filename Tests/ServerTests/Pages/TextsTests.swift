import Domain
import Foundation
import Testing

@testable import Server

@Suite struct TextsTests {
  private func texts(_ json: String) throws -> Texts { try Texts(json: Array(json.utf8)) }

  @Test func readsBothLanguagesInTheFilesOrder() throws {
    let texts = try texts(#"{"sex": {"male": {"vi": "Nam", "en": "Male"}, "female": {"vi": "Nữ", "en": "Female"}}}"#)
    #expect(texts.text("sex", "female", .vi) == "Nữ")
    #expect(texts.text("sex", "male", .en) == "Male")
    #expect(texts.codes("sex") == ["male", "female"])
    #expect(texts.text("sex", "other", .vi) == nil)
    #expect(texts.count == 2)
  }

  @Test func givesScriptsTheSameTable() throws {
    let module = try texts(
      #"{"a": {"b": {"vi": "Đúng \"</script>\"", "en": "Right"}, "c": {"vi": "Sai", "en": "Wrong"}}}"#
    )
    .module(.vi, usedBy: Texts.names(in: Array("word('a.b')".utf8)))
    let source = String(decoding: module, as: UTF8.self)
    #expect(source.hasPrefix("export default {"))
    let json = try JSON(parsing: String(source.dropFirst("export default ".count).dropLast(2)))
    #expect(json["a"]?["b"]?.string == "Đúng \"</script>\"")
    #expect(json["a"]?["c"] == nil, "nobody uses it")
  }

  @Test(arguments: [
    "", "[]", #"{"a": "b"}"#, #"{"a": {"b": "c"}}"#, #"{"a": {"b": {"vi": "x"}}}"#,
    #"{"a": {"b": {"vi": "x", "en": ""}}}"#, #"{"a": {"b": {"vi": "x", "fr": "x"}}}"#,
    #"{"a": {"b": {"vi": "x", "en": "x", "fr": "x"}}}"#, #"{"a": {"b": {"vi": "x", "en": 1}}}"#,
  ])
  func refusesATableThatLacksAWord(json: String) {
    #expect(throws: Texts.Fault.self) { try texts(json) }
  }
}

/// What holds the pages' words against the code that uses them.
@Suite struct PageWordsTests {
  private static let resources = PageRoutes.resources
  private let texts: Texts

  init() throws {
    texts = try Texts(json: Array(try Data(contentsOf: Self.resources.appendingPathComponent("texts.json"))))
  }

  private static let scripts: [String] = {
    let folder = resources.appendingPathComponent("assets")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".js") }.sorted()
  }()

  @Test(arguments: scripts) func everyWordOfAScriptIsInTheTable(script: String) throws {
    let source = try String(contentsOf: Self.resources.appendingPathComponent("assets/\(script)"), encoding: .utf8)
    // 'section.key' in quotes; a file's name and an event's type look alike and are told apart by the section.
    for match in source.matches(of: /'([a-zA-Z]+)\.([a-zA-Z0-9]+)'/) where script != "sw.js" {
      let (section, key) = (String(match.output.1), String(match.output.2))
      if ["consult", "call", "trip"].contains(section), texts.text("event", "\(section).\(key)", .vi) != nil {
        continue
      }
      if section == "trip", key == "position" { continue }
      #expect(texts.text(section, key, .vi) != nil, "\(script): \(section).\(key)")
    }
    for match in source.matches(of: /label\('([a-zA-Z]+)'/) {
      #expect(!texts.codes(String(match.output.1)).isEmpty, "\(script): \(match.output.1)")
    }
  }

  @Test func everyCodeOfTheDomainHasItsWord() {
    func expect<Code: RawRepresentable & CaseIterable>(_ section: String, _: Code.Type) where Code.RawValue == String {
      let codes = Code.allCases.map(\.rawValue)
      #expect(codes.filter { texts.text(section, $0, .vi) == nil } == [], "\(section)")
    }
    expect("state", ConsultState.self)
    expect("now", ConsultState.self)
    expect("urgency", Urgency.self)
    expect("urgencyHint", Urgency.self)
    expect("mode", ConsultMode.self)
    expect("specialty", Specialty.self)
    expect("disposition", Disposition.self)
    expect("milestone", Milestone.self)
    expect("priority", TripPriority.self)
    expect("role", Role.self)
    expect("sex", Sex.self)
    expect("event", EventType.self)
    expect("error", Rejection.Code.self)
    expect("webhookPause", WebhookMachine.Pause.self)
    expect("webhookError", WebhookFailure.self)
  }

  @Test func specialtiesAreCalledAsTheDirectoryCallsThem() {
    for specialty in Specialty.allCases {
      #expect(texts.text("specialty", specialty.rawValue, .vi) == specialty.name.vi)
      #expect(texts.text("specialty", specialty.rawValue, .en) == specialty.name.en)
    }
  }
}
