/// A CSV file (RFC 4180): a header and rows, each with the place it was read from.
///
/// UTF-8, with or without a byte order mark; `,` or `;` between fields, whichever the header has more of; lines end
/// in LF or CRLF; a quoted field may hold separators, line ends and doubled quotes. Anything else is refused with its
/// line and column, since a reader that guesses imports wrong data without a word.
package struct CSVTable: Sendable, Equatable {
  package struct Row: Sendable, Equatable {
    /// The line on which it begins, from 1; quoted line ends make rows longer than a line.
    package var line: Int
    package var fields: [String]
  }

  package var header: Row
  package var rows: [Row]
  /// `,` or `;`.
  package var separator: UInt8

  /// - Throws: the first fault of the form; behind it no field is where it seems to be.
  package init(parsing bytes: [UInt8]) throws(ImportProblem) {
    guard bytes.count <= Limits.csvBytes else {
      throw ImportProblem(line: 1, message: "The file is larger than \(Limits.csvBytes / 1_048_576) MiB.")
    }
    guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
      throw ImportProblem(line: 1, message: "The file is in UTF-16; save it as 'CSV UTF-8'.")
    }
    var reader = CSVReader(bytes: bytes)
    guard let header = try reader.row() else { throw ImportProblem(line: 1, message: "The file is empty.") }
    self.header = header
    separator = reader.separator
    rows = []
    while let row = try reader.row() {
      guard rows.count < Limits.csvRows else {
        throw ImportProblem(line: row.line, message: "There are more than \(Limits.csvRows) rows.")
      }
      rows.append(row)
    }
  }
}

private struct CSVReader {
  private let bytes: [UInt8]
  let separator: UInt8
  private var at: Int
  private var line = 1

  private static let quote = UInt8(ascii: "\"")
  private static let lineFeed = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  init(bytes: [UInt8]) {
    self.bytes = bytes
    at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    separator = Self.separator(ofHeader: bytes[at...])
  }

  /// Counts both in the first line, outside quotes; a single column has neither, and either will do.
  private static func separator(ofHeader bytes: ArraySlice<UInt8>) -> UInt8 {
    var (commas, semicolons, quoted) = (0, 0, false)
    for byte in bytes {
      if byte == quote { quoted.toggle() }
      if quoted { continue }
      if byte == lineFeed { break }
      if byte == UInt8(ascii: ",") { commas += 1 }
      if byte == UInt8(ascii: ";") { semicolons += 1 }
    }
    return semicolons > commas ? UInt8(ascii: ";") : UInt8(ascii: ",")
  }

  private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

  /// The next row that is not an empty line; nil at the end.
  mutating func row() throws(ImportProblem) -> CSVTable.Row? {
    while at < bytes.count {
      let start = line
      if try lineEnd(column: 1) { continue }
      var fields: [String] = []
      repeat {
        guard fields.count < Limits.csvColumns else {
          throw ImportProblem(line: line, message: "There are more than \(Limits.csvColumns) columns.")
        }
        fields.append(try next == Self.quote ? quoted(column: fields.count + 1) : plain(column: fields.count + 1))
      } while try separated(column: fields.count)
      return .init(line: start, fields: fields)
    }
    return nil
  }

  /// Whether another field follows; otherwise steps over the end of the line.
  private mutating func separated(column: Int) throws(ImportProblem) -> Bool {
    guard let byte = next else { return false }
    if byte == separator {
      at += 1
      return true
    }
    guard try lineEnd(column: column) else {
      throw ImportProblem(line: line, column: column, message: "There is text behind the closing quote.")
    }
    return false
  }

  private mutating func lineEnd(column: Int) throws(ImportProblem) -> Bool {
    if next == Self.carriageReturn {
      guard at + 1 < bytes.count, bytes[at + 1] == Self.lineFeed else {
        throw ImportProblem(
          line: line, column: column, message: "A carriage return stands alone; lines end in LF or CRLF.")
      }
      at += 1
    }
    guard next == Self.lineFeed else { return false }
    at += 1
    line += 1
    return true
  }

  private mutating func plain(column: Int) throws(ImportProblem) -> String {
    let start = at
    while let byte = next, byte != separator, byte != Self.lineFeed, byte != Self.carriageReturn {
      guard byte != Self.quote else {
        throw ImportProblem(
          line: line, column: column,
          message: "There is a quote inside a field that has none around it; write \"…\"\"…\".")
      }
      at += 1
    }
    return try text(Array(bytes[start..<at]), line: line, column: column)
  }

  private mutating func quoted(column: Int) throws(ImportProblem) -> String {
    let start = line
    at += 1
    var content: [UInt8] = []
    while let byte = next {
      at += 1
      if byte == Self.quote {
        guard next == Self.quote else { return try text(content, line: start, column: column) }
        at += 1
      }
      if byte == Self.lineFeed { line += 1 }
      content.append(byte)
    }
    throw ImportProblem(line: start, column: column, message: "The quote that opens this field is never closed.")
  }

  private func text(_ content: [UInt8], line: Int, column: Int) throws(ImportProblem) -> String {
    guard let text = String(validating: content, as: UTF8.self), !content.contains(0) else {
      throw ImportProblem(line: line, column: column, message: "The field is not UTF-8; save the file as 'CSV UTF-8'.")
    }
    return text
  }
}
