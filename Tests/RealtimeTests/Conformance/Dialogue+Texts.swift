@testable import Realtime

/// Chapter 6: texts that are UTF-8 and bytes that are not, after Markus Kuhn's stress test for decoders, which every
/// suite for WebSockets uses.
extension Dialogue {
  static let texts: [Dialogue] = {
    var dialogues = [
      Dialogue("text in two pieces", [text("Hello-µ@ßöä", last: false), more("üàá-UTF-8!!")], [.said(mixed)]),
      inFragments(.text, Array(mixed.utf8), of: 1),
      inFragments(.text, greek, of: 1),
      Dialogue(
        "a surrogate in fragments of one", inFragments(.text, greek + hex("ed a0 80") + edited, of: 1).frames,
        [.close(1007)]),
    ]
    for bytes in validTexts { dialogues.append(Dialogue("text \(bytes)", [frame(.text, bytes)], [.text(bytes)])) }
    for bytes in brokenTexts { dialogues.append(Dialogue("no text \(bytes)", [frame(.text, bytes)], [.close(1007)])) }
    return dialogues
  }()

  private static let mixed = "Hello-µ@ßöäüàá-UTF-8!!"
  /// A word of five characters, each of several bytes.
  static let greek = hex("ce ba e1 bd b9 cf 83 ce bc ce b5")
  static let edited = Array("edited".utf8)

  private static let greekPrefixes: [[UInt8]] = (1...greek.count).map { Array(greek.prefix($0)) }
  /// The lengths at which they end with a character.
  private static let wholePrefixes: Set<Int> = [2, 5, 7, 9, 11]

  private static let validTexts: [[UInt8]] = {
    var texts = greekPrefixes.filter { wholePrefixes.contains($0.count) }
    for text in ["hello$world", "hello\u{A2}world", "hello\u{20AC}world", "hello\u{24B62}world"] {
      texts.append(Array(text.utf8))
    }
    for text in validHex { texts.append(hex(text)) }
    // The last two of each plane are no characters, and still valid.
    for plane in UInt32(0)...16 {
      for low in [0xFFFE, 0xFFFF] as [UInt32] {
        guard let scalar = Unicode.Scalar(plane << 16 | low) else { continue }
        texts.append(Array(String(Character(scalar)).utf8))
      }
    }
    return texts
  }()

  private static let validHex: [String] = [
    // First and last of each length, and what stands around the surrogates.
    "00", "c2 80", "e0 a0 80", "f0 90 80 80", "7f", "df bf", "ef bf bf", "f4 8f bf bf", "ed 9f bf", "ee 80 80",
    // Specials.
    "ef bf b9", "ef bf ba", "ef bf bb", "ef bf bc", "ef bf bd",
  ]

  private static let brokenTexts: [[UInt8]] = {
    var texts = greekPrefixes.filter { !wholePrefixes.contains($0.count) }
    for text in brokenHex { texts.append(hex(text)) }
    texts.append([UInt8](0x80...0xBF))
    // First bytes of every kind, each with a space behind it.
    let kinds: [ClosedRange<UInt8>] = [0xC0...0xDF, 0xE0...0xEF, 0xF0...0xF7, 0xF8...0xFB, 0xFC...0xFD]
    for kind in kinds { texts.append(kind.flatMap { [$0, 0x20] }) }
    return texts
  }()

  private static let brokenHex: [String] = [
    // Lengths of five and six, and what lies beyond U+10FFFF.
    "f8 88 80 80 80", "fc 84 80 80 80 80", "f7 bf bf bf", "fb bf bf bf bf", "fd bf bf bf bf bf", "f4 90 80 80",
    // Continuations of nothing.
    "80", "bf", "80 bf", "80 bf 80", "80 bf 80 bf", "80 bf 80 bf 80", "80 bf 80 bf 80 bf",
    // The last continuation is missing.
    "c0", "e0 80", "f0 80 80", "f8 80 80 80", "fc 80 80 80 80", "df", "ef bf", "f7 bf bf", "fb bf bf bf",
    "fd bf bf bf bf",
    "c0 e0 80 f0 80 80 f8 80 80 80 fc 80 80 80 80 df ef bf f7 bf bf fb bf bf bf fd bf bf bf bf",
    // Bytes that no text has.
    "fe", "ff", "fe fe ff ff",
    // Longer than needed: a slash, the longest of each, zero.
    "c0 af", "e0 80 af", "f0 80 80 af", "f8 80 80 80 af", "fc 80 80 80 80 af", "c1 bf", "e0 9f bf", "f0 8f bf bf",
    "f8 87 bf bf bf", "fc 83 bf bf bf bf", "c0 80", "e0 80 80", "f0 80 80 80", "f8 80 80 80 80", "fc 80 80 80 80 80",
    // Surrogates, alone and in pairs.
    "ed a0 80", "ed ad bf", "ed ae 80", "ed af bf", "ed b0 80", "ed be 80", "ed bf bf", "ed a0 80 ed b0 80",
    "ed a0 80 ed bf bf", "ed ad bf ed b0 80", "ed ad bf ed bf bf", "ed ae 80 ed b0 80", "ed ae 80 ed bf bf",
    "ed af bf ed b0 80", "ed af bf ed bf bf",
  ]

  static func hex(_ text: String) -> [UInt8] { text.split(separator: " ").map { UInt8($0, radix: 16)! } }
}
