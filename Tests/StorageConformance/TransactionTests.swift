import Coordinator
import Domain
import Foundation
import Storage
import Testing

/// What every engine promises of a transaction.
@Suite(.timeLimit(.minutes(10))) struct TransactionTests {
  struct Failed: Error {}

  @Test(arguments: Engine.allCases) func aFailureLeavesNothing(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let rejection = Rejection(.slotTaken, "Somebody else has this time.")
      let thrown = await #expect(throws: Rejection.self) {
        try await store.write { tx in
          try tx.setMeta("a", "1")
          try tx.append(Fixture.draft(), at: Fixture.now)
          try tx.log([Fixture.access()])
          throw rejection
        }
      }
      #expect(thrown == rejection)
      #expect(try await store.read { try $0.meta("a") } == nil)
      #expect(try await store.read { try $0.logBounds().head.seq } == 0)
    }
  }

  /// A statement that fails inside a transaction takes all of it along, even if the body goes on.
  @Test(arguments: Engine.allCases) func aWholeTransactionOrNone(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let consult = Fixture.consult()
      try await store.write { try $0.insert(consult) }
      await #expect(throws: StoreFailure.self) {
        try await store.write { tx in
          try tx.setMeta("a", "1")
          try tx.insert(consult)
        }
      }
      #expect(try await store.read { try $0.meta("a") } == nil)
    }
  }

  @Test(arguments: Engine.allCases) func oneOf256FailsAlone(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let failures = try await withThrowingTaskGroup(of: Int?.self) { group in
        for job in 0..<256 {
          group.addTask {
            do {
              try await store.write { tx in
                try tx.setMeta("job-\(job)", "done")
                try tx.append(Fixture.draft(), at: Fixture.now)
                if job == 77 { throw Failed() }
              }
              return nil
            } catch is Failed { return job }
          }
        }
        return try await group.reduce(into: [Int]()) { if let job = $1 { $0.append(job) } }
      }
      #expect(failures == [77])
      #expect(try await store.int(SQL("SELECT count(*) FROM meta WHERE name LIKE 'job-%'")) == 255)
      #expect(try await store.read { try $0.meta("job-77") } == nil)
      #expect(try await store.read { try $0.logBounds().head.seq } == 255)
      #expect(try await store.verify(secrets: Secrets(key: [1])).isSound)
    }
  }

  @Test(arguments: Engine.allCases) func aLostRaceIsRunAgain(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let runs = Counter()
      let value = try await store.write { tx -> String in
        let run = runs.add()
        #expect(try tx.meta("run") == nil)
        try tx.setMeta("run", "\(run)")
        if run < 3 { throw StaleVersion() }
        return "third"
      }
      #expect(value == "third")
      #expect(try await store.read { try $0.meta("run") } == "3")
    }
  }

  @Test(arguments: Engine.allCases) func whoLosesEveryRaceHearsOfIt(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let runs = Counter()
      await #expect(throws: StoreFailure.self) {
        try await store.write { _ in
          runs.add()
          throw StaleVersion()
        }
      }
      #expect(runs.value == Limits.rerunsOfLostRace)
    }
  }

  /// Each writer reads at once what it was told is written.
  @Test(arguments: Engine.allCases) func readsSeeWhatWasAcknowledged(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<100 {
          group.addTask {
            for value in 0..<5 {
              try await store.write { try $0.setMeta("w\(writer)", "\(value)") }
              #expect(try await store.read { try $0.meta("w\(writer)") } == "\(value)")
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  /// Two rows that are always written together are never seen apart.
  @Test(arguments: Engine.allCases) func aReadIsOneSnapshot(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      try await store.write { tx in
        try tx.setMeta("a", "0")
        try tx.setMeta("b", "0")
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for value in 1...100 {
          group.addTask {
            try await store.write { tx in
              try tx.setMeta("a", "\(value)")
              try tx.setMeta("b", "\(value)")
            }
          }
          group.addTask {
            let (a, b) = try await store.read { (try $0.meta("a"), try $0.meta("b")) }
            #expect(a == b)
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test(arguments: Engine.allCases) func aReadWritesNothing(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      await #expect(throws: StoreFailure.self) { try await store.read { try $0.setMeta("a", "1") } }
      #expect(try await store.read { try $0.meta("a") } == nil)
    }
  }

  @Test(arguments: Engine.allCases) func aFailedReadIsFollowedByOthers(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      for _ in 0..<10 { await #expect(throws: Failed.self) { try await store.read { _ in throw Failed() } } }
      #expect(try await store.read { try $0.meta("epoch") } != nil)
    }
  }

  @Test(arguments: Engine.allCases) func commitsAreToldAfterTheyHoldAndOnlyThen(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let (commits, told) = AsyncStream.makeStream(of: StoreChange.self)
      store.onChange { told.yield($0) }
      try await store.write { try $0.setMeta("a", "1") }
      for await source in commits {
        #expect(source == .committed)
        break
      }
      #expect(try await store.read { try $0.meta("a") } == "1")
    }
  }

  /// What is handed on without a look into the log is what the log holds, and nothing that was taken back.
  @Test(arguments: Engine.allCases) func whatIsHandedOnIsInTheLog(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let (changes, told) = AsyncStream.makeStream(of: StoreChange.self)
      store.onChange { told.yield($0) }
      await withTaskGroup(of: Void.self) { group in
        for job in 0..<60 {
          group.addTask {
            try? await store.write { tx in
              try tx.append(Fixture.draft(), at: Fixture.now)
              if job % 3 == 0 { throw Failed() }
            }
          }
        }
      }
      try await store.settle()
      try await store.write { try $0.append(Fixture.draft(), at: Fixture.now) }
      try await store.settle()
      let log = try await store.read { try $0.events(after: 0, limit: 100) }
      #expect(log.count == 41)
      for await case .logged(let stretch?) in changes {
        let start = Int(stretch.seq)
        #expect(stretch.events == Array(log[start..<start + stretch.events.count]))
        #expect(stretch.chain == (start == 0 ? SQLTransaction.genesis : log[start - 1].chain))
        if stretch.events.last == log.last { break }
      }
    }
  }

  /// PostgreSQL stores no U+0000, so no engine may seem to.
  @Test(arguments: Engine.allCases) func refusesAZeroCharacter(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      for text in ["\u{0}", "a\u{0}", "\u{0}b", "a\u{0}b"] {
        await #expect(throws: StoreFailure.self) { try await store.write { try $0.setMeta("zero", text) } }
        await #expect(throws: StoreFailure.self) { try await store.read { try $0.person(username: text) } }
      }
      #expect(try await store.read { try $0.meta("zero") } == nil)
    }
  }

  @Test(arguments: Engine.allCases) func keepsEmptyAndLargeValues(engine: Engine) async throws {
    try await engine.withStore { store async throws in
      let large = String(repeating: "ệ", count: 400_000)
      for text in ["", " ", large] {
        try await store.write { try $0.setMeta("text", text) }
        #expect(try await store.read { try $0.meta("text") } == text)
      }
      for number in [Int64.min, -1, 0, Int64.max] {
        try await store.run(SQL("DELETE FROM setting WHERE name = 'n'"))
        try await store.run(SQL("INSERT INTO setting (name, value) VALUES ('n', $1)"), values: [.int(number)])
        #expect(try await store.read { try $0.setting("n") } == number)
      }
    }
  }
}
