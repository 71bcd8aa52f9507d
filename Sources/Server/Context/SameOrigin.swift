package import Hummingbird

/// Whether a request comes from this site's own pages: what keeps another site from using a visitor's cookie.
package enum SameOrigin {
  /// The `Origin` must be the public address, or name the host that the request was sent to.
  ///
  /// - Parameter isSecure: browsers reach us by HTTPS, so that a page of plain HTTP is another site.
  package static func holds(_ request: Request, publicURL: String?, isSecure: Bool) -> Bool {
    guard let origin = request.headers[.origin]?.lowercased() else { return false }
    if let publicURL, origin == self.origin(of: publicURL.lowercased()) { return true }
    guard let host = request.head.authority?.lowercased(), !host.isEmpty else { return false }
    return origin == "https://" + host || (!isSecure && origin == "http://" + host)
  }

  /// `https://host:port` of an address, without its path.
  static func origin(of url: String) -> String {
    guard let scheme = url.firstRange(of: "://") else { return url }
    return String(url[..<scheme.upperBound] + url[scheme.upperBound...].prefix { $0 != "/" })
  }
}
