import Domain
import Foundation
import HTTPTypes
import HummingbirdCore

/// The pages and their files, as endpoints beside those of the API.
package struct PageRoutes: Sendable {
  private let texts: Texts
  private let templates: PageTemplates
  private let assets: PageAssets
  private let settings: ServerSettings

  /// - Throws: when a template, a word or a file is missing: then the server does not start.
  package init(settings: ServerSettings) throws {
    self.settings = settings
    let resources = Self.resources
    texts = try Texts(json: Array(try Data(contentsOf: resources.appendingPathComponent("texts.json"))))
    templates = try PageTemplates(
      folder: resources.appendingPathComponent("templates"), needed: Page.allCases.map(\.template) + ["problem"],
      texts: texts)
    assets = try PageAssets(
      folder: resources.appendingPathComponent("assets"), leafletFolder: settings.leafletFolder, texts: texts)
    if let lost = Page.allCases.first(where: { assets.files[$0.module] == nil }) {
      throw PageTemplates.Fault(description: "the script '\(lost.module)' is missing")
    }
  }

  /// Templates, words and files, beside the program.
  static let resources = Bundle.module.bundleURL.appendingPathComponent("Resources")

  /// Whether maps can be shown; without, the pages say so in their place.
  package var hasMaps: Bool { assets.leaflet["leaflet.esm.min.js"] != nil }

  package var endpoints: [Endpoint] { [start] + Page.allCases.map(endpoint) + files }

  /// A refusal as a page.
  package var errorPage: EndpointServices.ErrorPage {
    { status, title, _, language in
      let words = Self.words(status)
      let detail = texts.text("problem", words + "Detail", language) ?? title
      let heading = texts.text("problem", words, language) ?? title
      let page = PageValues(
        page: nil, title: heading, language: language, caller: nil, target: ("/", nil), id: "", texts: texts,
        assets: assets, isDemo: settings.isDemo, tiles: nil)
      let values = page.values.merging(["heading": heading, "detail": detail]) { _, new in new }
      // The template was checked at start; should it fail all the same, the bare words still say what is wrong.
      return (try? templates.render("problem", values)) ?? "<!doctype html><title>Hội Chẩn</title>"
    }
  }

  private static func words(_ status: HTTPResponse.Status) -> String {
    switch status {
    case .forbidden: "forbidden"
    case .notFound, .gone: "notFound"
    default: "failed"
    }
  }

  // MARK: Pages

  /// `/` leads everyone to their own page.
  private var start: Endpoint {
    Endpoint(
      .get, "/", "start", .pages, "The start.", access: .optional, answers: [], options: [.page, .undocumented]
    ) { request in
      guard let caller = request.signedIn else { return .redirect(to: "/sign-in") }
      guard let first = Page.menu(Set(caller.scopes.keys)).first else { throw Rejection.forbidden }
      return .redirect(to: first.path)
    }
  }

  private func endpoint(_ page: Page) -> Endpoint {
    Endpoint(
      .get, page.path, "page.\(page.rawValue)", .pages, "The page '\(page.rawValue)'.", access: access(page),
      parameters: page == .track ? ["secret": .string(1...Limits.shortText)] : [:], answers: [],
      options: [.page, .undocumented]
    ) { request in try respond(page, request) }
  }

  /// Vietnamese unless somebody chose otherwise here: many a browser in the country is set to English by nobody's will.
  private static func language(_ query: String?, _ headers: HTTPFields) -> Language {
    var chosen = headers
    chosen[.acceptLanguage] = nil
    return Language(query: query, headers: chosen)
  }

  private func access(_ page: Page) -> Endpoint.Access {
    switch page {
    case .signIn: .optional
    case .track: .capability
    default: .signedIn()
    }
  }

  private func respond(_ page: Page, _ request: EndpointRequest) throws -> EndpointResponse {
    if let role = page.role, !(try request.caller.has(role)) { throw Rejection.forbidden }
    let query = request.raw.uri.query
    let language = Self.language(query, request.headers)
    var values = PageValues(
      page: page, title: texts.text("title", page.rawValue, language) ?? "", language: language,
      caller: request.signedIn, target: (request.raw.uri.path, query),
      id: request.parameters.first { $0.name == "id" }?.value ?? "", texts: texts, assets: assets,
      isDemo: settings.isDemo, tiles: settings.tilesURL
    ).values
    values["next"] = query.flatMap { QueryString.value(of: "next", in: $0) } ?? ""
    var response = EndpointResponse.html(try templates.render(page.template, values))
    // A page shows who is signed in: it is nobody's to keep, but the service worker's on this very device.
    response.headers[.cacheControl] = "no-store"
    if let query, let asked = QueryString.value(of: "lang", in: query), asked == language.rawValue {
      let secure = settings.isSecure ? "; Secure" : ""
      response.headers[.setCookie] = "lang=\(asked); Path=/; SameSite=Lax; Max-Age=31536000\(secure)"
    }
    return response
  }

  // MARK: Files

  private var files: [Endpoint] {
    let name = Schema.string(1...100)
    return [
      Endpoint(
        .get, "/assets/{folder}/{file}", "file", .pages, "A page's file.", access: .open,
        parameters: ["folder": name, "file": name], answers: [], options: .undocumented
      ) { request in
        if request["folder"] == "leaflet" { return try file(assets.leaflet[request["file"]], request, "max-age=86400") }
        // A page from before an upgrade asks for its old version: it gets today's file, but may not keep it.
        let isCurrent = request["folder"] == assets.version
        return try file(
          assets.files[request["file"]], request, isCurrent ? "public, max-age=31536000, immutable" : "no-cache")
      },
      Endpoint(
        .get, "/assets/leaflet/images/{file}", "leafletImage", .pages, "One of Leaflet's images.", access: .open,
        parameters: ["file": name], answers: [], options: .undocumented
      ) { request in try file(assets.leaflet["images/" + request["file"]], request, "max-age=86400") },
      Endpoint(
        .get, "/sw.js", "serviceWorker", .pages, "What keeps pages for places without a link.", access: .open,
        answers: [], options: .undocumented
      ) { request in try file(assets.serviceWorker, request, "no-cache") },
    ]
  }

  private func file(_ file: PageAssets.File?, _ request: EndpointRequest, _ caching: String) throws -> EndpointResponse
  {
    guard let file else { throw Rejection.notFound }
    let packed = Gzip.isAccepted(request.headers[.acceptEncoding]) ? file.gzip : nil
    let tag = packed == nil ? file.tag : file.gzipTag
    var headers: HTTPFields = [.eTag: tag, .cacheControl: caching]
    if file.gzip != nil { headers[.vary] = "Accept-Encoding" }
    if let known = request.headers[.ifNoneMatch], EntityTag.matches(known, tag) {
      return EndpointResponse(.notModified, headers: headers)
    }
    headers[.contentType] = file.type
    if packed != nil { headers[.contentEncoding] = "gzip" }
    return EndpointResponse(.ok, headers: headers, body: .bytes(packed ?? file.bytes))
  }
}
