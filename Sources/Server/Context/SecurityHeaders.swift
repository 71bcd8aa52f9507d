package import HTTPTypes

/// The headers that every answer of an endpoint begins with; made once.
package enum SecurityHeaders {
  package static func make(_ endpoint: Endpoint, _ settings: ServerSettings) -> HTTPFields {
    let isPage = endpoint.options.contains(.page)
    var fields: HTTPFields = [.xContentTypeOptions: "nosniff"]
    if settings.isSecure { fields[.strictTransportSecurity] = "max-age=31536000" }
    guard isPage else {
      // Patients' data stay out of every cache, the browser's on a shared computer above all.
      fields[.cacheControl] = "no-store"
      fields[.referrerPolicy] = "no-referrer"
      return fields
    }
    fields[.cacheControl] = "no-cache"
    // A capability in the address must not travel on to another site.
    if case .capability = endpoint.access {
      fields[.referrerPolicy] = "no-referrer"
    } else {
      fields[.referrerPolicy] = "same-origin"
    }
    fields[.contentSecurityPolicy] = policy(settings)
    fields[.frameOptions] = "DENY"
    fields[.permissionsPolicy] = "camera=(self), microphone=(self), geolocation=(self)"
    return fields
  }

  /// Nothing from outside but map tiles, when there is a tile server; no inline script or style.
  private static func policy(_ settings: ServerSettings) -> String {
    let tiles = settings.tilesURL.map { " " + SameOrigin.origin(of: $0).replacing("{s}", with: "*") } ?? ""
    return "default-src 'self'; img-src 'self' data: blob:\(tiles); media-src 'self' blob: mediastream:; "
      + "object-src 'none'; base-uri 'none'; form-action 'self'; "
      + "frame-ancestors 'none'"
  }
}
