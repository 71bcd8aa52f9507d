import Domain
import NIOCore
import NIOSSL
import Synchronization
import Testing

@testable import Realtime

@Suite struct WebhookSenderTests {
  private static let request = WebhookRequest(
    id: "event-1", body: "{\"a\":1}", secret: [1, 2, 3], at: Instant(seconds: 1_795_190_400))

  /// Says which addresses names have, and how often it was asked.
  private final class Names: Sendable {
    private let known: [String: [String]]
    private let asked = Mutex<[String]>([])
    var questions: [String] { asked.withLock { $0 } }

    init(_ known: [String: [String]]) { self.known = known }

    func addresses(_ host: String) -> [NetworkAddress] {
      asked.withLock { $0.append(host) }
      return (known[host] ?? []).compactMap { NetworkAddress($0) }
    }
  }

  private func sender(_ names: Names, allowsLocal: Bool = true) -> WebhookSender {
    // More than a busy machine lets tasks wait for their turn.
    WebhookSender(
      allowsLocal: allowsLocal, patience: .minutes(3), makeTLS: { try TestCertificate.clientContext() },
      resolve: { host, _ in names.addresses(host) })
  }

  private func url(_ text: String) throws -> WebhookURL { try #require(WebhookURL(text)) }

  private func post(_ sender: WebhookSender, _ text: String) async throws -> Int64 {
    var line = WebhookLine(sender, to: try url(text))
    defer { line.close() }
    return try await line.post(Self.request)
  }

  private func failure(_ sender: WebhookSender, _ text: String) async -> WebhookFailure? {
    await #expect(throws: WebhookFailure.self) { try await post(sender, text) }
  }

  // MARK: What is sent

  @Test func sendsAWholeRequest() async throws {
    let receiver = try await Receiver()
    let names = Names(["hook.test": ["127.0.0.1"]])
    #expect(try await post(sender(names), "http://hook.test:\(receiver.port)/x/y?z=1") == 204)
    let got = try await receiver.next()
    #expect(got.target == "/x/y?z=1" && got.body == "{\"a\":1}")
    #expect(got.headers["host"] == "hook.test:\(receiver.port)")
    #expect(got.headers["content-type"] == "application/cloudevents+json" && got.headers["content-length"] == "7")
    #expect(got.headers["webhook-id"] == "event-1" && got.headers["webhook-timestamp"] == "1795190400")
    #expect(got.headers["webhook-signature"]?.hasPrefix("v1,") == true)
    #expect(names.questions == ["hook.test"])
  }

  /// The example of the Standard Webhooks libraries: `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
  @Test func signsAsOthersDo() {
    let secret: [UInt8] = [
      49, 242, 144, 246, 191, 6, 41, 138, 171, 79, 8, 212, 60, 63, 8, 44, 246, 72, 163, 98, 218, 45, 164, 176,
    ]
    let signature = WebhookRequest.signature(
      of: Array("{\"test\": 2432232314}".utf8), id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330",
      secret: secret)
    #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  }

  @Test func followsNobodyElsewhere() async throws {
    let receiver = try await Receiver()
    receiver.answer { _ in .status(307, headers: [("Location", "/elsewhere")]) }
    #expect(try await post(sender(Names([:])), "http://127.0.0.1:\(receiver.port)/here") == 307)
    #expect(try await receiver.next().target == "/here")
    #expect(receiver.count == 1)
  }

  @Test func keepsAConnectionAsLongAsItServes() async throws {
    let receiver = try await Receiver()
    let names = Names(["hook.test": ["127.0.0.1"]])
    var line = WebhookLine(sender(names), to: try url("http://hook.test:\(receiver.port)/"))
    receiver.answer { $0 == 2 ? .status(200, headers: [("Connection", "close")]) : .status(200) }
    var connections: [Int] = []
    for _ in 0..<4 {
      #expect(try await line.post(Self.request) == 200)
      connections.append(try await receiver.next().connection)
    }
    #expect(connections == [0, 0, 0, 1])
    // It was closed while nobody looked: that is no failure of the next event.
    await receiver.hangUp()
    #expect(try await line.post(Self.request) == 200)
    #expect(try await receiver.next().connection == 2)
    line.close()
    // Each connection's address was looked up and judged.
    #expect(names.questions.count == 3)
  }

  // MARK: Where it goes

  @Test(
    arguments: [
      "127.0.0.1", "10.0.0.1", "::1", "fd00::1", "169.254.169.254", "0.0.0.0", "::ffff:127.0.0.1", "224.0.0.1",
    ])
  func goesToNoAddressInside(address: String) async throws {
    let receiver = try await Receiver()
    let names = Names(["hook.test": [address]])
    #expect(
      await failure(sender(names, allowsLocal: false), "https://hook.test:\(receiver.port)/") == .addressRefused)
    #expect(receiver.count == 0)
  }

  @Test(arguments: ["169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "8.8.8.8"])
  func someItNeverGoesTo(address: String) async throws {
    // The last by plain http: out of the house only encrypted.
    #expect(await failure(sender(Names(["hook.test": [address]])), "http://hook.test:1/") == .addressRefused)
    let host = address.contains(":") ? "[\(address)]" : address
    #expect(await failure(sender(Names([:])), "http://\(host):1/") == .addressRefused)
  }

  /// A name that answers otherwise the second time leads nowhere else: it is not asked a second time.
  @Test func connectsToWhatWasJudged() async throws {
    let receiver = try await Receiver()
    let answers = [["127.0.0.1"], ["169.254.169.254"]]
    let box = LockedBox(0)
    let sender = WebhookSender(
      allowsLocal: true, patience: .minutes(3),
      resolve: { _, _ in
        let number = box.withLock { count in
          defer { count += 1 }
          return count
        }
        return answers[min(number, 1)].compactMap { NetworkAddress($0) }
      })
    #expect(try await post(sender, "http://hook.test:\(receiver.port)/") == 204)
    #expect(box.withLock { $0 } == 1)
    #expect(await failure(sender, "http://hook.test:\(receiver.port)/") == .addressRefused)
  }

  /// Of a name's addresses those that are allowed are tried, one after another.
  @Test func passesOverWhatIsRefusedOrDead() async throws {
    let receiver = try await Receiver()
    let names = Names(["hook.test": ["169.254.169.254", "127.0.0.2", "127.0.0.1"]])
    #expect(try await post(sender(names), "http://hook.test:\(receiver.port)/") == 204)
  }

  // MARK: TLS

  @Test func holdsTheCertificateAgainstTheName() async throws {
    let receiver = try await Receiver(tls: try TestCertificate.make())
    let elsewhere = try await Receiver(tls: try TestCertificate.make(), host: "127.0.0.2")
    let names = Names(["localhost": ["127.0.0.1"], "other.test": ["127.0.0.1"], "elsewhere.test": ["127.0.0.2"]])
    #expect(try await post(sender(names), "https://localhost:\(receiver.port)/") == 204)
    #expect(try await receiver.next().headers["host"] == "localhost:\(receiver.port)")
    // By its address, which stands in the certificate too.
    #expect(try await post(sender(names), "https://127.0.0.1:\(receiver.port)/") == 204)
    #expect(await failure(sender(names), "https://elsewhere.test:\(elsewhere.port)/") == .tls)
    // That the certificate is good for the address that was connected to is not enough.
    #expect(await failure(sender(names), "https://other.test:\(receiver.port)/") == .tls)
    let trusting = WebhookSender(
      allowsLocal: true, patience: .minutes(3), resolve: { host, _ in names.addresses(host) })
    #expect(await failure(trusting, "https://localhost:\(receiver.port)/") == .tls, "nobody signed it")
    #expect(receiver.count == 2 && elsewhere.count == 0)
  }

  // MARK: What goes wrong

  @Test func namesWhatWentWrong() async throws {
    let receiver = try await Receiver()
    let address = "http://127.0.0.1:\(receiver.port)/"
    let sender = sender(Names([:]))
    #expect(await failure(sender, "http://nowhere.test/") == .unresolved)
    // Nobody listens at port 1.
    #expect(await failure(sender, "http://127.0.0.1:1/") == .unreachable)
    receiver.answer { _ in .end() }
    #expect(await failure(sender, address) == .closed)
    receiver.answer { _ in .end(after: "SSH-2.0-OpenSSH\r\n\r\n") }
    #expect(await failure(sender, address) == .notHTTP)
    // Plain HTTP behind an address of https.
    #expect(await failure(sender, "https://127.0.0.1:\(receiver.port)/") == .tls)
  }

  @Test func waitsNoLongerThanItMay() async throws {
    let receiver = try await Receiver()
    receiver.answer { _ in .silence }
    let address = try url("http://127.0.0.1:\(receiver.port)/")
    let connection = try await sender(Names([:])).connect(to: address, by: NIODeadline.now() + .minutes(3))
    let refusal = await #expect(throws: WebhookFailure.self) {
      try await connection.post(Self.request, to: address, by: NIODeadline.now() + .milliseconds(100))
    }
    #expect(refusal == .timeout)
    let late = await #expect(throws: WebhookFailure.self) {
      try await sender(Names([:])).connect(to: address, by: NIODeadline.now())
    }
    #expect(late == .timeout)
  }

  @Test func aCancelledTaskWaitsNoLonger() async throws {
    let receiver = try await Receiver()
    receiver.answer { _ in .silence }
    let sender = sender(Names([:]))
    let address = "http://127.0.0.1:\(receiver.port)/"
    // Well within the sender's own patience, which would end it too.
    try await within(.seconds(60)) {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { _ = try? await post(sender, address) }
        _ = try? await receiver.next()
        group.cancelAll()
      }
    }
  }

  /// The status is the answer; what comes behind it is dropped, however much it is.
  @Test func dropsWhatTheReceiverSays() async throws {
    let receiver = try await Receiver()
    receiver.answer { _ in .endless }
    #expect(try await post(sender(Names([:])), "http://127.0.0.1:\(receiver.port)/") == 200)
    receiver.answer { _ in .end(after: "HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\nhalf") }
    #expect(try await post(sender(Names([:])), "http://127.0.0.1:\(receiver.port)/") == 202)
  }

  @Test func asksTheSystemForNames() async throws {
    let found = try await HostResolver.addresses(of: "localhost", by: NIODeadline.now() + .minutes(3))
    #expect(!found.isEmpty && found.allSatisfy { $0.scope == .local })
    // Forms that the system takes and a URL does not are judged like all others.
    let short = try await HostResolver.addresses(of: "127.1", by: NIODeadline.now() + .minutes(3))
    #expect(short.map(\.scope) == [.local])
  }
}
