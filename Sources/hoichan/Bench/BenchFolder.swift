import Foundation

/// A folder for one benchmark's databases and logs. Both sides of a comparison write in it, so that they share a disk.
struct BenchFolder: Sendable {
  let path: String
  /// "ext4", for the report.
  let fileSystem: String

  init(in parent: String) throws {
    path = try Self.make(in: parent)
    fileSystem = Self.fileSystem(of: path)
    // A disk that forgets when the power goes makes every fdatasync free: there is nothing to measure on it.
    guard fileSystem != "tmpfs", fileSystem != "ramfs" else {
      rmdir(path)
      throw BenchFailure("\(parent) is in memory (\(fileSystem)); give a folder on a disk with --folder")
    }
    // PostgreSQL runs as another user where this process is root.
    guard chmod(path, 0o755) == 0 else { throw BenchFailure("\(path): \(String(cString: strerror(errno)))") }
  }

  /// A new folder under a name of its own.
  static func make(in parent: String) throws -> String {
    var template = Array((URL(fileURLWithPath: parent).path + "/hoichan-bench-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else {
      throw BenchFailure("no folder can be made in \(parent): \(String(cString: strerror(errno)))")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func file(_ name: String) -> String { path + "/" + name }

  func remove() {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      FileHandle.standardError.write(Data("\(path) could not be removed: \(error.localizedDescription)\n".utf8))
    }
  }

  /// The type of the mount that holds the path: the one with the longest mount point before it.
  private static func fileSystem(of path: String) -> String {
    guard let mounts = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else { return "unknown" }
    var best = (length: 0, type: "unknown")
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 4, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
      let point = fields[4] == "/" ? "" : String(fields[4])
      // Of two on the same point, the later one lies on top.
      if path == point || path.hasPrefix(point + "/"), point.utf8.count >= best.length {
        best = (point.utf8.count, String(fields[dash + 1]))
      }
    }
    return best.type
  }
}
