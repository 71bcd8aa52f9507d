import Synchronization

/// Prometheus' text format 0.0.4, as `promtool check metrics` wants it.
package enum PrometheusText {
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// A name with nothing in it but letters, digits and `_`.
  static func name(_ label: String) -> String {
    var name = String(label.unicodeScalars.map { isLetterOrDigit($0) ? Character($0) : "_" })
    if let first = name.unicodeScalars.first, ("0"..."9").contains(first) { name = "_" + name }
    return name
  }

  private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
  }

  /// `method="GET",route="/api/v1/consults"`, in the order of the names.
  static func labels(_ dimensions: [(String, String)]) -> String {
    dimensions.sorted { $0.0 < $1.0 }.map { "\(name($0.0))=\"\(escaped($0.1))\"" }.joined(separator: ",")
  }

  private static func escaped(_ value: String) -> String {
    value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  static func number(_ value: Double) -> String {
    if let whole = Int64(exactly: value) { return String(whole) }
    return value.isNaN ? "NaN" : value.isInfinite ? (value > 0 ? "+Inf" : "-Inf") : "\(value)"
  }

  static func sample(_ name: String, _ labels: String, _ value: String, to text: inout String) {
    text += labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
  }

  static func header(_ name: String, _ kind: String, _ help: String, to text: inout String) {
    let help = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
  }
}

extension PrometheusRegistry {
  /// Everything, in the order of the names, so that two scrapes can be compared by eye.
  package var text: String {
    let (families, help, dropped) = state.withLock { ($0.families, $0.help, $0.dropped) }
    var text = ""
    text.reserveCapacity(16_384)
    for (name, family) in families.sorted(by: { $0.key < $1.key }) {
      let stem = ["_total", "_seconds"].reduce(name) { $0.hasSuffix($1) ? String($0.dropLast($1.count)) : $0 }
      let words = help[name] ?? help[stem] ?? name.replacing("_", with: " ")
      PrometheusText.header(name, family.kind.rawValue, words, to: &text)
      for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
        series.write(name: name, labels: labels, to: &text)
      }
    }
    let name = stem("metrics.series.dropped") + "_total"
    PrometheusText.header(name, "counter", "Series that were not kept, for want of room or a clash.", to: &text)
    PrometheusText.sample(name, "", String(dropped), to: &text)
    return text
  }
}
