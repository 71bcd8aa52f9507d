import Foundation

/// What a server's processes hold and have used, as the system counts it.
struct ProcessUsage: Sendable {
  /// Resident bytes; of what several processes share, each has its part.
  private(set) var bytes = 0
  /// Of user and system time, to a hundredth.
  private(set) var cpuSeconds = 0.0

  /// - Parameter pid: a process; its children are counted too, such as nginx's workers.
  init(of pid: Int32) throws {
    var isThere = false
    for process in try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap({ Int32($0) }) {
      guard let stat = Self.read("/proc/\(process)/stat"), let end = stat.lastIndex(of: ")") else { continue }
      // The name in parentheses may hold spaces. Behind it: state, parent, …, utime and stime.
      let fields = stat[stat.index(after: end)...].split(separator: " ")
      guard fields.count > 12, process == pid || Int32(fields[1]) == pid else { continue }
      guard let resident = Self.resident(process), let user = Double(fields[11]), let system = Double(fields[12])
      else { throw BenchFailure("process \(process) can't be measured") }
      bytes += resident
      cpuSeconds += (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
      if process == pid { isThere = true }
    }
    guard isThere else { throw BenchFailure("process \(pid) has ended") }
  }

  private static func resident(_ process: Int32) -> Int? {
    let line = read("/proc/\(process)/smaps_rollup")?.split(separator: "\n").first { $0.hasPrefix("Pss:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  private static func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}

/// Nanoseconds of a clock that only goes forward, for times that are taken for each of a million deliveries.
enum Monotonic {
  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
