import Domain
import Testing

@Suite struct CSVTableTests {
  static func rows(_ text: String) throws -> [[String]] {
    let table = try CSVTable(parsing: Array(text.utf8))
    return [table.header.fields] + table.rows.map(\.fields)
  }

  @Test(arguments: [
    ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]), ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]),
    ("\u{FEFF}a;b\n1;2,5\n", [["a", "b"], ["1", "2,5"]]), ("a;b;c,d\n1;2;3", [["a", "b", "c,d"], ["1", "2", "3"]]),
    ("a\n1\n", [["a"], ["1"]]), ("a,b\n\"x,y\",\"he said \"\"no\"\"\"\n", [["a", "b"], ["x,y", "he said \"no\""]]),
    ("a,b\n\"two\r\nlines\",\n", [["a", "b"], ["two\r\nlines", ""]]), ("a,b\n,\n", [["a", "b"], ["", ""]]),
    ("a,b\n1,\"\"", [["a", "b"], ["1", ""]]), ("a,b\n1,", [["a", "b"], ["1", ""]]), ("a,b", [["a", "b"]]),
    ("\n\na,b\n\n1,2\r\n\n", [["a", "b"], ["1", "2"]]), ("\"a;b;c\",d\n1,2", [["a;b;c", "d"], ["1", "2"]]),
    ("tên,ghi chú\nTrần Đức Ánh, có dấu ", [["tên", "ghi chú"], ["Trần Đức Ánh", " có dấu "]]),
    // A mark behind a comma belongs to the field, not to the comma.
    ("a,b\n1,\u{301}2", [["a", "b"], ["1", "\u{301}2"]]), ("a,b\n\"1\",2", [["a", "b"], ["1", "2"]]),
    ("a,b\n1,2,3\n4", [["a", "b"], ["1", "2", "3"], ["4"]]),
  ])
  func reads(text: String, rows: [[String]]) throws {
    #expect(try Self.rows(text) == rows)
  }

  @Test func knowsLines() throws {
    let table = try CSVTable(parsing: Array("a,b\n\n\"x\ny\",2\r\n3,4\n".utf8))
    #expect(table.header.line == 1)
    #expect(table.rows.map(\.line) == [3, 5])
  }

  @Test(
    arguments: [
      ("", 1, nil, "empty"), ("\n\r\n", 1, nil, "empty"), ("a,b\n1,\"2\n3,4\n", 2, 2, "never closed"),
      ("a,b\n\"1\"x,2", 2, 1, "behind the closing quote"), ("a,b\n1,2\"3\"", 2, 2, "quote inside"),
      ("a,b\n 1, \"2\"", 2, 2, "quote inside"), ("a,b\r1,2", 1, 2, "carriage return"),
      ("a,b\n1,\"x\ny\" \n", 3, 2, "behind the closing quote"), ("a,b\n1,x\u{0}y", 2, 2, "UTF-8"),
    ] as [(String, Int, Int?, String)])
  func refuses(text: String, line: Int, column: Int?, message: String) {
    let problem = #expect(throws: ImportProblem.self) { try CSVTable(parsing: Array(text.utf8)) }
    #expect(problem?.line == line && problem?.column == column)
    #expect(problem?.message.contains(message) == true, "\(problem?.description ?? "")")
  }

  @Test func refusesOtherEncodings() {
    let latin = #expect(throws: ImportProblem.self) { try CSVTable(parsing: Array("a,b\n1,".utf8) + [0xE9]) }
    #expect(latin?.line == 2 && latin?.column == 2)
    for mark in [[0xFF, 0xFE], [0xFE, 0xFF]] as [[UInt8]] {
      let wide = #expect(throws: ImportProblem.self) { try CSVTable(parsing: mark + [0x61, 0]) }
      #expect(wide?.message.contains("UTF-16") == true)
    }
  }

  @Test func boundsColumns() throws {
    let wide = Array(repeating: "x", count: Limits.csvColumns).joined(separator: ",")
    #expect(try Self.rows(wide)[0].count == Limits.csvColumns)
    #expect(throws: ImportProblem.self) { try Self.rows(wide + ",x") }
  }

  /// By bytes: a quote with a combining mark behind it is one `Character`, but still a quote.
  static func quoted(_ field: String) -> String {
    let inner = field.utf8.flatMap { $0 == 0x22 ? [0x22, 0x22] : [$0] }
    return String(decoding: [0x22] + inner + [0x22], as: UTF8.self)
  }

  /// Whatever is written by the rules is read back, and no bytes make the reader fail otherwise than by its error.
  @Test(arguments: 0..<30 as Range<UInt64>)
  func roundTrips(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let pieces = ["a", "đ", ",", ";", "\"", "\n", "\r\n", " ", "", "😀", "\u{301}"]
    for _ in 0..<40 {
      let (comma, crlf, columns) = (random.below(2) == 0, random.below(2) == 0, 1 + random.below(4))
      let header = (0..<columns).map { "c\($0)" }
      let rows = (0..<random.below(6)).map { _ in
        // A row of one empty field would be an empty line.
        (0..<columns).map { column in
          (column == 0 ? "x" : "") + (0..<random.below(5)).map { _ in random.pick(pieces) }.joined()
        }
      }
      let text = ([header] + rows).map { row in
        row.map { field in
          let plain = !field.utf8.contains { [0x22, 0x0A, 0x0D, 0x2C, 0x3B].contains($0) } && random.below(2) == 0
          return plain ? field : Self.quoted(field)
        }.joined(separator: comma ? "," : ";")
      }.joined(separator: crlf ? "\r\n" : "\n")
      #expect(try Self.rows(text) == [header] + rows, "seed \(seed)")
      let noise = (0..<random.below(60)).map { _ in random.pick(Array("a,;\"\n\r\u{FF}é".utf8) + [0xFF, 0x00]) }
      do { _ = try CSVTable(parsing: noise) } catch { #expect(error.line >= 1, "seed \(seed)") }
    }
  }
}
