import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct PageRoutesTests {
  private let pages: PageRoutes
  private let harness: Harness
  private let consult = "01890a5d-ac96-774b-bcce-b302099a8057"

  init() throws {
    var settings = ServerSettings()
    settings.isDemo = true
    pages = try PageRoutes(settings: settings)
    let callers = Dictionary(
      uniqueKeysWithValues: Role.allCases.map { ($0.rawValue, Caller.test($0, id: $0.rawValue)) })
    harness = Harness(
      pages.endpoints, settings: settings, errorPage: pages.errorPage,
      callers: callers.merging(["nobody": .test(.station, at: [], id: "<b>&\"")]) { known, _ in known })
  }

  private func path(_ page: Page) -> String {
    page.path.replacing("{id}", with: consult).replacing("{secret}", with: "abc")
  }

  @Test(arguments: Page.allCases, Language.allCases) func showsEachPageToItsOwnRole(page: Page, language: Language)
    async throws
  {
    let token = page == .signIn || page == .track ? nil : (page.role ?? .station).rawValue
    let called = try await harness.call(.get, path(page) + "?lang=\(language.rawValue)", token: token)
    #expect(called.status == 200)
    #expect(called[.contentType] == "text/html; charset=utf-8")
    #expect(called[.cacheControl] == "no-store")
    #expect(called[.contentSecurityPolicy]?.contains("default-src 'self'") == true)
    #expect(called[.setCookie]?.hasPrefix("lang=\(language.rawValue);") == true)
    #expect(called.text.contains("<html lang=\"\(language.rawValue)\">"))
    #expect(!called.text.contains("{{"))
    #expect(called.text.contains("/\(page.module)\"></script>"))
    #expect(called.text.contains("data-page=\"\(page.rawValue)\""))
  }

  /// Sent before its script came, a form would put what was typed into the address: a password, a patient's name.
  @Test(arguments: Page.allCases) func noFormIsSentByTheBrowser(page: Page) async throws {
    let token = page == .signIn || page == .track ? nil : (page.role ?? .station).rawValue
    let text = try await harness.call(.get, path(page), token: token).text
    for form in text.split(separator: "<form ").dropFirst() where !form.hasPrefix("method=\"dialog\"") {
      #expect(form.hasPrefix("method=\"post\""))
      let buttons = form.split(separator: "</form>")[0].split(separator: "<button ").dropFirst()
      let sending = buttons.compactMap { $0.split(separator: ">").first }.filter { !$0.contains("type=\"button\"") }
      #expect(sending.count == 1 && sending.allSatisfy { $0.contains(" disabled") || $0.hasPrefix("disabled") })
    }
  }

  @Test(arguments: Page.allCases) func leadsStrangersToTheSignIn(page: Page) async throws {
    let called = try await harness.call(.get, path(page))
    guard page != .signIn, page != .track else { return #expect(called.status == 200) }
    #expect(called.status == 303)
    #expect(called[.location] == "/sign-in?next=\(path(page))")
  }

  @Test(arguments: Page.allCases, Role.allCases) func refusesThePagesOfOthers(page: Page, role: Role) async throws {
    guard let owner = page.role, owner != role else { return }
    let called = try await harness.call(.get, path(page), token: role.rawValue, headers: [.acceptLanguage: "en"])
    #expect(called.status == 403)
    #expect(called.text.contains("data-testid=\"problem-title\">Not allowed"))
  }

  @Test(arguments: [
    ("station", "/station"), ("specialist", "/specialist"), ("dispatcher", "/dispatch"), ("crew", "/crew"),
    ("monitor", "/monitor"), ("admin", "/admin"), ("auditor", "/audit"),
  ])
  func theStartLeadsToOnesOwnPage(token: String, path: String) async throws {
    #expect(try await harness.call(.get, "/", token: token)[.location] == path)
    #expect(try await harness.call(.get, "/")[.location] == "/sign-in")
  }

  @Test func thePagesAreVietnameseUntilSomebodyChooses() async throws {
    func language(_ headers: HTTPFields) async throws -> Bool {
      try await harness.call(.get, "/sign-in", headers: headers).text.contains("<html lang=\"vi\">")
    }
    #expect(try await language([.acceptLanguage: "en-US,en"]))
    #expect(try await !language([.cookie: "lang=en"]))
    #expect(try await language([.cookie: "lang=xx"]))
  }

  @Test func whatAPersonIsCalledCannotBecomeMarkup() async throws {
    let page = try await harness.call(.get, "/station", token: "nobody").text
    #expect(!page.contains("<b>&"))
    #expect(page.contains("Người &lt;b&gt;&amp;&quot;"))
  }

  @Test func theWayBackAfterSignInIsCarriedAsText() async throws {
    let page = try await harness.call(.get, "/sign-in?next=%22%3E%3Cscript%3E").text
    #expect(page.contains("data-next=\"&quot;&gt;&lt;script&gt;\""))
  }

  @Test func filesOfTheVersionAreKeptForEver() async throws {
    let page = try await harness.call(.get, "/sign-in").text
    let start = try #require(page.firstRange(of: "/assets/"))
    let version = page[start.upperBound...].prefix { $0 != "/" }
    let script = try await harness.call(.get, "/assets/\(version)/sign-in.js")
    #expect(script.status == 200)
    #expect(script[.contentType] == "text/javascript; charset=utf-8")
    #expect(script[.cacheControl] == "public, max-age=31536000, immutable")
    let tag = try #require(script[.eTag])
    let again = try await harness.call(.get, "/assets/\(version)/sign-in.js", headers: [.ifNoneMatch: tag])
    #expect(again.status == 304)
    #expect(again.bytes.isEmpty)
    #expect(try await harness.call(.get, "/assets/0000/sign-in.js")[.cacheControl] == "no-cache")
    #expect(try await harness.call(.get, "/assets/\(version)/texts.signIn.vi.js").text.contains("\"wrong\""))
    #expect(try await harness.call(.get, "/sw.js").text.contains(version))
  }

  @Test(arguments: [
    "/assets/x/none.js", "/assets/x/..%2F..%2Ftexts.json", "/assets/leaflet/..%2Fx", "/assets/x/sw.js",
    "/assets/leaflet/images/none.png", "/station/other",
  ])
  func whatIsNotThereIsNotFound(path: String) async throws {
    #expect(try await harness.call(.get, path, token: "station").status == 404)
  }

  @Test func filesGoOutCompressedToThoseWhoAskForIt() async throws {
    let plain = try await harness.call(.get, "/assets/x/style.css")
    #expect(plain[.contentEncoding] == nil)
    #expect(plain[.vary] == "Accept-Encoding")
    let packed = try await harness.call(.get, "/assets/x/style.css", headers: [.acceptEncoding: "gzip, br"])
    #expect(packed[.contentEncoding] == "gzip")
    #expect(packed[.contentType] == plain[.contentType])
    #expect(packed.bytes.count * 3 < plain.bytes.count)
    // Each form has its own tag, and is not mistaken for the other.
    let tag = try #require(packed[.eTag])
    #expect(tag != plain[.eTag])
    let known: HTTPFields = [.acceptEncoding: "gzip", .ifNoneMatch: tag]
    #expect(try await harness.call(.get, "/assets/x/style.css", headers: known).status == 304)
    #expect(try await harness.call(.get, "/assets/x/style.css", headers: [.ifNoneMatch: tag]).status == 200)
    // A picture is compressed already.
    let small = try await harness.call(.get, "/assets/x/icon.svg", headers: [.acceptEncoding: "gzip"])
    #expect(small[.contentEncoding] == nil)
  }

  /// A page and its scripts over 64 kbit/s: what a first visit costs. The map comes after, where there is one.
  @Test(arguments: Page.allCases) func aFirstVisitStaysSmall(page: Page) async throws {
    let token = page == .signIn || page == .track ? nil : (page.role ?? .station).rawValue
    let html = try await harness.call(.get, path(page), token: token).text
    let asks: HTTPFields = [.acceptEncoding: "gzip, deflate, br"]
    var total = try await harness.call(.get, path(page), token: token, headers: asks).bytes.count
    // What a page names twice, as its icon, is fetched once.
    for file in Set(html.matches(of: /(?:href|src)="(\/assets\/[^"]+)"/).map { String($0.output.1) }) {
      total += try await harness.call(.get, file, headers: asks).bytes.count
    }
    #expect(html.contains("/texts.\(page.rawValue).vi.js"))
    #expect(total < 34_000, "\(page): \(total)")
  }
}
