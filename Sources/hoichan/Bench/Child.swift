import Foundation
import Synchronization

/// A program that a benchmark runs, with its output in files of the benchmark's folder.
final class Child: Sendable {
  /// What the program was started as, for messages.
  let name: String
  let output: String
  let errors: String
  private let process: Process
  private let ended = Mutex<(status: Int32?, waiters: [CheckedContinuation<Void, Never>])>((nil, []))

  /// Starts the program.
  /// - Parameters:
  ///   - name: names its output files; a later child of the same name overwrites them.
  ///   - environment: what is set beside this process's own.
  init(
    _ program: String, _ arguments: [String], name: String, in folder: BenchFolder, environment: [String: String] = [:]
  ) throws {
    self.name = name
    output = folder.file(name + ".out")
    errors = folder.file(name + ".err")
    process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try Self.open(output)
    process.standardError = try Self.open(errors)
    process.terminationHandler = { [weak self] in self?.end($0.terminationStatus) }
    do { try Self.unmasked(process.run) } catch {
      throw BenchFailure("\(program) cannot be started: \(error.localizedDescription)")
    }
  }

  /// A child inherits the mask of the thread that starts it, and threads of the pool block every signal: pgbench would
  /// never hear the alarm that ends its run.
  private static func unmasked(_ body: () throws -> Void) rethrows {
    var none = sigset_t()
    var before = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
  }

  var pid: Int32 { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  private static func open(_ path: String) throws -> FileHandle {
    guard FileManager.default.createFile(atPath: path, contents: nil), let handle = FileHandle(forWritingAtPath: path)
    else { throw BenchFailure("\(path) cannot be written") }
    return handle
  }

  private func end(_ status: Int32) {
    let waiters = ended.withLock { ended in
      ended.status = status
      defer { ended.waiters = [] }
      return ended.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Waits for its end and returns its status; cancellation terminates it first.
  func wait() async -> Int32 {
    await withTaskCancellationHandler {
      await withCheckedContinuation { waiter in
        let done = ended.withLock { ended in
          if ended.status == nil { ended.waiters.append(waiter) }
          return ended.status != nil
        }
        if done { waiter.resume() }
      }
    } onCancel: {
      process.terminate()
    }
    return ended.withLock { $0.status ?? -1 }
  }

  /// Waits for its end, and ends it after that time by force.
  /// - Throws: when it did not end by itself with success, with the end of what it complained.
  func finish(within seconds: Int) async throws {
    let pid = pid
    let (status, isLate) = await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        do { try await Task.sleep(for: .seconds(seconds)) } catch { return false }
        kill(pid, SIGKILL)
        return true
      }
      let status = await wait()
      group.cancelAll()
      return (status, await group.next() ?? false)
    }
    try Task.checkCancellation()
    guard status == 0 else {
      let reason = isLate ? "did not end within \(seconds) s" : "ended with status \(status)"
      let tail = (try? String(contentsOfFile: errors, encoding: .utf8))?.suffix(2000) ?? ""
      throw BenchFailure("\(name) \(reason)\n\(tail)")
    }
  }

  /// Asks it to end, and waits.
  func stop(within seconds: Int) async throws {
    process.terminate()
    try await finish(within: seconds)
  }

  var outputText: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }
}

/// A server that a benchmark started.
protocol BenchedServer: Sendable {
  /// Ends it; throws when it ended otherwise than it should.
  func stop() async throws
}

extension BenchedServer {
  /// Runs the body and stops the server also when it fails.
  func use<T: Sendable>(_ body: (Self) async throws -> T) async throws -> T {
    do {
      let result = try await body(self)
      try await stop()
      return result
    } catch {
      try? await stop()
      throw error
    }
  }
}

/// Programs of the system that a benchmark needs.
enum Program {
  /// - Parameter package: the Debian package that has it, for whoever must install it.
  static func find(_ name: String, package: String, under folders: [String] = []) throws -> String {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    for folder in folders + path.split(separator: ":").map(String.init) {
      let file = folder + "/" + name
      if access(file, X_OK) == 0 { return file }
    }
    throw BenchFailure("\(name) is missing; on Debian: apt-get install \(package)")
  }

  /// Runs it to its end and returns what it printed.
  static func run(
    _ program: String, _ arguments: [String], name: String, in folder: BenchFolder, within seconds: Int
  ) async throws -> String {
    let child = try Child(program, arguments, name: name, in: folder)
    try await child.finish(within: seconds)
    return child.outputText
  }
}
