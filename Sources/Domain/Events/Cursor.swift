import Foundation

/// A position in the log: what was seen last. Holds the deployment's epoch, the sequence number and the first eight
/// bytes of the chain there, so that a database which was rewound or replaced is noticed.
package struct Cursor: Sendable, Hashable {
  package var epoch: UInt64
  package var seq: Int64
  package var chain: UInt64

  package init(epoch: UInt64, seq: Int64, chain: UInt64) {
    self.epoch = epoch
    self.seq = seq
    self.chain = chain
  }

  package init(epoch: UInt64, seq: Int64, chain bytes: some Sequence<UInt8>) {
    self.init(epoch: epoch, seq: seq, chain: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// Opaque to clients: 24 bytes in base64url, 32 characters.
  package var text: String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(24)
    for word in [epoch, UInt64(bitPattern: seq), chain] {
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
      }
    }
    return Base64URL.encode(bytes)
  }

  package init?(_ text: String) {
    guard text.utf8.count == 32, let bytes = Base64URL.decode(text), bytes.count == 24 else { return nil }
    func word(_ index: Int) -> UInt64 { bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    self.init(epoch: word(0), seq: Int64(bitPattern: word(1)), chain: word(2))
    guard seq >= 0 else { return nil }
  }
}

/// base64url without padding (RFC 4648 section 5).
package enum Base64URL {
  package static func encode(_ bytes: some Sequence<UInt8>) -> String {
    let encoded = Data(bytes).base64EncodedData()
    // Every event has a cursor: this is written once for each, and so without arrays between.
    return String(unsafeUninitializedCapacity: encoded.count) { buffer in
      var count = 0
      encoded.withUnsafeBytes { encoded in
        for byte in encoded where byte != UInt8(ascii: "=") {
          buffer[count] =
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
          count += 1
        }
      }
      return count
    }
  }

  package static func decode(_ text: String) -> [UInt8]? {
    guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=") })
    else { return nil }
    let padded = text.replacing("-", with: "+").replacing("_", with: "/")
    return Data(base64Encoded: padded + String(repeating: "=", count: (4 - padded.utf8.count % 4) % 4)).map(Array.init)
  }
}

/// Why a cursor can't be served; CONTRACT "Paging".
package enum CursorGap: String, Sendable, CaseIterable {
  case epochChanged = "epoch-changed"
  case tooOld = "too-old"
  case ahead
}

/// The log's bounds: what a reader can have now.
package struct LogBounds: Sendable, Equatable {
  package var epoch: UInt64
  /// The position before the first event that is kept.
  package var oldest: Cursor
  package var head: Cursor

  package init(epoch: UInt64, oldest: Cursor, head: Cursor) {
    self.epoch = epoch
    self.oldest = oldest
    self.head = head
  }
}
