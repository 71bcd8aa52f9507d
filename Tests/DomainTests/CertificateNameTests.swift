import Testing

@testable import Domain

@Suite struct CertificateNameTests {
  @Test(arguments: [
    ("ioc.example.vn", "ioc.example.vn"), ("IOC.Example.VN", "ioc.example.vn"), ("*.example.vn", "ioc.example.vn"),
  ])
  func covers(name: String, host: String) {
    #expect(CertificateName.covers(name, host: host))
  }

  @Test(arguments: [
    ("example.vn", "ioc.example.vn"), ("*.example.vn", "example.vn"), ("*.example.vn", "a.ioc.example.vn"),
    ("*.example.vn", ".example.vn"), ("i*.example.vn", "ioc.example.vn"), ("*.vn", "example.vn"), ("*", "localhost"),
    ("", "localhost"), ("ioc.example.vn.other", "ioc.example.vn"), ("*.*.vn", "ioc.example.vn"),
  ])
  func doesNotCover(name: String, host: String) {
    #expect(!CertificateName.covers(name, host: host))
  }
}
