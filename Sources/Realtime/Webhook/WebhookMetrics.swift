import Domain
import Metrics

/// What an operator sees of the webhooks: on the node that delivers; the others show 0.
package final class WebhookMetrics: Sendable {
  package static let descriptions: [(label: String, help: String)] = [
    ("webhook.deliveries", "Events that receivers took."),
    ("webhook.failures", "Attempts that receivers did not take."),
    ("webhook.active", "Webhooks that events are sent to."),
    ("webhook.failing", "Webhooks among them whose last attempt failed."),
    ("webhook.paused", "Webhooks that wait for somebody to resume them."),
  ]

  private let deliveries = Counter(label: "webhook.deliveries")
  private let failures = Counter(label: "webhook.failures")
  private let active = Gauge(label: "webhook.active")
  private let failing = Gauge(label: "webhook.failing")
  private let paused = Gauge(label: "webhook.paused")

  init() { show([]) }

  func delivered() { deliveries.increment() }
  func failed() { failures.increment() }

  func show(_ webhooks: [Webhook]) {
    let running = webhooks.filter { $0.machine.state == .active }
    active.record(running.count)
    failing.record(running.count(where: { $0.machine.failingSince != nil }))
    paused.record(webhooks.count - running.count)
  }
}
