import ArgumentParser
import Foundation
import UnixSignals

/// Measures the product on this machine, beside what one would otherwise use (docs/BENCHMARKS.md).
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures bookings, slot search, several nodes and the feed on this machine.",
    subcommands: [BookingBench.self, SlotsBench.self, NodesBench.self, FeedBench.self, CrowdBench.self, EchoBench.self])
}

/// A benchmark that could not be carried out, or whose result is not to be trusted.
struct BenchFailure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// Runs a benchmark so that an interrupt ends what it started as well, and the folder goes.
func benchmark(in parent: String, _ body: @escaping @Sendable (BenchFolder) async throws -> Void) async throws {
  let folder = try BenchFolder(in: parent)
  defer { folder.remove() }
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await body(folder) }
    group.addTask {
      for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
        throw BenchFailure("it was interrupted")
      }
    }
    // Whichever ends first ends the other: a cancelled child is terminated and waited for.
    defer { group.cancelAll() }
    try await group.next()
  }
}

/// Prints a line at once, also into a file: a benchmark takes minutes.
func say(_ line: String) {
  print(line)
  fflush(nil)
}
