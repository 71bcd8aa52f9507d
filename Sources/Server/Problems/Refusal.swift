import Coordinator
import Domain
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// An error on its way to whoever asked: a problem document, or a page for a person.
struct Refusal {
  let problem: Problem
  let language: Language
  let target: String
  let isSignInNeeded: Bool
  /// More of the body is on its way than will be read and dropped: the connection ends with this answer, and says so.
  let leavesBody: Bool

  init(_ error: any Error, _ request: Request, _ context: AppContext) {
    language = Language(query: request.uri.query, headers: request.headers)
    target = request.uri.path
    let announced = request.headers[.contentLength].flatMap(Int.init) ?? 0
    leavesBody = announced > Limits.bodyBytes || (error as? Rejection)?.code == .tooLarge
    switch error {
    case let rejection as Rejection:
      problem = Problem(rejection, language: language)
      isSignInNeeded = rejection.code == .unauthenticated
    case let failure as StoreFailure:
      context.logger.error("store failure", metadata: ["error": "\(failure)"])
      problem = Problem(Rejection(.unavailable, "The database can't answer now.", retryAfter: 2), language: language)
      isSignInNeeded = false
    case is CancellationError:
      let rejection = Rejection(.unavailable, "The server is shutting down.", retryAfter: 5)
      problem = Problem(rejection, language: language)
      isSignInNeeded = false
    default:
      context.logger.error("fault", metadata: ["error": "\(error)", "type": "\(type(of: error))"])
      problem = Problem(faultIn: context.requestId, language: language)
      isSignInNeeded = false
    }
  }

  func response(headers: HTTPFields, asPage errorPage: EndpointServices.ErrorPage?) -> Response {
    var fields = headers
    for field in problem.headers { fields[field.name] = field.value }
    if leavesBody { fields[.connection] = "close" }
    guard let errorPage else {
      return Response(
        status: problem.status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: problem.document.bytes)))
    }
    if isSignInNeeded {
      fields[.contentType] = nil
      fields[.location] = target == "/" ? "/sign-in" : "/sign-in?next=\(Percent.encode(target))"
      return Response(status: .seeOther, headers: fields)
    }
    fields[.contentType] = "text/html; charset=utf-8"
    let page = errorPage(
      problem.status, problem.document["title"]?.string ?? "", problem.document["detail"]?.string ?? "", language)
    return Response(status: problem.status, headers: fields, body: .init(byteBuffer: ByteBuffer(string: page)))
  }
}
