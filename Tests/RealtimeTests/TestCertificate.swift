import NIOSSL

/// A certificate for localhost that nothing but these tests trusts; its key is public.
enum TestCertificate {
  static func make() throws -> TLSConfiguration {
    let key = try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)
    return .makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map { .certificate($0) },
      privateKey: .privateKey(key))
  }

  static func client() throws -> NIOSSLClientHandler {
    try NIOSSLClientHandler(context: clientContext(), serverHostname: "localhost")
  }

  /// Trusts this certificate only.
  static func clientContext() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)))
    return try NIOSSLContext(configuration: configuration)
  }

  private static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBnDCCAUGgAwIBAgIUW4AIMwZKJAFYzqpB2dQUk1z2cI4wCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTIwMjc0M1oYDzIxMjYxMDI4
    MjAyNzQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
    PQMBBwNCAATX/eM/dWRY3EZUD+Uq67OANsMbZh12uL1j8giLTID5g7fJL0/RlBLk
    e1zs/PpGRR3ESF4cDz7jnZ0QKCLa0CK5o28wbTAdBgNVHQ4EFgQUVaPeCpipIFWe
    PjtrWqvLdMQ/VsMwHwYDVR0jBBgwFoAUVaPeCpipIFWePjtrWqvLdMQ/VsMwDwYD
    VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
    zj0EAwIDSQAwRgIhAM5+GqPKIItZ8GXFs159gRK6umNtCsdJXxsjeXMRGh9LAiEA
    tvnQdhz+E6GkNAx6MFpV+KI5mI3IFi4sCKRMFkidf2o=
    -----END CERTIFICATE-----
    """

  private static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgB3xt6C+SEIppS9CO
    gtvPsSVG6P5JnwRXcKmvJlULfryhRANCAATX/eM/dWRY3EZUD+Uq67OANsMbZh12
    uL1j8giLTID5g7fJL0/RlBLke1zs/PpGRR3ESF4cDz7jnZ0QKCLa0CK5
    -----END PRIVATE KEY-----
    """
}
