import ArgumentParser

/// The command line: one binary that serves, imports, backs up and verifies (CONTRACT "Commands").
@main
struct Hoichan: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hoichan",
    abstract: "Remote consultations between commune health stations and provincial specialists.",
    subcommands: [
      ServeCommand.self, DemoCommand.self, ImportCommand.self, UserCommand.self, TokenCommand.self,
      EventsCommand.self, BackupCommand.self, RestoreCommand.self, VerifyCommand.self, CopyCommand.self,
      MigrateCommand.self,
      OpenAPICommand.self, AsyncAPICommand.self, BenchCommand.self,
    ])
}
