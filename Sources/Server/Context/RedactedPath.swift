/// How a path is written in a log: without its query, which may hold tickets and names, and without secrets.
package enum RedactedPath {
  /// Paths whose next segment is a secret.
  private static let secretPrefixes = ["/track/"]

  package static func text(_ target: String) -> String {
    let path = target.prefix { $0 != "?" && $0 != "#" }
    for prefix in secretPrefixes {
      if let found = path.firstRange(of: prefix) { return path[..<found.upperBound] + "…" }
    }
    return path.utf8.count <= 500 ? String(path) : path.prefix(200) + "…"
  }
}
