package import CoreMetrics
import Synchronization

/// Our own `MetricsFactory`: keeps every counter, gauge and histogram, and writes them in Prometheus' text format.
///
/// Names: `http.requests` becomes `hoichan_http_requests_total`; a timer is a histogram in seconds; a recorder that
/// does not aggregate is a gauge. Text for HELP comes from `describe`.
package final class PrometheusRegistry: MetricsFactory, Sendable {
  /// Series beyond this are not kept: a label whose values never end must not eat the machine.
  package static let limit = 10_000

  struct Family: Sendable {
    let kind: Kind
    var series: [String: any PrometheusSeries] = [:]
  }

  enum Kind: String, Sendable { case counter, gauge, histogram }

  struct State: Sendable {
    var families: [String: Family] = [:]
    var help: [String: String] = [:]
    var count = 0
    var dropped: Int64 = 0
  }

  let state = Mutex(State())
  private let prefix: String
  private let buckets: [Double]

  /// - Parameter buckets: upper bounds of every histogram, in seconds.
  package init(
    prefix: String = "hoichan",
    buckets: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
  ) {
    self.prefix = prefix
    self.buckets = buckets
  }

  /// What a metric means, for HELP.
  package func describe(_ label: String, _ help: String) {
    let stem = stem(label)
    state.withLock { $0.help[stem] = help }
  }

  package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    series(suffixed(label, "_total"), .counter, dimensions) { CounterSeries() }
  }

  package func makeFloatingPointCounter(
    label: String, dimensions: [(String, String)]
  ) -> any FloatingPointCounterHandler {
    series(suffixed(label, "_total"), .counter, dimensions) { FloatingCounterSeries() }
  }

  package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    series(stem(label), .gauge, dimensions) { GaugeSeries() }
  }

  package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    if aggregate {
      series(stem(label), .histogram, dimensions) { [buckets] in HistogramSeries(buckets: buckets, scale: 1) }
    } else {
      series(stem(label), .gauge, dimensions) { GaugeSeries() }
    }
  }

  package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    series(suffixed(label, "_seconds"), .histogram, dimensions) { [buckets] in
      HistogramSeries(buckets: buckets, scale: 1e-9)
    }
  }

  // Series stay when their handle goes: a counter that vanished and came back from 0 would be read as a restart.
  package func destroyCounter(_: any CounterHandler) {}
  package func destroyFloatingPointCounter(_: any FloatingPointCounterHandler) {}
  package func destroyMeter(_: any MeterHandler) {}
  package func destroyRecorder(_: any RecorderHandler) {}
  package func destroyTimer(_: any TimerHandler) {}

  /// The series of that name and labels; a new one is kept while there is room and the name means one kind only.
  private func series<Series: PrometheusSeries>(
    _ name: String, _ kind: Kind, _ dimensions: [(String, String)], _ make: () -> Series
  ) -> Series {
    let labels = PrometheusText.labels(dimensions)
    return state.withLock { state in
      if let known = state.families[name]?.series[labels] as? Series { return known }
      let new = make()
      if state.count < Self.limit, state.families[name].map({ $0.kind == kind && $0.series[labels] == nil }) ?? true {
        state.families[name, default: Family(kind: kind)].series[labels] = new
        state.count += 1
      } else {
        state.dropped += 1
      }
      return new
    }
  }

  func stem(_ label: String) -> String { PrometheusText.name(prefix.isEmpty ? label : prefix + "_" + label) }

  private func suffixed(_ label: String, _ suffix: String) -> String {
    let name = stem(label)
    return name.hasSuffix(suffix) ? name : name + suffix
  }
}
