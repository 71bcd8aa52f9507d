import Crypto
package import Foundation

/// The files that pages are made of, read once at start: what is not in this table does not exist, so that no path
/// can lead out of it.
///
/// All of ours are served under one version, a hash over all of them. Scripts import each other by relative names,
/// so a page's whole set belongs together, may be kept for ever, and changes as a whole.
package struct PageAssets: Sendable {
  package struct File: Sendable {
    package var bytes: [UInt8]
    package var type: String
    package var tag: String
    /// The same compressed, once and as well as it goes, where that helps.
    package var gzip: [UInt8]?
    /// A tag names bytes, so the compressed ones have their own.
    package var gzipTag: String

    init(_ bytes: [UInt8], name: String) {
      self.bytes = bytes
      type = PageAssets.type(of: name)
      gzip = Gzip.isText(type) && bytes.count >= Gzip.worthwhile ? Gzip.compress(bytes, level: 9) : nil
      let hash = PageAssets.hash(bytes)
      tag = "\"\(hash)\""
      gzipTag = "\"\(hash)-gzip\""
    }
  }

  package struct Fault: Error, CustomStringConvertible {
    package var description: String
  }

  /// Of ours, by name.
  package let files: [String: File]
  /// Of Leaflet, by its path in the folder.
  package let leaflet: [String: File]
  package let version: String
  package let serviceWorker: File
  /// All that each page's script imports.
  private let preloads: [String: [String]]

  /// - Parameters:
  ///   - leafletFolder: where Debian keeps Leaflet; the pages work without, with lists instead of maps.
  ///   - pages: the script of each page, by the page's name; each gets a file of the words that it uses.
  /// - Throws: when a file can't be read, or a script imports one that is not there.
  package init(folder: URL, leafletFolder: String, texts: Texts, pages: [String: String]) throws {
    var contents: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let bytes = Array(try Data(contentsOf: folder.appendingPathComponent(name)))
      contents[name] = name.hasSuffix(".js") || name.hasSuffix(".css") ? Self.slim(bytes) : bytes
    }
    // Each script is read once: sixty scripts times twelve pages would be most of a start.
    let scripts = contents.filter { $0.key.hasSuffix(".js") }
    let imports = scripts.mapValues { Self.imports($0) }
    let names = scripts.mapValues { Texts.names(in: $0) }
    for (name, imported) in imports.sorted(by: { $0.key < $1.key }) {
      if let missing = imported.first(where: { contents[$0] == nil }) {
        throw Fault(description: "\(name) imports \(missing), which is not there")
      }
    }
    preloads = pages.mapValues { Self.all($0, imports) }
    for (page, script) in pages {
      let used = (Self.all(script, imports) + [script]).reduce(into: Set<String>()) { $0.formUnion(names[$1] ?? []) }
      for language in Language.allCases {
        contents[Self.words(page, language)] = texts.module(language, usedBy: used)
      }
    }
    guard let worker = contents.removeValue(forKey: "sw.js") else { throw Fault(description: "sw.js is missing") }

    var all = SHA256()
    for (name, bytes) in contents.sorted(by: { $0.key < $1.key }) {
      all.update(data: Array(name.utf8) + [0])
      all.update(data: SHA256.hash(data: bytes).map(\.self))
    }
    all.update(data: worker)
    version = Self.hex(all.finalize())
    files = Dictionary(uniqueKeysWithValues: contents.map { ($0.key, File($0.value, name: $0.key)) })
    let filled = String(decoding: worker, as: UTF8.self).replacing("{{version}}", with: version)
    serviceWorker = File(Array(filled.utf8), name: "sw.js")
    leaflet = Self.leaflet(in: leafletFolder)
  }

  /// What a page needs besides its script: named in the page, all of it is fetched at once and not one after the
  /// other, which on a slow link is the difference between one second and ten.
  package func preload(_ page: String, _ language: Language) -> [String] {
    (preloads[page] ?? []) + [Self.words(page, language)]
  }

  private static func words(_ page: String, _ language: Language) -> String {
    "texts.\(page).\(language.rawValue).js"
  }

  /// What a script imports, and what that imports.
  private static func all(_ script: String, _ imports: [String: [String]]) -> [String] {
    var found: [String] = []
    var open = [script]
    while let name = open.popLast() {
      for imported in imports[name] ?? [] where !found.contains(imported) {
        found.append(imported)
        open.append(imported)
      }
    }
    return found.sorted()
  }

  private static func imports(_ bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
      guard line.hasPrefix("import") || line.hasPrefix("}"), let start = line.firstRange(of: "from './") else {
        return nil
      }
      return String(line[start.upperBound...].prefix { $0 != "'" })
    }
  }

  /// Indentation and lines that are only comments stay here: they are for us, and were a fifth of what a page costs.
  /// Our scripts have no text that runs over a line's end (a test looks), so that a line can be judged by itself.
  static func slim(_ bytes: [UInt8]) -> [UInt8] {
    var isComment = false
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line -> Substring? in
      let line = line.drop { $0 == " " }
      if isComment || line.hasPrefix("/*") {
        isComment = !line.contains("*/")
        return nil
      }
      return line.hasPrefix("//") ? nil : line
    }
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  private static let leafletFiles = [
    "leaflet.esm.min.js", "leaflet.css", "images/layers.png", "images/layers-2x.png", "images/marker-icon.png",
    "images/marker-icon-2x.png", "images/marker-shadow.png",
  ]

  private static func leaflet(in folder: String) -> [String: File] {
    func read(_ name: String) -> [UInt8]? {
      FileManager.default.contents(atPath: folder + "/" + name).map { Array($0) }
    }
    return leafletFiles.reduce(into: [:]) { files, name in
      files[name] = read(name).map { File($0, name: name) }
    }
  }

  private static func type(of name: String) -> String {
    switch name.split(separator: ".").last {
    case "js": "text/javascript; charset=utf-8"
    case "css": "text/css; charset=utf-8"
    case "svg": "image/svg+xml"
    case "png": "image/png"
    default: "application/octet-stream"
    }
  }

  private static func hash(_ bytes: [UInt8]) -> String { hex(SHA256.hash(data: bytes)) }

  /// Sixteen digits: enough that two sets of files never share a name.
  private static func hex(_ digest: SHA256.Digest) -> String {
    digest.prefix(8).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }
}
