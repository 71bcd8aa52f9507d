import Domain
import HTTPTypes
package import Hummingbird
import Logging
import NIOCore

/// Runs one endpoint: admits, decodes, calls the handler, encodes; measures and logs; turns every refusal into a
/// problem document. The order is the order in which a stranger may learn things.
package struct EndpointResponder: HTTPResponder {
  package typealias Context = AppContext

  let endpoint: Endpoint
  let services: EndpointServices
  let metrics: RequestMetrics
  let headers: HTTPFields

  package init(_ endpoint: Endpoint, _ services: EndpointServices) {
    self.endpoint = endpoint
    self.services = services
    metrics = RequestMetrics(method: endpoint.method.rawValue, route: endpoint.path, factory: services.metrics)
    headers = SecurityHeaders.make(endpoint, services.settings)
  }

  package func respond(to request: Request, context: AppContext) async throws -> Response {
    let started = NIODeadline.now()
    let peer = ClientAddress(context.channel.remoteAddress)
    let client = ClientAddress.client(
      peer: peer, headers: request.headers, trusted: services.settings.trustedProxies)
    var response: Response
    do {
      response = encode(try await answer(request, context, peer: peer, client: client), to: request)
    } catch let error as BrokenBody {
      throw error.cause  // the connection is lost or speaks no HTTP: nobody can be answered
    } catch {
      response = refuse(error, request, context)
    }
    finish(request, context, &response, client: client, took: NIODeadline.now() - started)
    return response
  }

  private func answer(
    _ request: Request, _ context: AppContext, peer: ClientAddress, client: ClientAddress
  ) async throws -> EndpointResponse {
    if !endpoint.options.contains(.unthrottled), let wait = services.requests.take(client.throttleKey) {
      throw Rejection(.tooMany, "Too many requests from this address.", retryAfter: wait)
    }
    let (caller, credential) = try await admit(request, peer: peer)
    let parameters = try endpoint.decodeParameters(context.parameters)
    let query = try endpoint.decodeQuery(request.uri.query)
    let (body, bytes) = try await endpoint.decodeBody(request)
    var decoded = EndpointRequest(
      raw: request, context: context, signedIn: caller, client: client, credential: credential,
      parameters: parameters, query: query, body: body, bodyBytes: bytes, settings: services.settings)
    guard endpoint.options.contains(.idempotent), let caller,
      let idempotency = try Idempotency.read(
        request.headers, caller: caller, method: request.method, path: request.uri.path, body: bytes)
    else { return try await endpoint.handler(decoded) }
    decoded.idempotency = idempotency
    return try await services.idempotency.run(idempotency) { [decoded] in try await endpoint.handler(decoded) }
  }

  /// Who asks, if the endpoint lets them in.
  private func admit(_ request: Request, peer: ClientAddress) async throws -> (Caller?, Credential?) {
    switch endpoint.access {
    case .capability: return (nil, nil)
    case .open:
      // Another site must not sign its visitor in here as somebody else.
      if endpoint.isWrite, request.headers.contains(.origin) { try requireSameOrigin(request) }
      return (nil, nil)
    case .optional:
      guard let credential = Credential(request.headers) else { return (nil, nil) }
      do { return (try await services.authenticate(credential.token), credential) } catch let rejection as Rejection
        where rejection.code == .unauthenticated
      { return (nil, nil) }
    case .socket:
      let isSocket = SocketUpgrade.isAsked(request.headers)
      if isSocket, request.uri.query?.contains("ticket=") == true { return (nil, nil) }
      let (caller, credential) = try await signIn(request)
      // A browser sends the cookie with any site's socket: only our own pages may open one with it.
      if isSocket, credential.source == .cookie { try requireSameOrigin(request) }
      return (caller, credential)
    case .loopbackOrToken:
      if ClientAddress.isLocal(peer: peer, headers: request.headers) { return (nil, nil) }
      return try await signIn(request)
    case .signedIn(let action):
      let (caller, credential) = try await signIn(request)
      if endpoint.isWrite, credential.source == .cookie { try requireSameOrigin(request) }
      if let action { try caller.require(action) }
      return (caller, credential)
    }
  }

  private func signIn(_ request: Request) async throws -> (Caller, Credential) {
    guard let credential = Credential(request.headers) else { throw Rejection.unauthenticated }
    return (try await services.authenticate(credential.token), credential)
  }

  private func requireSameOrigin(_ request: Request) throws(Rejection) {
    guard
      SameOrigin.holds(
        request, publicURL: services.settings.publicURL, isSecure: services.settings.isSecure)
    else {
      throw Rejection(.forbidden, "A change with a session cookie must come from this site's own pages (Origin).")
    }
  }

  private func encode(_ answer: EndpointResponse, to request: Request) -> Response {
    var fields = headers
    // Compared one by one: looking a name up makes an index of the fields, for every answer anew.
    for field in answer.headers where fields.contains(where: { $0.name == field.name }) { fields[field.name] = nil }
    fields.append(contentsOf: answer.headers)
    switch answer.body {
    case .none: return Response(status: answer.status, headers: fields)
    case .stream(let body): return Response(status: answer.status, headers: fields, body: body)
    case .bytes(let bytes):
      if endpoint.options.contains(.etag), let version = answer.version {
        let tag = EntityTag.make(version: version, body: bytes)
        fields[.eTag] = tag
        if !endpoint.isWrite, answer.status == .ok, let known = request.headers[.ifNoneMatch],
          EntityTag.matches(known, tag)
        {
          fields[.contentType] = nil
          return Response(status: .notModified, headers: fields)
        }
      }
      let sent = Gzip.pack(bytes, &fields, for: request.headers) ?? bytes
      return Response(status: answer.status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: sent)))
    }
  }

  private func refuse(_ error: any Error, _ request: Request, _ context: AppContext) -> Response {
    Refusal(error, request, context).response(
      headers: headers, asPage: endpoint.options.contains(.page) ? services.errorPage : nil)
  }

  private func finish(
    _ request: Request, _ context: AppContext, _ response: inout Response, client: ClientAddress, took: TimeAmount
  ) {
    metrics.record(status: response.status.code, took: took.nanoseconds)
    let code = response.status.code
    let level: Logger.Level = code >= 500 ? .error : code >= 400 ? .info : .debug
    // Asked first: the metadata of a request that nobody logs must cost nothing.
    guard context.logger.logLevel <= level else { return }
    context.logger.log(
      level: level, "request",
      metadata: [
        "method": "\(request.method.rawValue)", "route": "\(endpoint.path)",
        "path": "\(RedactedPath.text(request.uri.path))", "status": "\(code)", "client": "\(client.text)",
        "ms": "\(took.nanoseconds / 1_000_000)",
      ])
  }
}

/// The body could not be read because the connection failed.
struct BrokenBody: Error {
  let cause: any Error
}
