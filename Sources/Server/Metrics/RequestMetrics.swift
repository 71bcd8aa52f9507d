package import CoreMetrics
import Synchronization

/// Requests of one route: counted by status, timed together. Handles are made once a status, not once a request.
package final class RequestMetrics: Sendable {
  private let method: String
  private let route: String
  private let factory: any MetricsFactory
  private let duration: Timer
  private let counters = Mutex<[(status: Int, counter: Counter)]>([])

  package init(method: String, route: String, factory: any MetricsFactory) {
    self.method = method
    self.route = route
    self.factory = factory
    duration = Timer(
      label: "http.request.duration", dimensions: [("method", method), ("route", route)], factory: factory)
  }

  package func record(status: Int, took nanoseconds: Int64) {
    duration.recordNanoseconds(nanoseconds)
    counter(status).increment()
  }

  private func counter(_ status: Int) -> Counter {
    counters.withLock { counters in
      if let known = counters.first(where: { $0.status == status }) { return known.counter }
      let counter = Counter(
        label: "http.requests", dimensions: [("method", method), ("route", route), ("status", String(status))],
        factory: factory)
      counters.append((status, counter))
      return counter
    }
  }

  package static func describe(in registry: PrometheusRegistry) {
    registry.describe("http.requests", "Requests that were answered, by method, route and status.")
    registry.describe("http.request.duration", "Time from a request's head to its answer, without its transmission.")
  }
}
