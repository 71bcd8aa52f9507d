import CZlib
package import HTTPTypes

/// What goes out gets smaller on the way, for those who ask for it: a station's link may carry 64 kbit/s.
///
/// Done here and not by a handler of the connection, where it would hold up every other connection of the same event
/// loop, and would have to know streams and sockets from documents.
package enum Gzip {
  /// Below this a packet is a packet.
  package static let worthwhile = 1_024

  /// The answer's body compressed, and its header fields changed to say so; nil when it goes out as it is.
  ///
  /// An answer with an `ETag` is left alone: a strong tag names these very bytes, and `If-Match` needs it strong.
  /// - Parameter fields: told that the answer depends on what was asked, also where this asker does not want it.
  package static func pack(_ bytes: [UInt8], _ fields: inout HTTPFields, for asked: HTTPFields) -> [UInt8]? {
    guard bytes.count >= worthwhile, !fields.contains(.eTag), !fields.contains(.contentEncoding),
      let type = fields[.contentType], isText(type)
    else { return nil }
    fields[.vary] = "Accept-Encoding"
    guard isAccepted(asked[.acceptEncoding]), let packed = compress(bytes, level: 6) else { return nil }
    fields[.contentEncoding] = "gzip"
    return packed
  }

  /// `Accept-Encoding` names gzip, and not only to refuse it.
  package static func isAccepted(_ header: String?) -> Bool {
    guard let header else { return false }
    var wildcard = false
    for part in header.split(separator: ",") {
      let pieces = part.split(separator: ";", maxSplits: 1).map(\.trimmed)
      guard let name = pieces.first?.lowercased() else { continue }
      let quality = pieces.count > 1 ? pieces[1].lowercased().replacing(" ", with: "") : "q=1"
      let isWanted = quality.hasPrefix("q=") && (Double(quality.dropFirst(2)) ?? 0) > 0
      if name == "gzip" || name == "x-gzip" { return isWanted }
      if name == "*" { wildcard = isWanted }
    }
    return wildcard
  }

  package static func isText(_ type: String) -> Bool {
    ["text/", "application/json", "application/problem+json", "image/svg+xml"].contains { type.hasPrefix($0) }
  }

  /// RFC 1952, in one piece; nil when it would be no shorter.
  package static func compress(_ bytes: [UInt8], level: Int32) -> [UInt8]? {
    guard let length = UInt32(exactly: bytes.count), length > 0 else { return nil }
    // On the heap, since zlib keeps the address.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    defer { stream.deallocate() }
    stream.initialize(to: z_stream())
    // 15 bits of window; 16 more ask for gzip's frame instead of zlib's.
    guard
      deflateInit2_(
        stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        == Z_OK
    else { return nil }
    defer { deflateEnd(stream) }
    var ended = false
    let packed = [UInt8](unsafeUninitializedCapacity: bytes.count) { room, count in
      bytes.withUnsafeBufferPointer { input in
        // zlib's header has no const, but it only reads here.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = length
        stream.pointee.next_out = room.baseAddress
        stream.pointee.avail_out = length
        ended = deflate(stream, Z_FINISH) == Z_STREAM_END
      }
      count = bytes.count - Int(stream.pointee.avail_out)
    }
    return ended ? packed : nil
  }
}
