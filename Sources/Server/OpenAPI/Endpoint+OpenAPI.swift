package import Domain
import HTTPTypes

extension Endpoint {
  var allSchemas: [Schema] {
    query.map(\.schema) + parameterNames.map(schema(ofParameter:)) + (body.map { [$0] } ?? [])
      + answers.flatMap { $0.content.map(\.schema) }
  }

  /// The reasons for which this endpoint can refuse: those that follow from its declaration and its own.
  package var allRejections: [Rejection.Code] {
    var codes = rejections
    switch access {
    case .signedIn(let action):
      codes.append(.unauthenticated)
      if action != nil || isWrite { codes.append(.forbidden) }
    case .loopbackOrToken, .socket: codes.append(.unauthenticated)
    case .open: if isWrite { codes.append(.forbidden) }
    case .optional, .capability: break
    }
    if !parameterNames.isEmpty { codes.append(.notFound) }
    if !query.isEmpty { codes += [.malformed, .invalid] }
    if isWrite { codes += [.malformed, .tooLarge, .unsupportedMediaType] }
    if body != nil { codes.append(.invalid) }
    if options.contains(.idempotent) { codes += [.idempotencyInProgress, .idempotencyKeyReused, .invalid] }
    if options.contains(.ifMatch) { codes.append(.preconditionFailed) }
    if !options.contains(.unthrottled) { codes += [.tooMany, .unavailable] }
    return Rejection.Code.allCases.filter(codes.contains)
  }

  /// The OpenAPI operation object.
  var operation: JSON {
    var members = JSON.Members([
      ("operationId", .string(id)), ("tags", [.string(tag.rawValue)]), ("summary", .string(summary)),
    ])
    if let note { members["description"] = .string(note) }
    members["security"] = security
    let parameters = parameterObjects
    if !parameters.isEmpty { members["parameters"] = .array(parameters) }
    if let body {
      members["requestBody"] = [
        "required": .bool(!options.contains(.optionalBody)),
        "content": ["application/json": ["schema": body.openAPI]],
      ]
    }
    members["responses"] = responses
    return .object(members)
  }

  private var security: JSON {
    switch access {
    case .signedIn, .socket: [["bearer": []], ["cookie": []]]
    case .optional: [["bearer": []], ["cookie": []], [:]]
    // Whoever asks from the machine itself needs nothing.
    case .loopbackOrToken: [["bearer": []], [:]]
    case .open, .capability: []
    }
  }

  private var parameterObjects: [JSON] {
    var list = parameterNames.map { name -> JSON in
      ["name": .string(name), "in": "path", "required": true, "schema": schema(ofParameter: name).openAPI]
    }
    for parameter in query {
      var members = JSON.Members([
        ("name", .string(parameter.name)), ("in", "query"), ("required", .bool(parameter.isRequired)),
        ("schema", parameter.schema.openAPI),
      ])
      if let note = parameter.note { members["description"] = .string(note) }
      if case .array = parameter.schema.kind {
        members["style"] = "form"
        members["explode"] = false
      }
      list.append(.object(members))
    }
    if options.contains(.idempotent) {
      list.append(
        header(
          "Idempotency-Key", "Repeats of the same request with the same key get the first answer, for 24 hours.",
          "^[!-~]{1,\(Limits.idempotencyKey)}$"))
    }
    if options.contains(.ifMatch) {
      list.append(header("If-Match", "The `ETag` that was read; refused if it changed."))
    }
    if options.contains(.etag), !isWrite {
      list.append(header("If-None-Match", "The `ETag` that the client has."))
    }
    return list
  }

  /// - Parameter pattern: of what is refused otherwise; a tag that is none just matches nothing.
  private func header(_ name: String, _ note: String, _ pattern: String? = nil) -> JSON {
    [
      "name": .string(name), "in": "header", "required": false, "description": .string(note),
      "schema": .compact(["type": "string", "pattern": pattern.map { .string($0) }]),
    ]
  }

  private var responses: JSON {
    var byStatus: [Int: JSON] = [:]
    for answer in answers { byStatus[answer.status.code] = response(answer) }
    if options.contains(.etag), !isWrite {
      byStatus[304] = ["description": "What the client has is current.", "headers": ["ETag": Self.headerObject("")]]
    }
    for (status, codes) in Dictionary(grouping: allRejections, by: \.status.code) where byStatus[status] == nil {
      byStatus[status] = Self.problem(codes)
    }
    byStatus[500] = byStatus[500] ?? Self.problem([], "A mistake of the server; the log has it under `requestId`.")
    var members = JSON.Members()
    for (status, response) in byStatus.sorted(by: { $0.key < $1.key }) { members[String(status)] = response }
    return .object(members)
  }

  private func response(_ answer: Reply) -> JSON {
    var members = JSON.Members([("description", .string(answer.note))])
    var headers = answer.headers
    if options.contains(.etag), (200..<300).contains(answer.status.code), answer.content.count > 0 {
      headers["ETag"] = "The version of what is shown."
    }
    if !headers.isEmpty {
      var objects = JSON.Members()
      for (name, note) in headers.sorted(by: { $0.key < $1.key }) { objects[name] = Self.headerObject(note) }
      members["headers"] = .object(objects)
    }
    if !answer.content.isEmpty {
      var content = JSON.Members()
      for (type, schema) in answer.content { content[type] = ["schema": schema.openAPI] }
      members["content"] = .object(content)
    }
    return .object(members)
  }

  private static func problem(_ codes: [Rejection.Code], _ note: String? = nil) -> JSON {
    let note = note ?? codes.map { "`\($0.rawValue)`: \($0.title(.en))." }.joined(separator: " ")
    var members = JSON.Members([("description", .string(note))])
    if codes.contains(.tooMany) || codes.contains(.unavailable) {
      members["headers"] = ["Retry-After": headerObject("Seconds to wait.", type: "integer")]
    } else if codes.contains(.unauthenticated) {
      members["headers"] = ["WWW-Authenticate": headerObject("`Bearer`.")]
    }
    members["content"] = .object(.init([(Problem.contentType, ["schema": Problem.schema.openAPI] as JSON)]))
    return .object(members)
  }

  private static func headerObject(_ note: String, type: String = "string") -> JSON {
    ["description": .string(note), "schema": ["type": .string(type)]]
  }
}
