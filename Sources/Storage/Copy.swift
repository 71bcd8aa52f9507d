package import Coordinator
import Domain

/// A column, as the engine knows it.
package struct SQLColumn: Sendable, Equatable {
  package enum Kind: Sendable { case int, double, text, blob }
  package var name: String
  package var kind: Kind
  /// Its place in the primary key, from 1; nil outside it.
  package var keyPosition: Int?

  package init(name: String, kind: Kind, keyPosition: Int?) {
    self.name = name
    self.kind = kind
    self.keyPosition = keyPosition
  }
}

/// Carries a database over into an empty one, on whichever engine (`hoichan copy`). Nobody may write to either
/// meanwhile. The log keeps its numbers, its chain and its epoch, so that every cursor holds on.
package struct DatabaseCopy: Sendable {
  /// Set in the target while its rows are incomplete: nobody serves it then.
  package static let mark = "copying"

  /// What belongs to the nodes and not to the province, and what every database has from its beginning.
  private static let left: Set<String> = [
    "cell_offset", "lease", "node", "node_message", "call_room", "event_outbox", "access_outbox",
  ]
  package static let tables = Schema.tables.filter { !left.contains($0) }

  private let source: any Store
  private let target: any Store

  package init(from source: any Store, to target: any Store) {
    self.source = source
    self.target = target
  }

  /// - Parameter progress: told of every table: its name and its rows.
  package func run(secrets: Secrets, progress: @Sendable (String, Int) -> Void) async throws {
    try await source.settle()
    try await begin()
    for table in Self.tables { progress(table, try await copy(table)) }
    try await compare(secrets)
    try await tables(of: target, writing: true) { try $0.connection.post(SQLs.end, [.text(Self.mark)]) }
  }

  /// Refuses a target in which anything stands, and empties what every database has from its beginning.
  private func begin() async throws {
    try await tables(of: target, writing: true) { tables in
      let isEmpty =
        try tables.people(page: Page(limit: 1)).isEmpty
        && tables.facilities(query: nil, page: Page(limit: 1)).isEmpty && tables.logHead().seq == 0
      guard try isEmpty || tables.meta(Self.mark) != nil else {
        throw StoreFailure("the database to copy to is not empty")
      }
      for table in Self.tables.reversed() where table != "facility" {
        try tables.connection.post(SQL(dynamic: "DELETE FROM \(table)"), [])
      }
      // Its rows refer to one another.
      try tables.connection.post(SQL(dynamic: "UPDATE facility SET parent = NULL"), [])
      try tables.connection.post(SQL(dynamic: "DELETE FROM facility"), [])
      try tables.setMeta(Self.mark, "1")
    }
  }

  private func copy(_ table: String) async throws -> Int {
    let statements = try await tables(of: source) { try Statements(table, try $0.connection.columns(of: table)) }
    var (count, last) = (0, [SQLValue]?.none)
    while true {
      let after = last
      let rows = try await tables(of: source) { tables in
        try tables.connection.rows(
          after == nil ? statements.first : statements.next, (after ?? []) + [.int(Int64(Limits.copiedPage))],
          statements.read)
      }
      guard let newest = rows.last else { break }
      try await tables(of: target, writing: true) { tables in
        for row in rows { try tables.connection.post(statements.insert, statements.inserted(row)) }
      }
      last = statements.key(of: newest)
      count += rows.count
      if rows.count < Limits.copiedPage { break }
    }
    if table == "facility" { try await copyParents() }
    return count
  }

  /// A facility's parent may come behind it.
  private func copyParents() async throws {
    let parents = try await source.read { try $0.facilityParents() }
    try await tables(of: target, writing: true) { tables in
      for (code, parent) in parents { try tables.connection.post(SQLs.parent, [.text(code), .orNull(parent)]) }
    }
  }

  /// Counts, chain and claims must be those of the source.
  private func compare(_ secrets: Secrets) async throws {
    for table in Self.tables where table != "meta" {
      let count = SQL(dynamic: "SELECT count(*) FROM \(table)")
      let counts = try await [source, target].asyncMap { store in
        try await tables(of: store) { try $0.connection.first(count, []) { $0.int(0) } }
      }
      guard counts[0] == counts[1] else { throw StoreFailure("\(table) has not as many rows in the copy") }
    }
    let head = try await source.verify(secrets: secrets).head
    let report = try await target.verify(secrets: secrets, head: head)
    guard report.isSound, report.head == head else {
      throw StoreFailure("the copy is not sound: \(report.problems.prefix(3).joined(separator: " "))")
    }
  }

  private func tables<T: Sendable>(
    of store: any Store, writing: Bool = false, _ body: @escaping @Sendable (SQLTransaction) throws -> T
  ) async throws -> T {
    let run: @Sendable (any StoreTransaction) throws -> T = { transaction in
      guard let tables = transaction as? SQLTransaction else { throw StoreFailure("this store has no tables") }
      return try body(tables)
    }
    return writing ? try await store.write(run) : try await store.read(run)
  }

  private enum SQLs {
    static let parent = SQL("UPDATE facility SET parent = $2 WHERE code = $1")
    static let end = SQL("DELETE FROM meta WHERE name = $1")
  }
}

/// How one table is read in the order of its key, and written.
private struct Statements: Sendable {
  let first: SQL
  let next: SQL
  let insert: SQL
  private let columns: [SQLColumn]
  private let keyColumns: [Int]
  private let parent: Int?

  init(_ table: String, _ columns: [SQLColumn]) throws {
    self.columns = columns
    keyColumns = columns.indices.filter { columns[$0].keyPosition != nil }
      .sorted { columns[$0].keyPosition ?? 0 < columns[$1].keyPosition ?? 0 }
    guard !keyColumns.isEmpty else { throw StoreFailure("\(table) has no key") }
    parent = table == "facility" ? columns.firstIndex { $0.name == "parent" } : nil
    func marks(_ count: Int) -> String { (1...count).map { "$\($0)" }.joined(separator: ", ") }
    let names = columns.map(\.name).joined(separator: ", ")
    let key = keyColumns.map { columns[$0].name }.joined(separator: ", ")
    let count = keyColumns.count
    first = SQL(dynamic: "SELECT \(names) FROM \(table) ORDER BY \(key) LIMIT $1")
    next = SQL(
      dynamic: "SELECT \(names) FROM \(table) WHERE (\(key)) > (\(marks(count))) ORDER BY \(key) LIMIT $\(count + 1)")
    let isMeta = table == "meta" ? " ON CONFLICT (name) DO UPDATE SET value = excluded.value" : ""
    insert = SQL(dynamic: "INSERT INTO \(table) (\(names)) VALUES (\(marks(columns.count)))\(isMeta)")
  }

  func read(_ row: any SQLRow) throws -> [SQLValue] {
    columns.indices.map { index in
      if row.isNull(index) { return .null }
      return switch columns[index].kind {
      case .int: .int(row.int(index))
      case .double: .double(row.double(index))
      case .text: .text(row.text(index))
      case .blob: .blob(row.blob(index))
      }
    }
  }

  func key(of row: [SQLValue]) -> [SQLValue] { keyColumns.map { row[$0] } }

  func inserted(_ row: [SQLValue]) -> [SQLValue] {
    guard let parent else { return row }
    var row = row
    row[parent] = .null
    return row
  }
}

extension Sequence {
  fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
    var result: [T] = []
    for element in self { result.append(try await transform(element)) }
    return result
  }
}
