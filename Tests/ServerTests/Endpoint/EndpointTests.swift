import Coordinator
import Domain
import HTTPTypes
import Hummingbird
import Testing

@testable import Server

private let body = Schema.object {
  Schema.Member.required("name", .text(20))
  Schema.Member.optional("size", .integer(1...9))
}

private struct Broken: Error {}

private let id = "01890a5d-ac96-774b-bcce-b302099a8057"

private let endpoints = [
  Endpoint(
    .get, "/things/{id}", "readThing", .operations, "Reads.", answers: [.json(.ok, .any, "It.")], options: .etag
  ) { request in .json(["id": .string(request["id"])], version: 3) },
  Endpoint(
    .post, "/things", "makeThing", .operations, "Makes.", body: body, answers: [.json(.created, .any, "It.")],
    options: .idempotent
  ) { request in
    .json(["name": request.body["name"] ?? .null], .created, location: "/things/1")
  },
  Endpoint(
    .patch, "/things/{id}", "changeThing", .operations, "Changes.", body: body, answers: [.json(.ok, .any, "It.")],
    options: [.ifMatch, .etag]
  ) { request in
    try request.call.check(version: 3)
    return .json(["version": 4], version: 4)
  },
  Endpoint(
    .get, "/search", "search", .operations, "Searches.", access: .open,
    query: [
      .search, .limit, QueryParameter("from", .dateTime), QueryParameter("types", .array(.string(1...9), 1...3)),
      QueryParameter("need", .boolean, required: true),
    ], answers: [.json(.ok, .any, "It.")]
  ) { request in
    .json([
      "q": .orNull(request.text("q")), "limit": .int(Int64(request.limit)), "from": .orNull(request.instant("from")),
      "types": .strings(request.list("types")),
    ])
  },
  Endpoint(.get, "/broken", "break", .operations, "Breaks.", access: .open, answers: []) { _ in throw Broken() },
  Endpoint(.get, "/admin", "administer", .operations, "For some.", access: .signedIn(.administer), answers: []) { _ in
    .noContent
  },
  Endpoint(.post, "/sign-in", "signIn", .operations, "Open.", access: .open, answers: []) { _ in .noContent },
  Endpoint(
    .get, "/track/{secret}.json", "track", .operations, "By secret.", access: .capability,
    parameters: ["secret": .string(1...20)], answers: []
  ) { request in .json(["secret": .string(request["secret"])]) },
  Endpoint(
    .get, "/page", "page", .pages, "A page.", answers: [], options: [.page, .undocumented]
  ) { _ in .html("<p>") },
]

private let harness = Harness(
  endpoints, errorPage: { status, title, _, language in "<h1>\(status.code) \(title) \(language)</h1>" },
  callers: ["t": .test(.station), "a": .test(.admin)])

@Suite struct EndpointTests {
  @Test func answers() async throws {
    let called = try await harness.call(.get, "/things/\(id.uppercased())", token: "t")
    #expect(called.status == 200)
    #expect(called.json == ["id": .string(id)])
    #expect(called[.contentType] == "application/json")
    #expect(called[.cacheControl] == "no-store")
    #expect(called[.xContentTypeOptions] == "nosniff")
  }

