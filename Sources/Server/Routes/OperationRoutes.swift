import Coordinator
import Domain
import HTTPTypes
import Logging

/// Health, metrics and the description of the API.
package struct OperationRoutes: Sendable {
  /// What must work before requests are sent here; each says its name and throws when it does not.
  package typealias Check = (name: String, run: @Sendable () async throws -> Void)

  let checks: [Check]
  let registry: PrometheusRegistry

  package init(checks: [Check], registry: PrometheusRegistry) {
    self.checks = checks
    self.registry = registry
  }

  package var endpoints: [Endpoint] {
    let status = Schema.object { Schema.Member.required("status", .choice(["ok"])) }
    return [
      Endpoint(
        .get, "/livez", "isAlive", .operations, "The process runs.", access: .open,
        answers: [.json(.ok, status, "It runs.")], options: .unthrottled
      ) { _ in .json(["status": "ok"]) },
      Endpoint(
        .get, "/readyz", "isReady", .operations,
        "Requests can be served: the database answers, and keeps what is written.",
        access: .open, answers: [.json(.ok, status, "It is ready.")], rejections: [.unavailable], options: .unthrottled
      ) { [checks] request in
        for check in checks {
          do { try await check.run() } catch {
            request.logger.warning("not ready", metadata: ["check": "\(check.name)", "error": "\(error)"])
            // Whoever asks may be anybody: the reason stands in the log, and here only which kind it is.
            throw Rejection(.unavailable, "Not ready: \(check.name): \(Self.reason(error)).", retryAfter: 1)
          }
        }
        return .json(["status": "ok"])
      },
      Endpoint(
        .get, "/metrics", "readMetrics", .operations, "Counters and timings, in Prometheus' text format.",
        note: "Without sign-in from the machine itself; from elsewhere with a token.", access: .loopbackOrToken,
        answers: [.text("text/plain", "The metrics.")], options: .unthrottled
      ) { [registry] _ in .text(registry.text + ProcessMetrics.text, type: PrometheusText.contentType) },
    ]
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case let failure as StoreFailure: failure.kind.rawValue
    case let rejection as Rejection: rejection.detail
    default: "it failed"
    }
  }

  /// The description of the sockets, made once.
  package static func socketDescription(of endpoints: [Endpoint], version: String) -> Endpoint {
    let bytes = AsyncAPIDocument(endpoints, version: version).json.bytes
    return Endpoint(
      .get, "/asyncapi.json", "describeSockets", .operations, "The description of the sockets (AsyncAPI 3.0).",
      access: .open,
      answers: [.json(.ok, .object { Schema.Member.required("asyncapi", .string) }, "The description.")]
    ) { _ in .json(bytes: bytes) }
  }

  /// The description, made once; it describes itself too.
  package static func description(of endpoints: [Endpoint], version: String) -> Endpoint {
    func endpoint(_ bytes: [UInt8]) -> Endpoint {
      Endpoint(
        .get, "/openapi.json", "describe", .operations, "This description (OpenAPI 3.1).", access: .open,
        answers: [.json(.ok, .object { Schema.Member.required("openapi", .string) }, "The description.")]
      ) { _ in .json(bytes: bytes) }
    }
    return endpoint(OpenAPIDocument(endpoints + [endpoint([])], version: version).json.bytes)
  }
}
