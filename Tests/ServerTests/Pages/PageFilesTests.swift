import Foundation
import Testing

@testable import Server

@Suite struct PageFilesTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pages-\(UUID())")
  private let texts: Texts

  init() throws {
    texts = try Texts(json: Array(#"{"app": {"name": {"vi": "Tên", "en": "Name"}}}"#.utf8))
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func write(_ files: [String: String]) throws {
    for (name, text) in files {
      try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }
  }

  private func assets() throws -> PageAssets {
    try PageAssets(folder: folder, leafletFolder: "/nowhere", texts: texts, pages: ["first": "a.js"])
  }

  @Test func filesShareOneVersionThatChangesWithAnyOfThem() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try write([
      "sw.js": "const v = '{{version}}';", "a.js": "import { b } from './b.js';\n", "b.js": "export const b = 1;\n",
    ])
    let before = try assets()
    #expect(before.preload("first", .vi) == ["b.js", "texts.first.vi.js"])
    #expect(before.files["sw.js"] == nil)
    #expect(String(decoding: before.serviceWorker.bytes, as: UTF8.self).contains(before.version))
    #expect(before.leaflet.isEmpty)
    #expect(try assets().version == before.version)
    try write(["b.js": "export const b = 2;\n"])
    #expect(try assets().version != before.version)
  }

  @Test func aPagesWordsAreThoseThatItsScriptsName() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let texts = try Texts(
      json: Array(
        #"""
        {"a": {"x": {"vi": "một", "en": "one"}, "y": {"vi": "hai", "en": "two"}}, "b": {"z": {"vi": "ba", "en": "three"}},
         "c": {"u": {"vi": "bốn", "en": "four"}}, "d": {"v": {"vi": "năm", "en": "five"}}}
        """#.utf8))
    try write([
      "sw.js": "", "a.js": "import { b } from './b.js';\nt('a.x');\n", "b.js": "label('b', code);\nt(`c.${name}`);\n",
    ])
    let assets = try PageAssets(folder: folder, leafletFolder: "/nowhere", texts: texts, pages: ["first": "a.js"])
    let words = try #require(assets.files["texts.first.en.js"]).bytes
    #expect(
      String(decoding: words, as: UTF8.self)
        == #"export default {"a":{"x":"one"},"b":{"z":"three"},"c":{"u":"four"}};"# + "\n")
  }

  @Test func commentsAndIndentationStayHere() {
    let source = "// Why.\nconst a = 1; // kept\n\n/** What.\n * More. */\nfunction b() {\n  return 'x // y';\n}\n"
    #expect(
      String(decoding: PageAssets.slim(Array(source.utf8)), as: UTF8.self)
        == "const a = 1; // kept\nfunction b() {\nreturn 'x // y';\n}\n")
  }

  @Test func refusesAnImportOfNothing() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try write(["sw.js": "", "a.js": "import { c } from './c.js';\n"])
    #expect(throws: PageAssets.Fault.self) { try assets() }
  }

  @Test func rendersAPageInItsLayoutAndEscapesWhatItIsGiven() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try write([
      "layout.mustache": "<title>{{t.app.name}}</title>{{$main}}{{/main}}",
      "page.mustache": "{{<layout}}{{$main}}<p>{{name}}</p>{{/main}}{{/layout}}",
    ])
    let templates = try PageTemplates(folder: folder, needed: ["page"], texts: texts)
    let page = try templates.render("page", ["name": "<b>\"x\"", "t": texts.table(.vi)])
    #expect(page == "<title>Tên</title><p>&lt;b&gt;&quot;x&quot;</p>")
  }

  @Test(arguments: [
    ["page.mustache": "x"],
    ["layout.mustache": "x"],
    ["layout.mustache": "x", "page.mustache": "{{#open}}"],
    ["layout.mustache": "x", "page.mustache": "{{t.app.unknown}}"],
  ])
  func refusesTemplatesThatAreMissingBrokenOrWordless(files: [String: String]) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try write(files)
    #expect(throws: PageTemplates.Fault.self) { try PageTemplates(folder: folder, needed: ["page"], texts: texts) }
  }

  /// The pages' promises that no compiler holds: no markup from text, nothing from outside.
  @Test func scriptsBuildNoMarkupAndAskNothingOutside() throws {
    let assets = PageRoutes.resources.appendingPathComponent("assets")
    let forbidden = [
      "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "http://", "https://",
      "createContextualFragment", "DOMParser",
    ]
    for name in try FileManager.default.contentsOfDirectory(atPath: assets.path) where name.hasSuffix(".js") {
      let source = try String(contentsOf: assets.appendingPathComponent(name), encoding: .utf8)
      #expect(forbidden.filter(source.contains) == [], "\(name)")
      // Lines are sent without indentation: no text may run over a line's end.
      for line in source.split(separator: "\n") where !line.drop(while: { $0 == " " }).hasPrefix("//") {
        #expect(line.count { $0 == "`" }.isMultiple(of: 2) || line.contains("*"), "\(name): \(line)")
      }
    }
    let templates = PageRoutes.resources.appendingPathComponent("templates")
    for name in try FileManager.default.contentsOfDirectory(atPath: templates.path) {
      let source = try String(contentsOf: templates.appendingPathComponent(name), encoding: .utf8)
      for danger in ["{{{", "{{&", " onclick", " style=", "<script>", "http://", "https://"] {
        #expect(!source.contains(danger), "\(name): \(danger)")
      }
    }
  }
}
