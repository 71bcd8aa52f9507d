package import Coordinator
import Domain
import HTTPTypes

/// An administrator's accounts and machine tokens, and an auditor's log.
package struct PeopleRoutes: Sendable {
  let coordinator: Coordinator

  package init(_ coordinator: Coordinator) { self.coordinator = coordinator }

  package var endpoints: [Endpoint] { [users, addUser, changeUser, tokens, addToken, revokeToken, accessLog] }

  private var users: Endpoint {
    Endpoint(
      .get, "/api/v1/users", "listUsers", .people, "Accounts, by user name.", access: .signedIn(.administer),
      query: [.limit, .after], answers: [.json(.page(of: .user), "A page of accounts.")]
    ) { [coordinator] request in
      .init(
        try await coordinator.people(try request.call, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var addUser: Endpoint {
    Endpoint(
      .post, "/api/v1/users", "addUser", .people, "Makes an account.", access: .signedIn(.administer),
      body: .userBody, answers: [.json(.created, .user, "The account.")], options: [.idempotent, .etag]
    ) { [coordinator] request in .init(try await coordinator.addPerson(try request.call, request.body)) }
  }

  private var changeUser: Endpoint {
    Endpoint(
      .patch, "/api/v1/users/{id}", "changeUser", .people, "Changes an account.",
      note: "A new password, other grants or disabling end the person's sessions.", access: .signedIn(.administer),
      body: .userChangeBody, answers: [.json(.user, "The account.")], options: [.idempotent, .etag, .ifMatch]
    ) { [coordinator] request in
      .init(try await coordinator.changePerson(try request.call, id: request["id"], request.body))
    }
  }

  private var tokens: Endpoint {
    Endpoint(
      .get, "/api/v1/tokens", "listTokens", .people, "Machine tokens, newest first, without their secrets.",
      access: .signedIn(.administer), query: [.limit, .after],
      answers: [.json(.page(of: .token), "A page of tokens.")]
    ) { [coordinator] request in
      .init(
        try await coordinator.tokens(try request.call, page: .init(after: request.text("after"), limit: request.limit)))
    }
  }

  private var addToken: Endpoint {
    Endpoint(
      .post, "/api/v1/tokens", "addToken", .people, "Makes a machine token.", access: .signedIn(.administer),
      body: .tokenBody, answers: [.json(.created, .newToken, "The token, shown once.")], options: .idempotent
    ) { [coordinator] request in .init(try await coordinator.addToken(try request.call, request.body)) }
  }

  private var revokeToken: Endpoint {
    Endpoint(
      .delete, "/api/v1/tokens/{id}", "revokeToken", .people, "Revokes a machine token.",
      access: .signedIn(.administer), answers: [.empty("It is revoked.")], options: .idempotent
    ) { [coordinator] request in .init(try await coordinator.revokeToken(try request.call, id: request["id"])) }
  }

  private var accessLog: Endpoint {
    Endpoint(
      .get, "/api/v1/access-log", "readAccessLog", .people, "Who looked at what, newest first.",
      access: .signedIn(.readAccessLog),
      query: [
        QueryParameter("person", .string(1...64)), QueryParameter("subject", .string(1...100), "As `consults/ID`."),
        .limit, .after,
      ], answers: [.json(.page(of: .accessEntry), "A page of the log.")]
    ) { [coordinator] request in
      .init(
        try await coordinator.accessLog(
          try request.call, person: request.text("person"), subject: request.text("subject"),
          page: .init(after: request.text("after"), limit: request.limit)))
    }
  }
}
