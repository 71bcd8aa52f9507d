package import HTTPTypes

/// Reads one cookie of a request without taking the whole header apart.
package enum Cookies {
  package static let session = "hoichan_session"

  package static func value(of name: String, in headers: HTTPFields) -> String? {
    guard let header = headers[.cookie] else { return nil }
    for pair in header.utf8.split(separator: UInt8(ascii: ";")) {
      let pair = pair.drop { $0 == UInt8(ascii: " ") }
      guard let equals = pair.firstIndex(of: UInt8(ascii: "=")), pair[..<equals].elementsEqual(name.utf8) else {
        continue
      }
      return String(pair[pair.index(after: equals)...])
    }
    return nil
  }

  /// A `Set-Cookie` that scripts can't read and other sites can't make a browser send with a write.
  /// - Parameter maxAge: seconds; 0 forgets the cookie.
  package static func setSession(_ token: String, maxAge: Int64, secure: Bool) -> String {
    "\(session)=\(token); Path=/; HttpOnly; SameSite=Lax; Max-Age=\(max(0, maxAge))" + (secure ? "; Secure" : "")
  }
}
