import Crypto
package import Domain
import Foundation

/// The relays that calls may use, and the secret that coturn shares with us (its `use-auth-secret`).
package struct TurnSettings: Sendable {
  package var urls: [String]
  /// The first mints; the others are what coturn may still accept while secrets are changed.
  package var secrets: [String]
  package var lifetime: Span

  package init(urls: [String], secrets: [String], lifetime: Span = .hours(2)) {
    self.urls = urls
    self.secrets = secrets
    self.lifetime = lifetime
  }

  /// `RTCIceServer`s with fresh credentials. A relay without a secret is left out: a browser refuses to start with it.
  func iceServers(for member: String, now: Instant) -> JSON {
    let relays = urls.filter { $0.hasPrefix("turn:") || $0.hasPrefix("turns:") }
    let others = urls.filter { !relays.contains($0) }
    var servers: [JSON] = others.isEmpty ? [] : [["urls": .strings(others)]]
    if !relays.isEmpty, let secret = secrets.first {
      let username = "\((now + lifetime).milliseconds / 1000):\(member)"
      let code = HMAC<Insecure.SHA1>.authenticationCode(
        for: Data(username.utf8), using: SymmetricKey(data: Data(secret.utf8)))
      servers.append([
        "urls": .strings(relays), "username": .string(username),
        "credential": .string(Data(code).base64EncodedString()),
      ])
    }
    return .array(servers)
  }
}
