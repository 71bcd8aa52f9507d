import Crypto
import Domain
import Foundation

/// What the deployment's secret key is used for, each under a key of its own (HKDF, RFC 5869).
package struct Secrets: Sendable {
  private let anchorKey: SymmetricKey
  private let answerKey: SymmetricKey
  private let webhookKey: SymmetricKey
  /// Tells whether two nodes have the same key, and nothing about it.
  package let fingerprint: String

  /// `key`: `HOICHAN_SECRET_KEY`, or what stands in the data folder; at least 32 bytes.
  package init(key: [UInt8]) {
    func derive(_ purpose: String) -> SymmetricKey {
      HKDF<SHA256>.deriveKey(
        inputKeyMaterial: SymmetricKey(data: key), info: Data("hoichan \(purpose)".utf8), outputByteCount: 32)
    }
    anchorKey = derive("anchor")
    answerKey = derive("answer")
    webhookKey = derive("webhook")
    fingerprint = derive("fingerprint").withUnsafeBytes { Self.hex(Array($0.prefix(8))) }
  }

  /// 256 bits of chance, in base64url: tokens, tickets, links.
  package static func random() -> String { Base64URL.encode(randomBytes()) }

  /// 256 bits of chance.
  static func randomBytes() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  /// How such a secret is stored. It has too much chance in it to be guessed, so a plain hash will do.
  package static func hash(_ secret: String) -> [UInt8] { Array(SHA256.hash(data: Data(secret.utf8))) }

  package static func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

  package static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// Seals a chain's head.
  package func anchor(_ log: ChainedLog, seq: Int64, chain: [UInt8]) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: Data("\(log.rawValue):\(seq):".utf8) + chain, using: anchorKey))
  }

  func seal(_ body: [UInt8]) throws -> [UInt8] {
    try AES.GCM.seal(body, using: answerKey).combined.map(Array.init) ?? []
  }

  func open(_ sealed: [UInt8]) throws -> [UInt8] {
    try Array(AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: answerKey))
  }

  /// What a webhook's deliveries are signed with must be known each time: it cannot be stored as a hash, and stands
  /// sealed in its row and good for that row only.
  func sealWebhookSecret(_ secret: [UInt8], of id: String) throws -> [UInt8] {
    try AES.GCM.seal(secret, using: webhookKey, authenticating: Array(id.utf8)).combined.map(Array.init) ?? []
  }

  func openWebhookSecret(_ sealed: [UInt8], of id: String) throws -> [UInt8] {
    try Array(
      AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: webhookKey, authenticating: Array(id.utf8)))
  }
}
