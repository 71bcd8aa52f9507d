/// Entity tags (RFC 9110): `"VERSION-HASH"`.
///
/// The version tells a lost update (`If-Match` looks at it alone); the hash makes the tag strong, since two callers,
/// or two moments, may see different members of the same version.
package enum EntityTag {
  package static func make(version: Int64, body: [UInt8]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a: fast, and nobody gains by a collision with their own page
    for byte in body { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return "\"\(version)-\(String(hash, radix: 36))\""
  }

  /// `If-None-Match`: whether what the client has is what we would send (weak comparison).
  package static func matches(_ header: String, _ tag: String) -> Bool {
    if header == "*" { return true }
    return header.split(separator: ",").contains { candidate in
      let candidate = candidate.trimmed
      return (candidate.hasPrefix("W/") ? candidate.dropFirst(2) : candidate) == tag
    }
  }

  /// `If-Match`: the version that must still be current; nil when any will do.
  ///
  /// Weak tags never match strongly, and a tag that we did not make is no version's: it becomes `none`, so that the
  /// thing is looked for first, and whoever may not see it learns nothing by guessing tags. Of several, the newest
  /// counts: a client that lists more than one has seen that one.
  package static func expectedVersion(_ header: String?) -> Int64? {
    guard let header, header != "*" else { return nil }
    var newest = none
    for candidate in header.split(separator: ",") {
      let candidate = candidate.trimmed
      guard candidate.count > 2, candidate.first == "\"", candidate.last == "\"" else { continue }
      let inner = candidate.dropFirst().dropLast()
      guard let version = Int64(inner.prefix { $0 != "-" }) else { continue }
      newest = max(newest, version)
    }
    return newest
  }

  /// No thing has this version: they begin at 1.
  package static let none: Int64 = -1
}
