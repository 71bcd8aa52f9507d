/// The extension permessage-deflate (RFC 7692) as it was agreed on for one socket.
///
/// Each message is compressed for itself, in both directions: so a frame can be compressed once for all its readers,
/// and a quiet socket keeps no window of 32 KiB for messages that may never come.
package struct PermessageDeflate: Hashable, Sendable {
  /// The window that our messages may refer back into, as bits of its size, 8 to 15; nil when the client set no bound.
  package let serverWindowBits: Int?

  package init(serverWindowBits: Int? = nil) {
    self.serverWindowBits = serverWindowBits
  }

  /// Whether the client can read what was compressed with the full window, as shared frames are.
  package var takesSharedFrames: Bool { (serverWindowBits ?? 15) == 15 }

  /// What the 101 says in `Sec-WebSocket-Extensions`.
  var answer: String {
    let window = serverWindowBits.map { "; server_max_window_bits=\($0)" } ?? ""
    return "permessage-deflate; server_no_context_takeover; client_no_context_takeover\(window)"
  }

  /// The first offer of these that we can keep (section 5.1). One with a parameter that the RFC does not know is
  /// declined, as section 7.1 asks, and the next one is looked at; nil leaves messages as they are.
  /// - Throws: when a header is no list of extensions at all (RFC 6455, section 9.1).
  static func choose(from headers: [String]) throws(WebSocketUpgrade.Refusal) -> PermessageDeflate? {
    for header in headers {
      var list = ExtensionList(header)
      while let offer = try list.next() {
        if offer.name == "permessage-deflate", let chosen = PermessageDeflate(offer) { return chosen }
      }
    }
    return nil
  }

  private init?(_ offer: ExtensionOffer) {
    var names: Set<String> = []
    var window: Int?
    for (name, value) in offer.parameters {
      guard names.insert(name).inserted else { return nil }
      switch (name, value) {
      case ("server_no_context_takeover", nil), ("client_no_context_takeover", nil), ("client_max_window_bits", nil):
        break
      case ("server_max_window_bits", let value?):
        guard let bits = Self.bits(value) else { return nil }
        window = bits
      case ("client_max_window_bits", let value?):
        // It bounds what the client does; we can read the largest window anyhow.
        guard Self.bits(value) != nil else { return nil }
      default:
        return nil
      }
    }
    self.init(serverWindowBits: window)
  }

  /// 8 to 15, without leading zeros (section 7.1.2).
  private static func bits(_ value: String) -> Int? {
    guard let bits = Int(value), (8...15).contains(bits), String(bits) == value else { return nil }
    return bits
  }
}

/// One extension that a client offers, in lower case but for the values.
struct ExtensionOffer: Equatable {
  var name: String
  var parameters: [(name: String, value: String?)] = []

  static func == (left: ExtensionOffer, right: ExtensionOffer) -> Bool {
    left.name == right.name
      && left.parameters.elementsEqual(right.parameters) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// Reads `Sec-WebSocket-Extensions` (RFC 6455, section 9.1): extensions between commas, their parameters behind
/// semicolons, whose values are tokens, in quotation marks or not.
struct ExtensionList {
  private var rest: Substring.UTF8View

  init(_ header: String) {
    rest = header[...].utf8
  }

  mutating func next() throws(WebSocketUpgrade.Refusal) -> ExtensionOffer? {
    // RFC 9110, section 5.6.1: empty members of a list are passed over.
    repeat { skipSpaces() } while take(",")
    guard !rest.isEmpty else { return nil }
    var offer = ExtensionOffer(name: try token().lowercased())
    skipSpaces()
    while take(";") {
      skipSpaces()
      let name = try token().lowercased()
      skipSpaces()
      var value: String?
      if take("=") {
        skipSpaces()
        value = try self.value()
        skipSpaces()
      }
      offer.parameters.append((name, value))
    }
    guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { throw Self.malformed }
    return offer
  }

  private static let malformed = WebSocketUpgrade.Refusal.malformed("Sec-WebSocket-Extensions is no list of extensions")

  private mutating func skipSpaces() {
    rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest.removeFirst()
    return true
  }

  private mutating func value() throws(WebSocketUpgrade.Refusal) -> String {
    guard take("\"") else { return try token() }
    let value = try token()
    guard take("\"") else { throw Self.malformed }
    return value
  }

  /// RFC 9110, section 5.6.2. A quoted value has to be one too (RFC 6455, section 9.1).
  private mutating func token() throws(WebSocketUpgrade.Refusal) -> String {
    let token = rest.prefix { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
      default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
      }
    }
    guard !token.isEmpty, let text = String(token) else { throw Self.malformed }
    rest = rest[token.endIndex...]
    return text
  }
}
