import ArgumentParser
import Coordinator
import Domain
import Foundation
import ServiceLifecycle
import UnixSignals

/// The feed in the terminal.
struct EventsCommand: AsyncParsableCommand {
  func run() async throws { throw ValidationError("Say what to do: tail.") }

  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Follows the event log.", subcommands: [Tail.self])

  struct Tail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints events as they happen, one JSON event a line.",
      discussion: """
        Ends on SIGINT and SIGTERM and when nobody reads its output, with the cursor to go on from on standard error. \
        A cursor that can't be served (any more) is told there too, and the status is \(gapStatus).
        """)
    @OptionGroup var settings: SettingsOptions
    // A cursor may begin with a dash.
    @Option(parsing: .unconditional, help: "A cursor to go on from, or 'oldest'. Without it: from now on.")
    var after: String?
    @Option(help: "A type, with * as a wildcard; may be repeated.") var type: [String] = []

    private static let gapStatus: Int32 = 3

    func run() async throws {
      // A reader that has gone is an end like others, and shall not kill.
      signal(SIGPIPE, SIG_IGN)
      try await administer(settings) { coordinator, call in
        let (verdict, bounds) = try await coordinator.resolve(after)
        if case .gap(let gap) = verdict { throw Self.refusal(gap, bounds) }
        let tail = EventTail(
          coordinator, from: after.map { Cursor($0) ?? bounds.oldest } ?? bounds.head,
          visibility: Visibility(call.caller), filter: EventFilter(types: type))
        let group = ServiceGroup(
          configuration: .init(
            services: [.init(service: tail, successTerminationBehavior: .gracefullyShutdownGroup)],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: coordinator.logger))
        try await group.run()
        switch tail.end {
        case .gap(let gap, let bounds): throw Self.refusal(gap, bounds)
        case .failed(let reason): throw ValidationError(reason)
        case .over(let cursor): Self.say(["kind": "bookmark", "cursor": .string(cursor.text)])
        case nil: break
        }
      }
    }

    /// Says what the feed's socket would say.
    private static func refusal(_ gap: CursorGap, _ bounds: LogBounds) -> ExitCode {
      say([
        "kind": "gap", "reason": .string(gap.rawValue), "oldest": .string(bounds.oldest.text),
        "head": .string(bounds.head.text),
      ])
      return ExitCode(gapStatus)
    }

    /// On standard error, unless nobody reads that either.
    private static func say(_ frame: JSON) {
      try? FileHandle.standardError.write(contentsOf: Data((frame.text + "\n").utf8))
    }
  }
}
