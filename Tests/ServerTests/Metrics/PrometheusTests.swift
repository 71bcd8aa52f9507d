import CoreMetrics
import Testing

@testable import Server

@Suite struct PrometheusTests {
  @Test func rendersCounters() {
    let registry = PrometheusRegistry()
    registry.describe("http.requests", "Requests.")
    let counter = Counter(
      label: "http.requests", dimensions: [("status", "200"), ("route", "/a\"b\\c\n")], factory: registry)
    counter.increment(by: 2)
    Counter(label: "http.requests", dimensions: [("route", "/a\"b\\c\n"), ("status", "200")], factory: registry)
      .increment()
    let expected = """
      # HELP hoichan_http_requests_total Requests.
      # TYPE hoichan_http_requests_total counter
      hoichan_http_requests_total{route="/a\\"b\\\\c\\n",status="200"} 3

      """
    #expect(registry.text.hasPrefix(expected))
  }

  @Test func rendersTimersAsHistogramsInSeconds() {
    let registry = PrometheusRegistry(buckets: [0.1, 1])
    let timer = Timer(label: "db.wait", factory: registry)
    timer.recordMilliseconds(50)
    timer.recordMilliseconds(100)
    timer.recordMilliseconds(500)
    timer.recordMilliseconds(2_000)
    let expected = """
      # HELP hoichan_db_wait_seconds hoichan db wait seconds
      # TYPE hoichan_db_wait_seconds histogram
      hoichan_db_wait_seconds_bucket{le="0.1"} 2
      hoichan_db_wait_seconds_bucket{le="1"} 3
      hoichan_db_wait_seconds_bucket{le="+Inf"} 4
      hoichan_db_wait_seconds_sum 2.65
      hoichan_db_wait_seconds_count 4

      """
    #expect(registry.text.hasPrefix(expected))
  }

  @Test func rendersGauges() {
    let registry = PrometheusRegistry(prefix: "")
    let gauge = Gauge(label: "sockets.open", factory: registry)
    gauge.record(7)
    let meter = Meter(label: "queue.length", factory: registry)
    meter.increment(by: 3)
    meter.decrement(by: 1)
    #expect(registry.text.contains("# TYPE sockets_open gauge\nsockets_open 7\n"))
    #expect(registry.text.contains("# TYPE queue_length gauge\nqueue_length 2\n"))
  }

  @Test func countsRequestsByStatus() {
    let registry = PrometheusRegistry()
    let metrics = RequestMetrics(method: "GET", route: "/livez", factory: registry)
    metrics.record(status: 200, took: 1_000)
    metrics.record(status: 200, took: 1_000)
    metrics.record(status: 503, took: 1_000)
    let text = registry.text
    #expect(text.contains(#"hoichan_http_requests_total{method="GET",route="/livez",status="200"} 2"#))
    #expect(text.contains(#"hoichan_http_requests_total{method="GET",route="/livez",status="503"} 1"#))
    #expect(text.contains(#"hoichan_http_request_duration_seconds_count{method="GET",route="/livez"} 3"#))
  }

  @Test func keepsABoundedNumberOfSeries() {
    let registry = PrometheusRegistry()
    for index in 0..<(PrometheusRegistry.limit + 5) {
      Counter(label: "c", dimensions: [("i", String(index))], factory: registry).increment()
    }
    #expect(registry.text.contains("hoichan_metrics_series_dropped_total 5\n"))
  }

  @Test func tellsAClashOfKindsApart() {
    let registry = PrometheusRegistry()
    let gauge = Gauge(label: "x", factory: registry)
    gauge.record(1)
    _ = Recorder(label: "x", factory: registry)
    #expect(registry.text.contains("# TYPE hoichan_x gauge\nhoichan_x 1\n"))
    #expect(registry.text.contains("hoichan_metrics_series_dropped_total 1\n"))
  }

  @Test func knowsTheProcess() {
    #expect(ProcessMetrics.text.contains("process_resident_memory_bytes "))
    #expect(ProcessMetrics.text.contains("process_open_fds "))
    #expect(ProcessMetrics.text.contains("process_cpu_seconds_total "))
  }
}
