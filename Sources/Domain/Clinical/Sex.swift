/// A patient's sex as recorded.
package enum Sex: String, Sendable, CaseIterable { case male, female, other, unknown }
