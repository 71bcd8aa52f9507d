import Domain
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import Server

@Suite struct LanguageTests {
  @Test(
    arguments: [
      (nil, [:], .vi),
      ("lang=en", [:], .en),
      ("lang=fr", [:], .vi),
      ("lang=vi", [.cookie: "lang=en"], .vi),
      (nil, [.cookie: "a=b; lang=en"], .en),
      (nil, [.cookie: "xlang=en"], .vi),
      (nil, [.acceptLanguage: "en-US,en;q=0.9"], .en),
      (nil, [.acceptLanguage: "fr, en;q=0.3, vi;q=0.7"], .vi),
      (nil, [.acceptLanguage: "en;q=0"], .vi),
      (nil, [.acceptLanguage: "en;q=x, *"], .vi),
    ] as [(String?, HTTPFields, Language)])
  func isChosen(query: String?, headers: HTTPFields, language: Language) {
    #expect(Language(query: query, headers: headers) == language)
  }
}

@Suite struct CredentialTests {
  @Test func prefersTheBearer() {
    let both = Credential([.authorization: "Bearer abc", .cookie: "hoichan_session=def"])
    #expect(both?.token == "abc" && both?.source == .bearer)
    let cookie = Credential([.cookie: "x=1; hoichan_session=def; y=2"])
    #expect(cookie?.token == "def" && cookie?.source == .cookie)
    #expect(Credential([.authorization: "bEARER  abc "])?.token == "abc")
  }

  @Test(
    arguments: [
      [:], [.authorization: "Basic abc"], [.authorization: "Bearer "], [.authorization: "Bearer"],
      [.cookie: "hoichan_session="], [.cookie: "not_hoichan_session=1"],
      [.authorization: "Bearer " + String(repeating: "x", count: 1_000)],
      [.authorization: "Basic abc", .cookie: "hoichan_session=def"],
    ] as [HTTPFields])
  func refuses(headers: HTTPFields) { #expect(Credential(headers) == nil) }
}

@Suite struct SameOriginTests {
  private func holds(_ origin: String?, authority: String?, publicURL: String?) -> Bool {
    var head = HTTPRequest(method: .post, scheme: "http", authority: authority, path: "/")
    if let origin { head.headerFields[.origin] = origin }
    return SameOrigin.holds(
      Request(head: head, body: .init(buffer: ByteBuffer())), publicURL: publicURL, isSecure: false)
  }

  @Test func takesItsOwn() {
    #expect(holds("http://localhost:8080", authority: "localhost:8080", publicURL: nil))
    #expect(holds("https://Hoichan.vn", authority: "hoichan.vn", publicURL: nil))
    #expect(holds("https://hoichan.vn", authority: "10.0.0.2:8080", publicURL: "https://hoichan.vn/"))
  }

  @Test func refusesOthers() {
    #expect(!holds(nil, authority: "localhost:8080", publicURL: nil))
    #expect(!holds("null", authority: "localhost:8080", publicURL: nil))
    #expect(!holds("http://localhost:8081", authority: "localhost:8080", publicURL: nil))
    #expect(!holds("https://hoichan.vn.evil.example", authority: "hoichan.vn", publicURL: "https://hoichan.vn"))
    #expect(!holds("http://hoichan.vn", authority: "x", publicURL: "https://hoichan.vn"))
    #expect(!holds("http://", authority: "", publicURL: nil))
  }
}

@Suite struct RedactedPathTests {
  @Test func hidesSecretsAndQueries() {
    #expect(RedactedPath.text("/api/v1/events?ticket=SECRET") == "/api/v1/events")
    #expect(RedactedPath.text("/track/SECRET.json") == "/track/…")
    #expect(RedactedPath.text("//track/SECRET/x") == "//track/…")
    #expect(RedactedPath.text("/api/v1/consults/1#x") == "/api/v1/consults/1")
    #expect(RedactedPath.text("/" + String(repeating: "a", count: 9_000)).count < 300)
  }
}

@Suite struct QueryStringTests {
  @Test func readsPairs() throws {
    let pairs = try QueryString.parse("q=Nguy%E1%BB%85n+V%C4%83n&empty=&flag&a=b=c")
    #expect(pairs.map(\.name) == ["q", "empty", "flag", "a"])
    #expect(pairs.map(\.value) == ["Nguyễn Văn", "", "", "b=c"])
  }

  @Test(arguments: ["q=%", "q=%4", "q=%zz", "q=%FF", "q=%00", "%C3=1", "q=%C0%AF"])
  func refuses(query: String) {
    #expect { try QueryString.parse(query) } throws: { ($0 as? Rejection)?.code == .malformed }
  }
}

@Suite struct EntityTagTests {
  @Test func tellsVersionsAndBodiesApart() {
    let tag = EntityTag.make(version: 3, body: Array("a".utf8))
    #expect(tag.hasPrefix("\"3-") && tag.hasSuffix("\""))
    #expect(tag != EntityTag.make(version: 3, body: Array("b".utf8)))
    #expect(tag != EntityTag.make(version: 4, body: Array("a".utf8)))
    #expect(EntityTag.matches("\"x\", W/\(tag)", tag))
    #expect(EntityTag.matches("*", tag))
    #expect(!EntityTag.matches("\"3\"", tag))
  }

  @Test(
    arguments: [
      (nil, nil), ("*", nil), ("\"3-abc\"", 3), ("\"3\"", 3), ("\"3-a\", \"5-b\"", 5), ("W/\"9-a\", \"3-b\"", 3),
    ] as [(String?, Int64?)])
  func readsIfMatch(header: String?, version: Int64?) {
    #expect(EntityTag.expectedVersion(header) == version)
  }

  @Test(arguments: ["", "3", "\"\"", "\"x\"", "W/\"3-a\"", "\"-3\""])
  func takesForeignTagsForNoVersion(header: String) {
    #expect(EntityTag.expectedVersion(header) == EntityTag.none)
  }
}
