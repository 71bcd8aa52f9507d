import Domain
import HTTPTypes
import Testing

@testable import Server

@Suite struct ProblemTests {
  /// CONTRACT "HTTP", code by code.
  static let contract: [(Rejection.Code, Int)] = [
    (.malformed, 400), (.unauthenticated, 401), (.forbidden, 403), (.notFound, 404), (.methodNotAllowed, 405),
    (.slotTaken, 409), (.illegalTransition, 409), (.idTaken, 409), (.idempotencyInProgress, 409), (.cursorGap, 410),
    (.linkEnded, 410), (.preconditionFailed, 412), (.tooLarge, 413), (.unsupportedMediaType, 415), (.invalid, 422),
    (.outsideSchedule, 422), (.idempotencyKeyReused, 422), (.upgradeRequired, 426), (.tooMany, 429),
    (.unavailable, 503),
  ]

  @Test(arguments: contract) func hasItsStatus(code: Rejection.Code, status: Int) {
    let problem = Problem(Rejection(code, "So."), language: .vi)
    #expect(problem.status.code == status)
    #expect(problem.document["status"] == .int(Int64(status)))
    #expect(problem.document["code"] == .string(code.rawValue))
    #expect(problem.document["detail"] == "So.")
    #expect(problem.headers[.contentType] == "application/problem+json")
  }

  @Test func coversEveryCode() {
    #expect(Set(Self.contract.map(\.0)) == Set(Rejection.Code.allCases))
  }

  @Test(arguments: Rejection.Code.allCases) func speaksBothLanguages(code: Rejection.Code) {
    #expect(!code.title(.vi).isEmpty)
    #expect(code.title(.vi) != code.title(.en))
  }

  @Test(arguments: Rejection.Code.allCases) func fitsItsOwnSchema(code: Rejection.Code) {
    let rejection = Rejection(code, "So.", fields: [.init("/a", "type", "No.")], extra: .init([("state", "x")]))
    #expect(Problem.schema.check(Problem(rejection, language: .en).document).isEmpty)
  }

  @Test func listsFaultsAndExtraMembers() {
    let rejection = Rejection(
      .invalid, "Bad.", fields: [.init("/a/0", "type", "No.")],
      extra: .init([("alternatives", [1]), ("code", "mine")]))
    let document = Problem(rejection, language: .en).document
    #expect(document["errors"] == [["pointer": "/a/0", "code": "type", "detail": "No."]])
    #expect(document["alternatives"] == [1])
    #expect(document["code"] == "invalid", "an extra member never hides one of the document's own")
  }

  @Test func tellsWhenToComeBack() {
    #expect(Problem(Rejection(.tooMany, "", retryAfter: 7), language: .vi).headers[.retryAfter] == "7")
    #expect(Problem(Rejection(.unavailable, ""), language: .vi).headers[.retryAfter] == "1")
    #expect(Problem(Rejection(.slotTaken, ""), language: .vi).headers[.retryAfter] == nil)
  }

  @Test func challengesTheUnauthenticated() {
    #expect(Problem(.unauthenticated, language: .vi).headers[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
    #expect(Problem(.forbidden, language: .vi).headers[.wwwAuthenticate] == nil)
  }

  @Test func showsNothingOfAFault() {
    let problem = Problem(faultIn: "abc", language: .vi)
    #expect(problem.status == .internalServerError)
    #expect(problem.document["requestId"] == "abc")
    #expect(Problem.schema.check(problem.document).isEmpty)
  }
}
