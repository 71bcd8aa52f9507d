import Crypto
import Domain
import Foundation
import NIOHTTP1

/// One event as a receiver gets it, signed after the Standard Webhooks specification.
struct WebhookRequest: Sendable {
  /// CloudEvents 1.0 in JSON.
  let body: [UInt8]
  private let fields: [(name: String, value: String)]

  /// - Parameters:
  ///   - id: the event's: the same at every attempt, so that a receiver can drop what it has.
  ///   - secret: the bytes behind `whsec_`.
  ///   - now: of this attempt; a receiver refuses what is too old.
  init(id: String, body text: String, secret: [UInt8], at now: Instant) {
    body = Array(text.utf8)
    let timestamp = String(now.milliseconds / 1000)
    fields = [
      ("user-agent", "hoichan"), ("accept", "*/*"), ("content-type", "application/cloudevents+json"),
      ("content-length", String(body.count)), ("webhook-id", id), ("webhook-timestamp", timestamp),
      ("webhook-signature", Self.signature(of: body, id: id, timestamp: timestamp, secret: secret)),
    ]
  }

  /// `v1,` and the HMAC over `ID.TIMESTAMP.BODY`.
  static func signature(of body: [UInt8], id: String, timestamp: String, secret: [UInt8]) -> String {
    let code = HMAC<SHA256>.authenticationCode(
      for: Array("\(id).\(timestamp).".utf8) + body, using: SymmetricKey(data: secret))
    return "v1," + Data(code).base64EncodedString()
  }

  func head(for url: WebhookURL) -> HTTPRequestHead {
    var headers = HTTPHeaders([("host", url.authority)])
    for (name, value) in fields { headers.add(name: name, value: value) }
    return HTTPRequestHead(version: .http1_1, method: .POST, uri: url.target, headers: headers)
  }
}

/// What a receiver answered; nothing of its body is kept.
struct WebhookAnswer: Sendable, Equatable {
  var status: Int64
  /// Whether the connection can take another request.
  var keepsAlive: Bool
}
