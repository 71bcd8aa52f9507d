import Synchronization

/// Who wants to hear of something.
package final class Listeners<Value>: Sendable {
  private let bodies = Mutex<[@Sendable (Value) -> Void]>([])

  package init() {}

  package func add(_ body: @escaping @Sendable (Value) -> Void) { bodies.withLock { $0.append(body) } }

  package func tell(_ value: Value) { for body in bodies.withLock({ $0 }) { body(value) } }
}
