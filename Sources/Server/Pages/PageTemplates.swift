package import Foundation
import Mustache

/// The Mustache templates, read and checked once at start.
package struct PageTemplates: Sendable {
  package struct Fault: Error, CustomStringConvertible {
    package var description: String
  }

  private let library: MustacheLibrary

  /// - Parameter needed: the templates that pages name.
  /// - Throws: when one is missing or broken, or uses a word that `texts` does not have. Mustache itself would leave
  ///   the place empty, and a reader would find it.
  package init(folder: URL, needed: [String], texts: Texts) throws {
    var templates: [String: MustacheTemplate] = [:]
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
      guard file.hasSuffix(".mustache") else { continue }
      let source = String(decoding: try Data(contentsOf: folder.appendingPathComponent(file)), as: UTF8.self)
      let name = String(file.dropLast(".mustache".count))
      do { templates[name] = try MustacheTemplate(string: source) } catch {
        throw Fault(description: "template \(file): \(error)")
      }
      for (section, key) in Self.words(in: source) where texts.text(section, key, .vi) == nil {
        throw Fault(description: "template \(file) uses the unknown word '\(section).\(key)'")
      }
    }
    if let missing = (needed + ["layout"]).first(where: { templates[$0] == nil }) {
      throw Fault(description: "the template '\(missing)' is missing")
    }
    library = MustacheLibrary(templates: templates)
  }

  package func render(_ name: String, _ values: [String: Any]) throws -> String {
    guard let page = library.render(values, withTemplate: name) else {
      throw Fault(description: "the template '\(name)' is missing")
    }
    return page
  }

  /// All of `{{t.section.key}}`.
  static func words(in source: String) -> [(section: String, key: String)] {
    source.ranges(of: "{{t.").compactMap { range in
      let name = source[range.upperBound...].prefix { $0 != "}" }
      guard let dot = name.firstIndex(of: ".") else { return (String(name), "") }
      return (String(name[..<dot]), String(name[name.index(after: dot)...]))
    }
  }
}
