package import Domain

/// What a template is filled with.
package struct PageValues {
  package var values: [String: Any]

  /// - Parameter target: path and query of this page, for the way back after sign-in and the other language.
  package init(
    page: Page?, title: String, language: Language, caller: Caller?, target: (path: String, query: String?), id: String,
    texts: Texts, assets: PageAssets, isDemo: Bool, tiles: String?
  ) {
    let other: Language = language == .vi ? .en : .vi
    let roles = Set(caller?.scopes.keys.map(\.self) ?? [])
    let home = caller == nil ? "/sign-in" : "/"
    values = [
      "lang": language.rawValue, "otherLang": other.rawValue, "t": texts.table(language), "title": title,
      "page": page?.rawValue ?? "problem", "id": id, "home": home, "demo": isDemo, "tiles": tiles ?? "",
      "assets": "/assets/\(assets.version)", "langHref": Self.switching(target.query, to: other),
      "signInHref": "/sign-in?next=" + Percent.encode(target.path),
    ]
    if let page {
      values["module"] = page.module
      values["preload"] = assets.preload(page.rawValue, language)
    }
    if let caller {
      values["person"] = [
        "id": caller.personId, "name": caller.name, "practitionerId": caller.practitionerId ?? "",
        "roles": Role.allCases.filter(roles.contains).map(\.rawValue).joined(separator: " "),
        "stationCount": String(caller.scopes[.station]?.count ?? 0),
      ]
      values["nav"] = Page.menu(roles).map { entry -> [String: Any] in
        [
          "page": entry.rawValue, "href": entry.path, "current": entry == page,
          "label": texts.text("nav", entry.rawValue, language) ?? "",
        ]
      }
    }
    for (name, section) in Self.lists(of: page) {
      values[name] = Self.choices(section, language, texts)
    }
    if page == .stationNew { values["measures"] = Self.measures(language, texts) }
  }

  /// The lists that a page offers, by the name its template uses.
  private static func lists(of page: Page?) -> [(name: String, section: String)] {
    switch page {
    case .stationNew:
      [
        ("specialties", "specialty"), ("urgencies", "urgency"), ("sexes", "sex"), ("consciousnesses", "consciousness"),
      ]
    case .consult: [("dispositions", "disposition")]
    case .dispatch: [("priorities", "priority")]
    case .admin: [("roles", "role")]
    default: []
    }
  }

  private static func choices(_ section: String, _ language: Language, _ texts: Texts) -> [[String: String]] {
    texts.codes(section).map { code in
      [
        "code": code, "name": texts.text(section, code, language) ?? code,
        "hint": texts.text(section + "Hint", code, language) ?? "",
      ]
    }
  }

  private static func measures(_ language: Language, _ texts: Texts) -> [[String: String]] {
    [
      ("respiratoryRate", "/min"), ("spo2", "%"), ("systolic", "mmHg"), ("diastolic", "mmHg"), ("pulse", "/min"),
      ("temperature", "°C"),
    ].map { code, unit in ["code": code, "unit": unit, "name": texts.text("field", code, language) ?? code] }
  }

  /// This page's query with the other language in it.
  private static func switching(_ query: String?, to language: Language) -> String {
    let kept = (query ?? "").split(separator: "&").filter { !$0.hasPrefix("lang=") }
    return "?" + (kept + ["lang=\(language.rawValue)"]).joined(separator: "&")
  }
}
