package import HTTPTypes

/// The languages of the pages and of problem titles. Vietnamese unless someone asks otherwise.
package enum Language: String, Sendable, CaseIterable {
  case vi, en

  /// `?lang=`, else the cookie `lang`, else the first of `Accept-Language` that we speak.
  package init(query: String?, headers: HTTPFields) {
    if let asked = query.flatMap({ QueryString.value(of: "lang", in: $0) }).flatMap(Language.init(rawValue:)) {
      self = asked
    } else if let kept = Cookies.value(of: "lang", in: headers).flatMap(Language.init(rawValue:)) {
      self = kept
    } else {
      self = headers[.acceptLanguage].flatMap(Self.accepted) ?? .vi
    }
  }

  /// The best of an `Accept-Language` header: the highest weight, the earlier of equals.
  private static func accepted(_ header: String) -> Language? {
    var best: (language: Language, weight: Double)?
    for range in header.prefix(500).split(separator: ",") {
      let parts = range.split(separator: ";")
      guard let tag = parts.first?.trimmed.lowercased(), let primary = tag.split(separator: "-").first,
        let language = Language(rawValue: String(primary))
      else { continue }
      let quality = parts.dropFirst().map(\.trimmed).first { $0.hasPrefix("q=") }
      let weight = quality.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      if weight > 0, weight > best?.weight ?? 0 { best = (language, weight) }
    }
    return best?.language
  }
}

extension Substring {
  /// Without the spaces and tabs around it.
  package var trimmed: Substring {
    var text = self
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
