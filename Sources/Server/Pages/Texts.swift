import Domain
import Foundation

/// Every word of the pages, in both languages, from one table: `texts.json` holds `{section: {key: {vi, en}}}`.
///
/// Templates and scripts read the same table, so that a word is translated once, and a language that lacks one is
/// found at start and not by a reader.
package struct Texts: Sendable {
  package typealias Table = [String: [String: String]]

  package struct Fault: Error, CustomStringConvertible {
    package var description: String
  }

  private let tables: [Language: Table]
  /// In the order of the file: lists of choices keep it.
  private let order: [String: [String]]

  /// - Throws: when the file is no such table, or a word is missing or empty in one of the languages.
  package init(json bytes: [UInt8]) throws {
    let document: JSON
    do { document = try JSON(parsing: bytes) } catch { throw Fault(description: "texts.json is not JSON: \(error)") }
    guard case .object(let sections) = document else { throw Fault(description: "texts.json is no object") }
    var tables = Dictionary(uniqueKeysWithValues: Language.allCases.map { ($0, Table()) })
    var order: [String: [String]] = [:]
    for section in sections.items {
      guard case .object(let keys) = section.value else {
        throw Fault(description: "texts.json: \(section.name) is no section")
      }
      for key in keys.items {
        guard case .object(let words) = key.value, words.items.count == Language.allCases.count else {
          throw Fault(description: "texts.json: \(section.name).\(key.name) does not have each language once")
        }
        for language in Language.allCases {
          guard let text = words[language.rawValue]?.string, !text.isEmpty else {
            throw Fault(description: "texts.json: \(section.name).\(key.name) has no words in '\(language.rawValue)'")
          }
          tables[language, default: [:]][section.name, default: [:]][key.name] = text
        }
        order[section.name, default: []].append(key.name)
      }
    }
    self.tables = tables
    self.order = order
  }

  package func table(_ language: Language) -> Table { tables[language] ?? [:] }

  /// `nil` when there is no such word.
  package func text(_ section: String, _ key: String, _ language: Language) -> String? {
    tables[language]?[section]?[key]
  }

  /// The codes of a section in the table's order, for lists to choose from.
  package func codes(_ section: String) -> [String] { order[section] ?? [] }

  package var count: Int { order.values.reduce(0) { $0 + $1.count } }

  /// The words that scripts name, as the ES module that `texts.js` loads. A page whose words are all of ours
  /// would carry mostly those of other pages.
  ///
  /// A section counts as a whole where its name stands alone, or before a key that is put together: more than is
  /// needed, and never less.
  package func module(_ language: Language, usedBy names: Set<String>) -> [UInt8] {
    let sections = order.keys.sorted().compactMap { section -> (String, JSON)? in
      let isWhole = names.contains(section) || names.contains("\(section).")
      let keys = codes(section).filter { isWhole || names.contains("\(section).\($0)") }
      guard !keys.isEmpty else { return nil }
      let words = keys.map { ($0, JSON.string(text(section, $0, language) ?? "")) }
      return (section, .object(JSON.Members(words)))
    }
    return Array("export default ".utf8) + JSON.object(JSON.Members(sections)).bytes + Array(";\n".utf8)
  }

  /// What stands between single quotes, and the beginnings of template literals up to their first dot: read once, since
  /// looking for each of six hundred words in all scripts would take a start longer than everything else.
  package static func names(in script: [UInt8]) -> Set<String> {
    let quote = UInt8(ascii: "'")
    var names = Set<String>()
    var word: [UInt8]?
    var template: [UInt8]?
    for byte in script {
      if byte == quote {
        if let word { names.insert(String(decoding: word, as: UTF8.self)) }
        word = []
      } else if byte == UInt8(ascii: "\n") {
        // A word is within a line; an apostrophe in a comment must not swallow what follows.
        word = nil
      } else {
        word?.append(byte)
      }
      if byte == UInt8(ascii: "`") {
        template = []
      } else if byte == UInt8(ascii: "."), let begun = template {
        names.insert(String(decoding: begun, as: UTF8.self) + ".")
        template = nil
      } else {
        template?.append(byte)
      }
    }
    return names
  }
}
