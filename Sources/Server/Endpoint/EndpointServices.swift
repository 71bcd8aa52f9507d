package import CoreMetrics
package import Domain
package import HTTPTypes

/// What every endpoint needs beside its own declaration.
package struct EndpointServices: Sendable {
  /// Who a token belongs to; throws `unauthenticated` when it is unknown, ended or revoked.
  package typealias Authenticate = @Sendable (String) async throws -> Caller
  /// A refusal as a page: status, title, detail, language.
  package typealias ErrorPage = @Sendable (HTTPResponse.Status, String, String, Language) -> String

  package var settings: ServerSettings
  package var authenticate: Authenticate
  package var requests: Throttle<UInt64>
  package var metrics: any MetricsFactory
  package var errorPage: ErrorPage?
  let idempotency = Idempotency()

  package init(
    settings: ServerSettings, metrics: any MetricsFactory, errorPage: ErrorPage? = nil,
    authenticate: @escaping Authenticate
  ) {
    self.settings = settings
    self.authenticate = authenticate
    requests = Throttle(settings.requestRate, entries: settings.throttleEntries)
    self.metrics = metrics
    self.errorPage = errorPage
  }
}
