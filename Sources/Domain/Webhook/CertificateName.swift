/// Names in certificates (RFC 9525, section 6.3).
package enum CertificateName {
  /// Whether a DNS name of a certificate stands for this host: it is the same, or its first label is an asterisk which
  /// stands for the host's first label. A public suffix (`*.vn`) is not covered.
  /// - Parameter host: in lower case, ASCII, without a dot at its end.
  package static func covers(_ name: String, host: String) -> Bool {
    let name = name.lowercased()
    guard name.hasPrefix("*.") else { return name == host }
    let wanted = name.dropFirst(2)
    let labels = host.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    return labels.count == 2 && !labels[0].isEmpty && labels[1] == wanted && wanted.contains(".")
  }
}
