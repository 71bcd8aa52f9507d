import HTTPTypes
import Testing

@testable import Server

@Suite struct GzipTests {
  private let text = Array(String(repeating: "Hội chẩn từ xa. ", count: 200).utf8)
  private let asks: HTTPFields = [.acceptEncoding: "gzip, deflate, br"]

  private func pack(_ bytes: [UInt8], _ fields: HTTPFields, for asked: HTTPFields) -> ([UInt8]?, HTTPFields) {
    var fields = fields
    return (Gzip.pack(bytes, &fields, for: asked), fields)
  }

  @Test func compressesADocumentForWhoAsks() throws {
    let (packed, fields) = pack(text, [.contentType: "application/json"], for: asks)
    // RFC 1952: the magic, deflate; the last four bytes are the length before.
    let bytes = try #require(packed)
    #expect(bytes.starts(with: [0x1f, 0x8b, 8]))
    #expect(bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) } == text.count)
    #expect(bytes.count < text.count / 5)
    #expect(fields[.contentEncoding] == "gzip")
    #expect(fields[.vary] == "Accept-Encoding")
  }

  @Test func leavesItToWhoDoesNotAskButSaysThatItDepends() {
    let (packed, fields) = pack(text, [.contentType: "application/json"], for: [:])
    #expect(packed == nil)
    #expect(fields[.contentEncoding] == nil)
    #expect(fields[.vary] == "Accept-Encoding")
  }

  @Test func leavesSmallTaggedPackedAndBinaryBodies() {
    #expect(pack(Array(text.prefix(1_023)), [.contentType: "text/html"], for: asks).0 == nil)
    #expect(pack(text, [.contentType: "application/json", .eTag: "\"1-a\""], for: asks).0 == nil)
    #expect(pack(text, [.contentType: "text/css", .contentEncoding: "gzip"], for: asks).0 == nil)
    #expect(pack(text, [.contentType: "image/png"], for: asks).0 == nil)
    #expect(pack(text, [:], for: asks).0 == nil)
  }

  @Test func leavesWhatWouldNotGetShorter() {
    var state: UInt64 = 1
    let noise = (0..<2_000).map { _ -> UInt8 in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    }
    #expect(Gzip.compress(noise, level: 9) == nil)
    #expect(Gzip.compress([], level: 9) == nil)
  }

  @Test(arguments: [
    ("gzip", true), ("br, gzip;q=0.5", true), ("GZIP", true), ("*", true), ("deflate, *;q=0.1", true),
    ("gzip; q=1.0", true), ("gzip;q=0", false), ("gzip;q=0, *", false), ("*;q=0", false), ("br", false),
    ("identity", false), ("", false), ("gzip;x", false), ("notgzip", false),
  ])
  func readsWhatIsAccepted(header: String, accepted: Bool) {
    #expect(Gzip.isAccepted(header) == accepted)
  }

  @Test func anEndpointsAnswerIsCompressed() async throws {
    let text = String(decoding: text, as: UTF8.self)
    let harness = Harness([
      Endpoint(.get, "/long", "long", .operations, "Long.", access: .open, answers: []) { _ in
        .text(text, type: "text/plain")
      }
    ])
    let packed = try await harness.call(.get, "/long", headers: asks)
    #expect(packed[.contentEncoding] == "gzip")
    #expect(packed[.contentLength].flatMap { Int($0) } ?? packed.bytes.count == packed.bytes.count)
    let head = try await harness.call(.head, "/long", headers: asks)
    #expect(head[.contentEncoding] == "gzip")
    #expect(head.bytes.isEmpty)
    #expect(try await harness.call(.get, "/long").text == text)
  }
}
