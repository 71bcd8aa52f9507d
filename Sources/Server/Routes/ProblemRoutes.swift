import Domain
import HTTPTypes

/// What the `type` of a problem document leads to: the code in words, for whoever writes a client.
struct ProblemRoutes: Sendable {
  var endpoints: [Endpoint] {
    let codes = Rejection.Code.allCases.map(\.rawValue) + ["internal"]
    return [
      Endpoint(
        .get, "/problems/{code}", "explainProblem", .operations, "What a problem's code means.", access: .open,
        parameters: ["code": .choice(codes)], answers: [], options: .undocumented
      ) { request in
        guard let code = Rejection.Code(rawValue: request["code"]) else {
          return .text("internal (500): Máy chủ gặp lỗi. / The server made a mistake.\n", type: Self.type)
        }
        let words = "\(code.title(.vi)). / \(code.title(.en))."
        return .text("\(code.rawValue) (\(code.status.code)): \(words)\n", type: Self.type)
      }
    ]
  }

  private static let type = "text/plain; charset=utf-8"
}
