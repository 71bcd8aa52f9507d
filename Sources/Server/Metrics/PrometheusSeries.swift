import CoreMetrics
import Synchronization

/// One line, or one histogram, of the exposition.
protocol PrometheusSeries: AnyObject, Sendable {
  /// Appends this series' samples.
  func write(name: String, labels: String, to text: inout String)
}

final class CounterSeries: CounterHandler, PrometheusSeries {
  private let value = Atomic<Int64>(0)

  func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }
  func reset() { value.store(0, ordering: .relaxed) }
  func write(name: String, labels: String, to text: inout String) {
    PrometheusText.sample(name, labels, String(value.load(ordering: .relaxed)), to: &text)
  }
}

final class FloatingCounterSeries: FloatingPointCounterHandler, PrometheusSeries {
  private let value = Mutex(0.0)

  func increment(by amount: Double) { if amount > 0, amount.isFinite { value.withLock { $0 += amount } } }
  func reset() { value.withLock { $0 = 0 } }
  func write(name: String, labels: String, to text: inout String) {
    PrometheusText.sample(name, labels, PrometheusText.number(value.withLock { $0 }), to: &text)
  }
}

final class GaugeSeries: MeterHandler, RecorderHandler, PrometheusSeries {
  private let value = Mutex(0.0)

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { self.value.withLock { $0 = value } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }
  func write(name: String, labels: String, to text: inout String) {
    PrometheusText.sample(name, labels, PrometheusText.number(value.withLock { $0 }), to: &text)
  }
}

final class HistogramSeries: TimerHandler, RecorderHandler, PrometheusSeries {
  private struct State {
    var counts: [UInt64]
    var sum = 0.0
  }

  private let bounds: [Double]
  private let scale: Double
  private let state: Mutex<State>

  /// - Parameter scale: what a recorded number is multiplied by: timers are recorded in nanoseconds, shown in seconds.
  init(buckets: [Double], scale: Double) {
    bounds = buckets
    self.scale = scale
    state = Mutex(State(counts: Array(repeating: 0, count: buckets.count + 1)))
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration)) }
  func record(_ value: Int64) { record(Double(value)) }
  func record(_ value: Double) {
    let value = value * scale
    guard value.isFinite else { return }
    let index = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      state.counts[index] += 1
      state.sum += value
    }
  }

  func write(name: String, labels: String, to text: inout String) {
    let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
    var total: UInt64 = 0
    for (index, count) in counts.enumerated() {
      total += count
      let bound = index < bounds.count ? PrometheusText.number(bounds[index]) : "+Inf"
      let all = (labels.isEmpty ? "" : labels + ",") + "le=\"\(bound)\""
      PrometheusText.sample(name + "_bucket", all, String(total), to: &text)
    }
    PrometheusText.sample(name + "_sum", labels, PrometheusText.number(sum), to: &text)
    PrometheusText.sample(name + "_count", labels, String(total), to: &text)
  }
}
