import Coordinator
import Domain
import Storage
import Testing

/// A province carried over to another database is the same one there.
@Suite struct CopyTests {
  private static let secrets = Secrets(key: Array(repeating: 7, count: 32))

  @Test(arguments: Engine.allCases, Engine.allCases) func carriesEverythingOver(from: Engine, to: Engine) async throws {
    try await from.withStore { source async throws in
      try await VerificationTests.fill(source)
      try await source.write { tx in
        try tx.insert(Fixture.person("p1", "an"))
        try tx.insert(Fixture.session("s1"))
        try tx.insert(Fixture.trip())
        try tx.insert(Fixture.webhook("w1"))
        try tx.setMeta("demo", "38")
      }
      try await to.withEmptyStore { target async throws in
        try await DatabaseCopy(from: source, to: target).run(secrets: Self.secrets) { _, _ in }
        for table in DatabaseCopy.tables {
          let rows = try await [source, target].asyncMap { try await $0.contents(of: table) }
          #expect(rows[0] == rows[1], "\(table)")
        }
        // Cursors go on, and so does the log.
        let bounds = try await [source, target].asyncMap { store in try await store.read { try $0.logBounds() } }
        #expect(bounds[0] == bounds[1])
        try await target.write { try $0.append(Fixture.draft(), at: Fixture.now) }
        #expect(try await target.read { try $0.logBounds().head.seq } == bounds[0].head.seq + 1)
        #expect(try await target.verify(secrets: Self.secrets).isSound)
        // What is there already is not mixed with another.
        await #expect(throws: StoreFailure.self) {
          try await DatabaseCopy(from: source, to: target).run(secrets: Self.secrets) { _, _ in }
        }
      }
    }
  }

  /// A copy that was interrupted leaves its mark, and is made again from the beginning.
  @Test(arguments: Engine.allCases) func anInterruptedCopyBeginsAnew(engine: Engine) async throws {
    try await engine.withStore { source async throws in
      try await VerificationTests.fill(source)
      try await engine.withEmptyStore { target async throws in
        try await target.write { tx in
          try tx.save(Fixture.directory)
          try tx.setMeta(DatabaseCopy.mark, "1")
        }
        try await DatabaseCopy(from: source, to: target).run(secrets: Self.secrets) { _, _ in }
        #expect(try await target.read { try $0.meta(DatabaseCopy.mark) } == nil)
        #expect(try await target.read { try $0.logBounds().head.seq } == 7)
      }
    }
  }

  /// With another key the seals do not fit: nobody is told that the copy is sound.
  @Test(arguments: Engine.allCases) func refusesWhatItCannotVerify(engine: Engine) async throws {
    try await engine.withStore { source async throws in
      try await VerificationTests.fill(source)
      try await engine.withEmptyStore { target async throws in
        await #expect(throws: StoreFailure.self) {
          try await DatabaseCopy(from: source, to: target).run(secrets: Secrets(key: [9])) { _, _ in }
        }
        #expect(try await target.read { try $0.meta(DatabaseCopy.mark) } != nil)
      }
    }
  }
}

extension Store {
  /// Every row of a table as text, in the order of their texts.
  fileprivate func contents(of table: String) async throws -> [String] {
    try await read { transaction in
      guard let tables = transaction as? SQLTransaction else { throw StoreFailure("no tables") }
      let columns = try tables.connection.columns(of: table)
      let names = columns.map(\.name).joined(separator: ", ")
      return try tables.connection.rows(SQL(dynamic: "SELECT \(names) FROM \(table)"), []) { row in
        columns.indices.map { index in
          if row.isNull(index) { return "NULL" }
          switch columns[index].kind {
          case .int: return "\(row.int(index))"
          case .double: return "\(row.double(index))"
          case .text: return row.text(index)
          case .blob: return "\(row.blob(index))"
          }
        }.joined(separator: "|")
      }.sorted()
    }
  }
}

extension Sequence {
  fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
    var result: [T] = []
    for element in self { result.append(try await transform(element)) }
    return result
  }
}
