import Domain
import Foundation

/// Reads a CSV file from disk and by its kind.
enum ImportFile {
  static func read(_ kind: ImportKind, path: String, known: KnownDirectory) throws -> ImportResult {
    kind.read(try bytes(of: path), known: known)
  }

  /// A file's bytes. Files over the import's bound are refused before they are read into memory.
  static func bytes(of path: String) throws -> [UInt8] {
    do {
      let handle = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? handle.close() }
      let data = try handle.read(upToCount: Limits.csvBytes + 1) ?? Data()
      guard data.count <= Limits.csvBytes else {
        throw UnreadableFile(path: path, reason: "it is larger than \(Limits.csvBytes / 1_048_576) MiB")
      }
      return Array(data)
    } catch let error as UnreadableFile {
      throw error
    } catch {
      throw UnreadableFile(path: path, reason: error.localizedDescription)
    }
  }
}

/// Why a file could not be read, as a sentence for whoever typed its name.
struct UnreadableFile: Error, CustomStringConvertible {
  var path: String
  var reason: String
  var description: String { "\(path) cannot be read: \(reason)." }
}