  @Test func creates() async throws {
    let called = try await harness.call(.post, "/things", token: "t", body: Array(#"{"name":"Tim","x":1}"#.utf8))
    #expect(called.status == 201)
    #expect(called[.location] == "/things/1")
    #expect(called.json == ["name": "Tim"])
  }

  @Test func answersHead() async throws {
    let called = try await harness.call(.head, "/things/\(id)", token: "t")
    #expect(called.status == 200)
    #expect(called.bytes.isEmpty)
    #expect(called[.contentLength] != "0")
  }

  // MARK: Who comes in

  @Test func wantsASignIn() async throws {
    for token in [nil, "unknown"] {
      let called = try await harness.call(.get, "/things/\(id)", token: token)
      #expect(called.status == 401 && called.code == "unauthenticated")
      #expect(called[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
    }
  }

  @Test func asksTheDomain() async throws {
    #expect(try await harness.call(.get, "/admin", token: "a").status == 204)
    let called = try await harness.call(.get, "/admin", token: "t")
    #expect(called.status == 403 && called.code == "forbidden")
  }

  @Test func wantsTheOriginOfACookiesWrite() async throws {
    let cookie: HTTPFields = [.cookie: "hoichan_session=t"]
    func post(_ origin: String?) async throws -> Int {
      var headers = cookie
      if let origin { headers[.origin] = origin }
      return try await harness.call(.post, "/things", headers: headers, body: Array(#"{"name":"a"}"#.utf8)).status
    }
    #expect(try await post("http://hoichan.test") == 201)
    #expect(try await post(nil) == 403)
    #expect(try await post("http://evil.test") == 403)
    #expect(try await harness.call(.get, "/things/\(id)", headers: cookie).status == 200)
  }

  @Test func refusesASignInFromAnotherSite() async throws {
    #expect(try await harness.call(.post, "/sign-in", headers: [.origin: "http://evil.test"]).status == 403)
    #expect(try await harness.call(.post, "/sign-in", headers: [.origin: "http://hoichan.test"]).status == 204)
    #expect(try await harness.call(.post, "/sign-in").status == 204)
  }

  @Test func takesASecret() async throws {
    #expect(try await harness.call(.get, "/track/abc.json").json == ["secret": "abc"])
    #expect(try await harness.call(.get, "/track/\(String(repeating: "a", count: 21)).json").status == 404)
  }

  @Test func throttlesAnAddress() async throws {
    var settings = ServerSettings()
    settings.requestRate = .init(perSecond: 0.00001, burst: 2)
    var throttled = Harness(endpoints, settings: settings)
    for _ in 0..<2 { #expect(try await throttled.call(.post, "/sign-in").status == 204) }
    let called = try await throttled.call(.post, "/sign-in")
    #expect(called.status == 429 && called.code == "too-many")
    #expect((90_000...100_000).contains(Int(called[.retryAfter] ?? "") ?? 0))
    #expect(try await throttled.call(.get, "/nowhere").status == 429)
    throttled.peer = "203.0.113.6"
    #expect(try await throttled.call(.post, "/sign-in").status == 204)
  }

  // MARK: What is not there

  @Test(
    arguments: [
      "/nowhere", "/things/x", "/things/\(id)/more", "/things/%zz", "/things/%00", "/../etc/passwd", "/things/..",
      "/track/", "/",
    ])
  func isNotFound(path: String) async throws {
    let called = try await harness.call(.get, path, token: "t")
    #expect(called.status == 404 || called.status == 405)
    #expect(called[.contentType] == "application/problem+json")
  }

  @Test func tellsTheMethods() async throws {
    let called = try await harness.call(.delete, "/things/\(id)", token: "t")
    #expect(called.status == 405 && called.code == "method-not-allowed")
    #expect(called[.allow] == "GET, HEAD, PATCH")
    #expect(try await harness.call(.options, "/things")[.allow] == "POST")
    #expect(try await harness.call(.post, "/track/abc.json")[.allow] == "GET, HEAD")
    #expect(try await harness.call(.init("PURGE")!, "/things").status == 405)
  }

  // MARK: Bodies

  @Test(
    arguments: [
      (#"{"name":"a""#, "application/json", 400, "malformed"),
      ("", "application/json", 400, "malformed"),
      ("{\"name\":\"\u{0}\"}", "application/json", 400, "malformed"),
      (#"{"name":"\u0000"}"#, "application/json", 400, "malformed"),
      (#"{"name":"a","name":"b"}"#, "application/json", 400, "malformed"),
      (#"{"name":"a"}"#, "text/plain", 415, "unsupported-media-type"),
      (#"{"name":"a"}"#, "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
      (#"{"name":"a"}"#, "application/json; charset=latin1", 415, "unsupported-media-type"),
      (#"{"name":"a"}"#, "application/json;charset=UTF-8", 201, nil),
      (#"{"name":5,"size":"x"}"#, "application/json", 422, "invalid"),
      ("[]", "application/json", 422, "invalid"),
      ("null", "application/json", 422, "invalid"),
    ] as [(String, String, Int, String?)])
  func reads(text: String, type: String, status: Int, code: String?) async throws {
    let called = try await harness.call(
      .post, "/things", token: "t", headers: [.contentType: type], body: Array(text.utf8))
    #expect(called.status == status && called.code == code)
  }

  @Test func tellsWhereABodyBreaks() async throws {
    let called = try await harness.call(.post, "/things", token: "t", body: Array(#"{"name" 1}"#.utf8))
    #expect(called.json["offset"] == 8)
    let broken = try await harness.call(
      .post, "/things", token: "t", body: Array(#"{"name":""#.utf8) + [0xFF, 0x22, 0x7D])
    #expect(broken.status == 400 && broken.code == "malformed")
  }

  @Test func tellsEveryFault() async throws {
    let called = try await harness.call(.post, "/things", token: "t", body: Array(#"{"size":10}"#.utf8))
    #expect(called.pointers == ["/name", "/size"])
  }

  @Test func boundsBodies() async throws {
    let large = Array(#"{"name":"a","x":"\#(String(repeating: "x", count: Limits.bodyBytes))"}"#.utf8)
    let called = try await harness.call(.post, "/things", token: "t", body: large)
    #expect(called.status == 413 && called.code == "too-large" && called[.connection] == "close")
    let announced = try await harness.call(.post, "/sign-in", headers: [.contentLength: "999999999999"])
    #expect(announced.status == 413, "also where no body is expected")
    let stranger = try await harness.call(.post, "/things", headers: [.contentLength: "300000"])
    #expect(stranger.status == 401 && stranger[.connection] == "close", "what is not read ends the connection")
  }

  @Test(arguments: [("", 204), ("{}", 204), ("[1]", 204), ("{", 400)])
  func takesAnyDocumentWhereNoneIsNeeded(text: String, status: Int) async throws {
    #expect(try await harness.call(.post, "/sign-in", body: Array(text.utf8)).status == status)
  }

  @Test func refusesCompressedBodies() async throws {
    let called = try await harness.call(
      .post, "/things", token: "t", headers: [.contentEncoding: "gzip"], body: Array(#"{"name":"a"}"#.utf8))
    #expect(called.status == 415)
  }

  // MARK: Queries

  @Test func readsQueries() async throws {
    let called = try await harness.call(
      .get, "/search?need=true&q=Tr%E1%BA%A1m+y&limit=7&from=2026-11-21T08:30:00+07:00&types=a,b&other=1")
    #expect(
      called.json == [
        "q": "Trạm y", "limit": 7, "from": "2026-11-21T08:30:00+07:00", "types": ["a", "b"],
      ])
  }

  @Test(
    arguments: [
      ("", "need", "required"), ("need=1", "need", "type"), ("need=true&limit=0", "limit", "range"),
      ("need=true&limit=501", "limit", "range"), ("need=true&limit=x", "limit", "type"),
      ("need=true&limit=", "limit", "type"), ("need=true&limit=%2B5", "limit", "type"),
      ("need=true&limit=5&limit=6", "limit", "duplicate"), ("need=true&from=tomorrow", "from", "format"),
      ("need=true&types=", "types/0", "length"), ("need=true&types=a,b,c,d", "types", "count"),
    ])
  func refusesQueries(query: String, pointer: String, code: String) async throws {
    let called = try await harness.call(.get, "/search?" + query)
    #expect(called.status == 422 && called.code == "invalid")
    #expect(called.pointers == [pointer])
    #expect(called.json["errors"]?.array?.first?["code"] == .string(code))
  }

  @Test func refusesBrokenEscapes() async throws {
    let called = try await harness.call(.get, "/search?need=true&q=%E1%BA")
    #expect(called.status == 400 && called.code == "malformed")
  }

  // MARK: Conditions and keys

  @Test func honoursIfNoneMatch() async throws {
    let tag = try #require(try await harness.call(.get, "/things/\(id)", token: "t")[.eTag])
    let same = try await harness.call(.get, "/things/\(id)", token: "t", headers: [.ifNoneMatch: tag])
    #expect(same.status == 304 && same.bytes.isEmpty && same[.eTag] == tag)
    #expect(try await harness.call(.get, "/things/\(id)", token: "t", headers: [.ifNoneMatch: "\"3\""]).status == 200)
  }

  @Test func honoursIfMatch() async throws {
    func patch(_ tag: String) async throws -> Int {
      try await harness.call(
        .patch, "/things/\(id)", token: "t", headers: [.ifMatch: tag], body: Array(#"{"name":"a"}"#.utf8)
      ).status
    }
    #expect(try await patch("\"3-abc\"") == 200)
    #expect(try await patch("*") == 200)
    #expect(try await patch("\"2-abc\"") == 412)
    #expect(try await patch("rubbish") == 412)
  }

  @Test func refusesBadIdempotencyKeys() async throws {
    for key in ["", String(repeating: "k", count: 201), "a b", "khóa"] {
      let called = try await harness.call(
        .post, "/things", token: "t", headers: [.idempotencyKey: key], body: Array(#"{"name":"a"}"#.utf8))
      #expect(called.status == 422 && called.pointers == ["Idempotency-Key"])
    }
  }

  // MARK: Faults and pages

  @Test func showsNothingOfAFault() async throws {
    let called = try await harness.call(.get, "/broken")
    #expect(called.status == 500)
    #expect(called.json["requestId"] == "request-1")
    #expect(!called.text.contains("Broken"))
  }

  @Test func leadsAPageToTheSignIn() async throws {
    let called = try await harness.call(.get, "/page?x=1")
    #expect(called.status == 303)
    #expect(called[.location] == "/sign-in?next=/page")
  }

  @Test func showsPagesToPeople() async throws {
    let page = try await harness.call(.get, "/page", token: "t")
    #expect(page.status == 200 && page[.contentType] == "text/html; charset=utf-8")
    #expect(page[.contentSecurityPolicy]?.contains("default-src 'self'") == true)
    let lost = try await harness.call(.get, "/nowhere", headers: [.accept: "text/html,*/*", .cookie: "lang=en"])
    #expect(lost.status == 404 && lost.text == "<h1>404 Not found en</h1>")
  }

  @Test func logsNoSecrets() async throws {
    let logged = Harness(endpoints, callers: ["t": .test(.station)])
    _ = try await logged.call(.get, "/track/SECRET.json")
    _ = try await logged.call(.get, "/track/SECRET")
    _ = try await logged.call(.get, "/search?need=true&q=SECRET&ticket=SECRET")
    _ = try await logged.call(.get, "/search?q=SECRET")
    _ = try await logged.call(.get, "/things/\(id)", token: "SECRET", headers: [.cookie: "hoichan_session=SECRET"])
    #expect(logged.log.lines.count == 5)
    #expect(!logged.log.lines.contains { $0.contains("SECRET") })
    #expect(logged.log.lines[0].contains("route=/track/{secret}.json status=200"))
  }

  @Test func counts() async throws {
    let counted = Harness(endpoints)
    _ = try await counted.call(.get, "/broken")
    _ = try await counted.call(.get, "/nowhere/secret")
    let text = counted.registry.text
    #expect(text.contains(#"hoichan_http_requests_total{method="GET",route="/broken",status="500"} 1"#))
    #expect(text.contains(#"hoichan_http_requests_total{method="any",route="unmatched",status="404"} 1"#))
  }
}
