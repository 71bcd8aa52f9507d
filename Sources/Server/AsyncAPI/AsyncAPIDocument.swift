package import Domain

/// `/asyncapi.json`: AsyncAPI 3.0. The sockets, from the endpoints that open them and the schemas of their messages.
///
/// The schemas keep to what JSON Schema 2020-12 and draft 7, AsyncAPI's own, mean alike, so that any tool reads them.
package struct AsyncAPIDocument: Sendable {
  package let json: JSON

  package init(_ endpoints: [Endpoint], version: String) {
    var channels = JSON.Members()
    var operations = JSON.Members()
    var messages = JSON.Members()
    var schemas: [String: Schema] = [:]
    for channel in AsyncChannel.all {
      guard let endpoint = endpoints.first(where: { $0.id == channel.endpoint }) else { continue }
      channel.query(endpoint).collect(into: &schemas)
      channels[channel.name] = channel.json(endpoint)
      for operation in channel.operations {
        operations[operation.name] = channel.json(operation)
        for message in operation.messages {
          message.payload.collect(into: &schemas)
          messages[message.name] = message.json
        }
      }
    }
    var components = JSON.Members()
    for (name, schema) in schemas.sorted(by: { $0.key < $1.key }) { components[name] = schema.openAPI }
    json = [
      "asyncapi": "3.0.0",
      "info": [
        "title": "Hội Chẩn",
        "version": .string(version),
        "description": .string(Self.introduction),
        "license": ["name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"],
      ],
      "defaultContentType": "application/json",
      "servers": [
        "site": [
          "host": "{host}", "protocol": "wss",
          "description": "Where this description was read; `ws` where that was by plain HTTP.",
          "variables": ["host": ["default": "localhost", "description": "Name and port."]],
        ]
      ],
      "channels": .object(channels),
      "operations": .object(operations),
      "components": [
        "schemas": .object(components),
        "messages": .object(messages),
        "securitySchemes": Self.securitySchemes,
      ],
    ]
  }

  private static let introduction = """
    The sockets; `/openapi.json` describes everything else. Each event is one schema under its type: the feed's frames \
    carry it, and so do the pages of the log and Server-Sent Events. The schemas (JSON Schema 2020-12) hold exactly \
    what this release says; a later one may say more, so ignore the members and types that you don't know.
    """

  private static let securitySchemes: JSON = [
    "bearer": OpenAPIDocument.bearer,
    "cookie": [
      "type": "httpApiKey", "in": "cookie", "name": .string(Cookies.session),
      "description": "Set by signing in. The handshake then needs an `Origin` of this site.",
    ],
    "ticket": [
      "type": "httpApiKey", "in": "query", "name": "ticket",
      "description": "From `POST /api/v1/tickets`: for one socket, within 60 seconds.",
    ],
  ]
}
