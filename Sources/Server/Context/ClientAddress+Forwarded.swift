package import HTTPTypes

extension HTTPField.Name {
  package static let forwarded = Self.known("Forwarded")
  package static let xForwardedFor = Self.known("X-Forwarded-For")
  package static let idempotencyKey = Self.known("Idempotency-Key")
  package static let lastEventID = Self.known("Last-Event-ID")
  package static let referrerPolicy = Self.known("Referrer-Policy")
  package static let permissionsPolicy = Self.known("Permissions-Policy")
  package static let frameOptions = Self.known("X-Frame-Options")

  /// For names that are written in this file and known to be well-formed.
  private static func known(_ name: String) -> Self {
    guard let field = Self(name) else { preconditionFailure("'\(name)' is no field name") }
    return field
  }
}

extension ClientAddress {
  /// The address of whoever really asks.
  ///
  /// Only a trusted proxy is believed. `X-Forwarded-For` is read from its end, where the nearest proxy wrote, up to
  /// the first address that is no proxy of ours: what stands before it, the client may have made up.
  package static func client(peer: ClientAddress, headers: HTTPFields, trusted: [AddressBlock]) -> ClientAddress {
    guard !trusted.isEmpty, trusted.contains(where: { $0.contains(peer) }), let header = headers[.xForwardedFor] else {
      return peer
    }
    var nearest = peer
    for hop in header.split(separator: ",").reversed() {
      guard let address = ClientAddress(hop) else { return nearest }
      nearest = address
      guard trusted.contains(where: { $0.contains(address) }) else { return address }
    }
    return nearest
  }

  /// Whether the request was made on this machine and not passed on by a proxy that runs on it.
  package static func isLocal(peer: ClientAddress, headers: HTTPFields) -> Bool {
    peer.isLoopback && !headers.contains(.xForwardedFor) && !headers.contains(.forwarded)
  }
}
