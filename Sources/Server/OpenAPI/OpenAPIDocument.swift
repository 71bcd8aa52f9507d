package import Domain
import HTTPTypes

/// `/openapi.json`: OpenAPI 3.1, made from the same declarations as the routes.
package struct OpenAPIDocument: Sendable {
  package let json: JSON

  package init(_ endpoints: [Endpoint], version: String) {
    let shown = endpoints.filter { !$0.options.contains(.undocumented) }
    var schemas: [String: Schema] = [:]
    Problem.schema.collect(into: &schemas)
    var paths = JSON.Members()
    for endpoint in shown {
      for schema in endpoint.allSchemas { schema.collect(into: &schemas) }
      var item = JSON.Members()
      if case .object(let known)? = paths[endpoint.path] { item = known }
      item[endpoint.method.rawValue.lowercased()] = endpoint.operation
      paths[endpoint.path] = .object(item)
    }
    var components = JSON.Members()
    for (name, schema) in schemas.sorted(by: { $0.key < $1.key }) { components[name] = schema.openAPI }
    let tags = Endpoint.Tag.allCases.filter { tag in shown.contains { $0.tag == tag } }
    json = [
      "openapi": "3.1.0",
      "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
      "info": [
        "title": "Hội Chẩn",
        "version": .string(version),
        "summary": "Remote consultations between commune health stations and provincial specialists.",
        "description": .string(Self.introduction),
        "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
      ],
      "servers": [["url": "/"]],
      "tags": .array(tags.map { ["name": .string($0.rawValue), "description": .string($0.note)] }),
      "paths": .object(paths),
      "components": [
        "schemas": .object(components),
        "securitySchemes": [
          "bearer": Self.bearer,
          "cookie": [
            "type": "apiKey", "in": "cookie", "name": .string(Cookies.session),
            "description": "Set by signing in. Changes then need an `Origin` of this site.",
          ],
        ],
      ],
    ]
  }

  /// The same words in OpenAPI and AsyncAPI.
  static let bearer: JSON = [
    "type": "http", "scheme": "bearer", "description": "The token of a session, or of a machine.",
  ]

  private static let introduction = """
    Times are RFC 3339 with an offset, ids are UUIDs, unknown members are ignored. Everything that is refused is a \
    problem document (RFC 9457) with a stable `code`. Lists are pages `{items, next}`, newest first unless said; \
    `next` goes into `after`.
    """
}

extension Endpoint.Tag {
  fileprivate var note: String {
    switch self {
    case .session: "Signing in and out."
    case .directory: "Facilities, practitioners, vehicles and free time."
    case .consults: "A consult from its request to its signed outcome."
    case .trips: "Ambulance trips and the link for a family."
    case .events: "What happens, as it happens: paging, Server-Sent Events and WebSocket."
    case .people: "Accounts, machine tokens and the access log."
    case .operations: "Health, metrics and this description."
    case .pages: "Pages for people."
    }
  }
}
