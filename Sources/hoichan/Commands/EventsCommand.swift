import ArgumentParser
import Coordinator
import Domain
import Foundation

/// The feed in the terminal.
struct EventsCommand: AsyncParsableCommand {
  func run() async throws { throw ValidationError("Say what to do: tail.") }

  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Follows the event log.", subcommands: [Tail.self])

  struct Tail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints events as they happen, one JSON event a line.")
    @OptionGroup var settings: SettingsOptions
    @Option(help: "A cursor to go on from, or 'oldest'. Without it: from now on.") var after: String?
    @Option(help: "A type, with * as a wildcard; may be repeated.") var type: [String] = []

    func run() async throws {
      try await administer(settings) { coordinator, call in
        let wake = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        coordinator.store.onChange { _ in wake.continuation.yield() }
        let (verdict, bounds) = try await coordinator.resolve(after)
        guard case .serve(var position) = verdict else {
          throw ValidationError(
            "This cursor cannot be served (\(verdict)). Oldest: \(bounds.oldest.text). Head: \(bounds.head.text).")
        }
        let visibility = Visibility(call.caller)
        let filter = EventFilter(types: type)
        var iterator = wake.stream.makeAsyncIterator()
        repeat {
          while true {
            let page = try await coordinator.events(after: position, limit: Limits.replayPage)
            for event in page
            where visibility.sees(event)
              && filter.matches(
                type: event.type, facilities: event.facilities, specialty: event.specialty, subject: event.subject)
            {
              FileHandle.standardOutput.write(Data((event.cloudEvent + "\n").utf8))
            }
            guard let last = page.last else { break }
            position = last.seq
          }
        } while await iterator.next() != nil
      }
    }
  }
}
