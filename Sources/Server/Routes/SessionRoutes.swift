package import Coordinator
package import Domain
import HTTPTypes

/// Signing in and out.
package struct SessionRoutes: Sendable {
  let coordinator: Coordinator
  let throttle: SignInThrottle
  /// Told of a session that ended, so that its sockets close at once.
  let signedOut: @Sendable (Caller) async -> Void

  package init(
    _ coordinator: Coordinator, settings: ServerSettings, signedOut: @escaping @Sendable (Caller) async -> Void
  ) {
    self.coordinator = coordinator
    throttle = SignInThrottle(settings, coordinator.store.peers)
    self.signedOut = signedOut
  }

  package var endpoints: [Endpoint] { [signIn, read, signOut] }

  private static let path = "/api/v1/session"

  private var signIn: Endpoint {
    Endpoint(
      .post, Self.path, "signIn", .session, "Signs in with a local account.", access: .open, body: .signInBody,
      answers: [.json(.signedIn, "Who signed in, and the token.").header("Set-Cookie", "The session, for browsers.")],
      rejections: [.unauthenticated]
    ) { [coordinator, throttle] request in
      let username = request.body["username"]?.string ?? ""
      try throttle.check(username, from: request.client)
      let token: String
      let caller: Caller
      do {
        (token, caller) = try await coordinator.signIn(
          username: username, password: request.body["password"]?.string ?? "")
      } catch let rejection as Rejection where rejection.code == .unauthenticated {
        throttle.failed(username, from: request.client)
        throw rejection
      }
      guard case .object(var members) = caller.json else { throw Rejection.unauthenticated }
      members["token"] = .string(token)
      let lifetime = caller.expiresAt.map { ($0 - coordinator.now()).wholeSeconds } ?? 0
      let cookie = Cookies.setSession(token, maxAge: lifetime, secure: request.settings.isSecure)
      return EndpointResponse.json(.object(members)).setting(.setCookie, cookie)
    }
  }

  private var read: Endpoint {
    Endpoint(
      .get, Self.path, "readSession", .session, "Who is signed in.", answers: [.json(.session, "The session.")]
    ) { request in .json(try request.caller.json) }
  }

  private var signOut: Endpoint {
    Endpoint(
      .delete, Self.path, "signOut", .session, "Signs out; the session's sockets close.",
      answers: [.empty("The session has ended.").header("Set-Cookie", "Forgets the session.")]
    ) { [coordinator, signedOut] request in
      let caller = try request.caller
      try await coordinator.signOut(caller)
      await signedOut(caller)
      return EndpointResponse.noContent.setting(
        .setCookie, Cookies.setSession("", maxAge: 0, secure: request.settings.isSecure))
    }
  }
}

/// What stops the guessing of passwords. Only failures count, so that a busy ward is never locked out by its own.
package struct SignInThrottle: Sendable {
  private struct Pair: Hashable {
    var name: String
    var address: UInt64
  }

  private let pairs: Throttle<Pair>
  private let names: Throttle<String>
  private let addresses: Throttle<UInt64>
  private let peers: any Peers

  package init(_ settings: ServerSettings, _ peers: any Peers = NoPeers()) {
    self.peers = peers
    pairs = Throttle(settings.signInRate, entries: settings.throttleEntries)
    names = Throttle(settings.signInNameRate, entries: settings.throttleEntries)
    addresses = Throttle(settings.signInAddressRate, entries: settings.throttleEntries)
    // A guess counts on every node, whichever it was made on.
    peers.onMessage { [self] message, _ in
      guard message.kind == .signInFailed, let name = message.body["name"]?.string,
        let address = message.body["address"]?.int
      else { return }
      count(name, UInt64(bitPattern: address))
    }
  }

  /// - Throws: `tooMany` when there were too many failures.
  package func check(_ name: String, from client: ClientAddress) throws(Rejection) {
    let address = client.throttleKey
    let waits = [pairs.wait(Pair(name: name, address: address)), names.wait(name), addresses.wait(address)]
    if let wait = waits.compactMap(\.self).max() {
      throw Rejection(.tooMany, "Too many failed sign-ins; wait before the next.", retryAfter: wait)
    }
  }

  package func failed(_ name: String, from client: ClientAddress) {
    count(name, client.throttleKey)
    let address = Int64(bitPattern: client.throttleKey)
    peers.tell(PeerMessage(.signInFailed, ["name": .string(name), "address": .int(address)]), to: nil)
  }

  private func count(_ name: String, _ address: UInt64) {
    _ = pairs.take(Pair(name: name, address: address))
    _ = names.take(name)
    _ = addresses.take(address)
  }
}
