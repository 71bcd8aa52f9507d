/// A place in a JSON document, kept as its steps and written as a JSON Pointer (RFC 6901) only when it is shown.
package struct JSONPointer: Sendable {
  package enum Step: Sendable {
    case member(String)
    case index(Int)
  }

  /// What the text begins with: empty for a document, the name for a parameter.
  package var root: String
  package var steps: [Step] = []

  package init(root: String = "") { self.root = root }

  package var text: String {
    steps.reduce(into: root) { text, step in
      text += "/"
      switch step {
      case .member(let name): for scalar in name.unicodeScalars { text += Self.escaped(scalar) }
      case .index(let index): text += String(index)
      }
    }
  }

  /// `~` and `/` have a meaning in a pointer, so they are written `~0` and `~1`.
  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "~": "~0"
    case "/": "~1"
    default: String(scalar)
    }
  }
}
