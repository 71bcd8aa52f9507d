/// What an operator can set about the HTTP side; the command line fills it in (CONTRACT "Settings").
package struct ServerSettings: Sendable {
  package struct TLS: Sendable {
    /// Paths of PEM files.
    package var certificate: String
    package var key: String
    package init(certificate: String, key: String) {
      self.certificate = certificate
      self.key = key
    }
  }

  /// A bucket holds `burst` requests and gains `perSecond`; nil switches a limit off.
  package struct Rate: Sendable, Equatable {
    package var perSecond: Double
    package var burst: Double
    package init(perSecond: Double, burst: Double) {
      self.perSecond = perSecond
      self.burst = burst
    }
  }

  package var host = "127.0.0.1"
  package var port = 8080
  /// `https://hoichan.example.vn`: for links, and what a browser's `Origin` must be. Without it, the `Host` decides.
  package var publicURL: String?
  package var trustedProxies: [AddressBlock] = []
  package var tls: TLS?
  package var turnURLs: [String] = []
  /// The first mints; all are valid, so that one can be replaced while calls run.
  package var turnSecrets: [String] = []
  package var tilesURL: String?
  /// Where Debian keeps Leaflet.
  package var leafletFolder = "/usr/share/javascript/leaflet"
  package var isDemo = false

  // A hospital's hundred people may share one address, so these stop a flood, not a busy morning.
  package var requestRate: Rate? = Rate(perSecond: 500, burst: 2_000)
  /// Failed sign-ins of one name from one address.
  package var signInRate: Rate? = Rate(perSecond: 1.0 / 30, burst: 10)
  /// Failed sign-ins of one name from anywhere; wide, so that a stranger can't easily keep somebody out.
  package var signInNameRate: Rate? = Rate(perSecond: 1.0 / 5, burst: 100)
  /// Failed sign-ins from one address, whatever the name.
  package var signInAddressRate: Rate? = Rate(perSecond: 1, burst: 60)
  /// Open connections; the process needs as many file descriptors.
  package var connections: Int? = 60_000
  package var connectionsPerAddress: Int? = 10_000
  /// Addresses and names that are remembered at a time.
  package var throttleEntries = 20_000

  package init() {}

  /// Cookies are marked `Secure` when browsers reach us by HTTPS, here or at a proxy before us.
  package var isSecure: Bool { tls != nil || publicURL?.lowercased().hasPrefix("https://") == true }
}
