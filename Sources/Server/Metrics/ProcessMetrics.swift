import Foundation

/// The process as Prometheus' client libraries describe it, read from /proc when it is asked for.
package enum ProcessMetrics {
  package static var text: String {
    var text = ""
    // Fields of /proc/self/statm are pages; the second is the resident set.
    if let pages = read("/proc/self/statm")?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) {
      PrometheusText.header("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", to: &text)
      PrometheusText.sample("process_resident_memory_bytes", "", String(pages * Int(getpagesize())), to: &text)
    }
    if let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
      PrometheusText.header("process_open_fds", "gauge", "Number of open file descriptors.", to: &text)
      PrometheusText.sample("process_open_fds", "", String(open), to: &text)
    }
    // The name in parentheses may hold spaces; what follows it does not. utime and stime are fields 14 and 15.
    if let stat = read("/proc/self/stat"), let end = stat.lastIndex(of: ")") {
      let fields = stat[stat.index(after: end)...].split(separator: " ")
      if fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) {
        let name = "process_cpu_seconds_total"
        let seconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        PrometheusText.header(name, "counter", "Total user and system CPU time spent in seconds.", to: &text)
        PrometheusText.sample(name, "", PrometheusText.number(seconds), to: &text)
      }
    }
    return text
  }

  private static func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
}
