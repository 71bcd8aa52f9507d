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

  /// - Parameter leafletFolder: where Debian keeps Leaflet; the pages work without, with lists instead of maps.
  /// - Throws: when a file can't be read, or a script imports one that is not there.
  package init(folder: URL, leafletFolder: String, texts: Texts) throws {
    var contents: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      contents[name] = Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }
    for language in Language.allCases { contents["texts.\(language.rawValue).js"] = texts.module(language) }
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
    for name in files.keys.sorted() {
      if let missing = imports(of: name).first(where: { files[$0] == nil }) {
        throw Fault(description: "\(name) imports \(missing), which is not there")
      }
    }
  }

  /// What a page's script imports, and what that imports: named in the page, they are fetched at once and not one
  /// after the other, which on a slow link is the difference between one second and ten.
  package func preload(_ module: String) -> [String] {
    var found: [String] = []
    var open = [module]
    while let name = open.popLast() {
      for imported in imports(of: name) where !found.contains(imported) {
        found.append(imported)
        open.append(imported)
      }
    }
    return found.sorted()
  }

  private func imports(of name: String) -> [String] {
    guard name.hasSuffix(".js"), let file = files[name] else { return [] }
    return String(decoding: file.bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
      guard let start = line.firstRange(of: "from './"), line.hasPrefix("import") || line.hasPrefix("}") else {
        return nil
      }
      return String(line[start.upperBound...].prefix { $0 != "'" })
    }
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
