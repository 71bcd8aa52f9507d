import Domain
import HTTPTypes
package import Hummingbird
import Logging
import NIOCore

/// Answers what no route takes: 405 with `Allow` where the path exists for other methods, otherwise 404.
///
/// It is added to the router after every route, so that Hummingbird runs it for unmatched requests only.
package struct UnmatchedPaths: RouterMiddleware {
  package typealias Context = AppContext

  private let templates: [(segments: [Substring], methods: [String])]
  private let services: EndpointServices
  private let metrics: RequestMetrics
  private let headers: HTTPFields

  package init(_ endpoints: [Endpoint], _ services: EndpointServices) {
    var methods: [String: [String]] = [:]
    for endpoint in endpoints { methods[endpoint.path, default: []].append(endpoint.method.rawValue) }
    templates = methods.map { path, methods in
      (path.split(separator: "/"), (methods + (methods.contains("GET") ? ["HEAD"] : [])).sorted())
    }
    self.services = services
    metrics = RequestMetrics(method: "any", route: "unmatched", factory: services.metrics)
    headers = [.xContentTypeOptions: "nosniff", .cacheControl: "no-store", .referrerPolicy: "no-referrer"]
  }

  package func handle(
    _ request: Request, context: AppContext, next: (Request, AppContext) async throws -> Response
  ) async throws -> Response {
    let started = NIODeadline.now()
    let peer = ClientAddress(context.channel.remoteAddress)
    let client = ClientAddress.client(peer: peer, headers: request.headers, trusted: services.settings.trustedProxies)
    let isForPerson = request.headers[.accept]?.contains("text/html") ?? false
    var response = Refusal(reason(request, client), request, context)
      .response(headers: headers, asPage: isForPerson ? services.errorPage : nil)
    if response.status == .methodNotAllowed {
      response.headers[.allow] = methods(at: request.uri.path).joined(separator: ", ")
    }
    if request.method == .head { response = response.createHeadResponse() }
    metrics.record(status: response.status.code, took: (NIODeadline.now() - started).nanoseconds)
    context.logger.debug(
      "unmatched",
      metadata: [
        "method": "\(request.method.rawValue)", "path": "\(RedactedPath.text(request.uri.path))",
        "status": "\(response.status.code)", "client": "\(client.text)",
      ])
    return response
  }

  private func reason(_ request: Request, _ client: ClientAddress) -> Rejection {
    if let wait = services.requests.take(client.throttleKey) {
      return Rejection(.tooMany, "Too many requests from this address.", retryAfter: wait)
    }
    return methods(at: request.uri.path).isEmpty
      ? .notFound : Rejection(.methodNotAllowed, "This path does not take the method '\(request.method.rawValue)'.")
  }

  /// The methods of the routes whose template fits the path.
  package func methods(at path: String) -> [String] {
    let segments = path.split(separator: "/")
    let fitting = templates.filter { template in
      template.segments.count == segments.count && zip(template.segments, segments).allSatisfy(Self.fits)
    }
    return Array(Set(fitting.flatMap(\.methods))).sorted()
  }

  /// `{name}` takes any segment, `{name}.json` those with that end; other templates are literal.
  private static func fits(_ template: Substring, _ segment: Substring) -> Bool {
    guard template.first == "{", let end = template.firstIndex(of: "}") else { return template == segment }
    return segment.hasSuffix(template[template.index(after: end)...])
  }
}
