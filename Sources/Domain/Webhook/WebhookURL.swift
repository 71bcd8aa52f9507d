/// Where a webhook's events are sent: `https://HOST[:PORT]/PATH?QUERY`, in ASCII.
///
/// Read strictly and by this parser only: whoever checks an address with one parser and connects with another can be
/// led elsewhere. No user, no fragment, no escapes in the host, and of numbers only the usual form of an address.
package struct WebhookURL: Sendable, Hashable {
  package enum Scheme: String, Sendable { case https, http }

  package let text: String
  package let scheme: Scheme
  /// A name in lower case, or an address without brackets.
  package let host: String
  package let port: Int
  /// The request's target: path and query.
  package let target: String

  package init?(_ text: String) {
    guard text.utf8.count <= Limits.webhookURL, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
      let mark = text.firstRange(of: "://"),
      let scheme = Scheme(rawValue: text[..<mark.lowerBound].lowercased())
    else { return nil }
    let rest = text[mark.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    let tail = rest[authority.endIndex...]
    guard !tail.contains("#"), let (host, port) = Self.parse(authority) else { return nil }
    self.text = text
    self.scheme = scheme
    self.host = host
    self.port = port ?? (scheme == .https ? 443 : 80)
    target = tail.first == "/" ? String(tail) : "/" + String(tail)
  }

  private static func parse(_ authority: Substring) -> (host: String, port: Int?)? {
    let host: String
    let rest: Substring
    if authority.first == "[" {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<end].lowercased()
      rest = authority[authority.index(after: end)...]
      guard host.contains(":"), NetworkAddress(host) != nil else { return nil }
    } else {
      let name = authority.prefix { $0 != ":" }
      host = name.lowercased()
      rest = authority[name.endIndex...]
      guard isName(host) else { return nil }
    }
    if rest.isEmpty { return (host, nil) }
    let digits = rest.dropFirst()
    guard rest.first == ":", digits.utf8.allSatisfy(\.isDigit), let port = Int(digits), (1...65_535).contains(port)
    else { return nil }
    return (host, port)
  }

  /// A host name, or four decimal numbers. A name that ends in a number is an address to some resolvers.
  private static func isName(_ host: String) -> Bool {
    let labels = host.split(separator: ".", omittingEmptySubsequences: false)
    guard host.utf8.count <= 253, labels.allSatisfy({ isLabel($0) }), let last = labels.last else { return false }
    let isNumber = last.utf8.allSatisfy(\.isDigit) || last.hasPrefix("0x")
    return !isNumber || NetworkAddress(host) != nil
  }

  private static func isLabel(_ label: Substring) -> Bool {
    guard (1...63).contains(label.utf8.count), label.first != "-", label.last != "-" else { return false }
    return label.utf8.allSatisfy {
      $0.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "-")
        || $0 == UInt8(ascii: "_")
    }
  }

  /// The host, where it is an address and not a name.
  package var literal: NetworkAddress? { NetworkAddress(host) }

  /// For the request's `Host`.
  package var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == (scheme == .https ? 443 : 80) ? name : "\(name):\(port)"
  }

  // MARK: What may be connected to

  /// Whether events may go there by this address. Out of the house they go encrypted only.
  /// - Parameter allowsLocal: the operator wants receivers in the own network (`HOICHAN_WEBHOOK_PRIVATE`).
  package func admits(_ address: NetworkAddress, allowsLocal: Bool) -> Bool {
    switch address.scope {
    case .global: scheme == .https
    case .local: allowsLocal
    case .special: false
    }
  }

  /// What is wrong with it before any name is looked up: a field's code and a sentence.
  package func refusal(allowsLocal: Bool) -> (code: String, detail: String)? {
    if scheme == .http, !allowsLocal { return ("scheme", "Events are sent by https only.") }
    let isOwn = host == "localhost" || host.hasSuffix(".localhost")
    if literal.map({ !admits($0, allowsLocal: allowsLocal) }) ?? (isOwn && !allowsLocal) {
      return ("address", "Events are not sent to this address.")
    }
    return nil
  }
}
