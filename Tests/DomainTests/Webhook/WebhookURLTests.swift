import Domain
import Testing

@Suite struct WebhookURLTests {
  @Test(
    arguments: [
      ("https://ioc.example.vn/hook", "ioc.example.vn", 443, "/hook", "ioc.example.vn"),
      ("https://IOC.Example.vn", "ioc.example.vn", 443, "/", "ioc.example.vn"),
      ("HTTPS://a.b:8443/x?y=1&z=%20", "a.b", 8443, "/x?y=1&z=%20", "a.b:8443"),
      ("https://a?q", "a", 443, "/?q", "a"), ("https://a:443/", "a", 443, "/", "a"),
      ("http://a/", "a", 80, "/", "a"), ("http://a:443/", "a", 443, "/", "a:443"),
      ("https://8.8.8.8/x", "8.8.8.8", 443, "/x", "8.8.8.8"),
      ("https://[2001:4860::8888]:444/x", "2001:4860::8888", 444, "/x", "[2001:4860::8888]:444"),
      ("https://[2001:DB8::1]/", "2001:db8::1", 443, "/", "[2001:db8::1]"),
      ("https://my_host-1/", "my_host-1", 443, "/", "my_host-1"),
      ("https://a/@b:1/[c]", "a", 443, "/@b:1/[c]", "a"), ("https://xn--ch-nga/", "xn--ch-nga", 443, "/", "xn--ch-nga"),
    ])
  func reads(text: String, host: String, port: Int, target: String, authority: String) throws {
    let url = try #require(WebhookURL(text))
    #expect(url.text == text && url.host == host && url.port == port && url.target == target)
    #expect(url.authority == authority)
  }

  @Test(
    arguments: [
      "", "https://", "https:///x", "ioc.example.vn", "//a/x", "ftp://a/", "file:///etc/passwd", "gopher://a:70/",
      // What leads another parser elsewhere.
      "https://user@a/", "https://user:secret@a/", "https://a@127.0.0.1/", "https://a\\@b/", "https://a/#b",
      "https://a#@b/", "https://a%2eb/", "https://a%00/", "https://a b/", "https://a\t/", "https://a/\r\nHost: b",
      "https://ví-dụ.vn/", "https://a。b/",
      // Numbers that are addresses to some.
      "https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://0177.0.0.1/", "https://1.2.3.0x4/",
      "https://a.1/", "https://256.1.1.1/",
      "https://a:0/", "https://a:65536/", "https://a:/", "https://a:+80/", "https://a:80:80/", "https://a:x/",
      "https://[::1", "https://[::1]x/", "https://[127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://::1/",
      "https://.a/", "https://a./", "https://a..b/", "https://-a/", "https://a-/",
    ])
  func refuses(text: String) {
    #expect(WebhookURL(text) == nil)
  }

  @Test func isBounded() {
    let rest = Limits.webhookURL - "https://a/".count
    #expect(WebhookURL("https://a/" + String(repeating: "x", count: rest)) != nil)
    #expect(WebhookURL("https://a/" + String(repeating: "x", count: rest + 1)) == nil)
    #expect(WebhookURL("https://" + String(repeating: "a", count: 64)) == nil)
  }

  // MARK: Where it may lead

  @Test(
    arguments: [
      ("http://a/", "scheme", nil), ("http://localhost/", "scheme", nil), ("https://localhost/", "address", nil),
      ("https://LOCALHOST:8443/", "address", nil), ("https://x.localhost/", "address", nil),
      ("https://127.0.0.1/", "address", nil), ("http://127.0.0.1/", "scheme", nil),
      ("https://10.1.2.3/", "address", nil), ("https://[::1]/", "address", nil), ("https://[fd00::1]/", "address", nil),
      ("https://169.254.169.254/latest/meta-data", "address", "address"),
      ("http://169.254.169.254/", "scheme", "address"), ("https://[::ffff:127.0.0.1]/", "address", "address"),
      ("https://[fe80::1]/", "address", "address"), ("https://0.0.0.0/", "address", "address"),
      ("https://8.8.8.8/", nil, nil), ("https://a/", nil, nil),
      // Out of the house in plain text: never.
      ("http://8.8.8.8/", "scheme", "address"),
    ] as [(String, String?, String?)])
  func refusals(text: String, usually: String?, allowingLocal: String?) throws {
    let url = try #require(WebhookURL(text))
    #expect(url.refusal(allowsLocal: false)?.code == usually)
    #expect(url.refusal(allowsLocal: true)?.code == allowingLocal)
  }

  @Test func addressesOfANameAreJudgedAsWell() throws {
    let (secure, plain) = (try #require(WebhookURL("https://a/")), try #require(WebhookURL("http://a/")))
    for (text, expected) in [
      ("8.8.8.8", [true, true, false, false]), ("10.0.0.1", [false, true, false, true]),
      ("::1", [false, true, false, true]), ("169.254.169.254", [false, false, false, false]),
    ] {
      let address = try #require(NetworkAddress(text))
      let found = [secure, plain].flatMap { url in
        [false, true].map { url.admits(address, allowsLocal: $0) }
      }
      #expect(found == expected, "\(text)")
    }
  }
}
