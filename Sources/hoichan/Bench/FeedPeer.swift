import Foundation

/// What the feed is compared with: Debian's nginx with nchan, or nats-server, each with a configuration that is made for
/// this: sign-in is checked, a quiet subscriber is pinged every 20 s as hoichan does it, and nothing is kept on the disk.
struct FeedPeer: BenchedServer {
  static let subscribing = "/events"
  static let publishing = "/publish"
  static let user = "bench"
  static let secret = "a-secret-of-a-benchmark"
  /// nats-server's name of what is followed.
  static let subject = "feed"
  private static let module = "/usr/lib/nginx/modules/ngx_nchan_module.so"

  let port: Int
  let publishingPort: Int
  private let child: Child

  /// Starts it and waits until it takes connections.
  init(_ kind: FeedServer.Kind, in folder: BenchFolder) async throws {
    let port = try Loopback.freePort()
    var other = port
    while kind == .nats, other == port { other = try Loopback.freePort() }
    self.port = port
    publishingPort = other
    let configuration = folder.file(kind.rawValue + ".conf")
    let program: String
    let arguments: [String]
    if kind == .nchan {
      program = try Program.find("nginx", package: "nginx libnginx-mod-nchan", under: ["/usr/sbin"])
      guard access(Self.module, R_OK) == 0 else {
        throw BenchFailure("\(Self.module) is missing; on Debian: apt-get install libnginx-mod-nchan")
      }
      arguments = ["-p", folder.path, "-c", configuration, "-e", "stderr"]
      try Self.nginx(port).write(toFile: configuration, atomically: true, encoding: .utf8)
    } else {
      program = try Program.find("nats-server", package: "nats-server", under: ["/usr/sbin"])
      arguments = ["-c", configuration]
      try Self.natsServer(port, clients: other).write(toFile: configuration, atomically: true, encoding: .utf8)
    }
    child = try Child(program, arguments, name: kind.rawValue, in: folder)
    do { try await listens() } catch {
      try? await stop()
      let complaint = (try? String(contentsOfFile: child.errors, encoding: .utf8)) ?? ""
      throw BenchFailure("\(kind.name) did not become ready: \(error)\n\(complaint.suffix(2000))")
    }
  }

  var pid: Int32 { child.pid }

  private func listens() async throws {
    let deadline = ContinuousClock.now + .seconds(15)
    for port in [port, publishingPort] {
      while true {
        if let descriptor = try? Loopback.connection(port: port, patience: 1) {
          close(descriptor)
          break
        }
        guard child.isRunning, .now < deadline else { throw BenchFailure("nothing listens on port \(port)") }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }

  /// To both SIGINT means to end at once; nats-server calls only that a success.
  func stop() async throws {
    if child.isRunning { kill(child.pid, SIGINT) }
    try await child.finish(within: 30)
  }

  /// Two workers, each with a socket of its own, so that connections are spread over both. The buffer is as long as
  /// hoichan's ring: by default nchan keeps ten messages, and who is slower than that would lose some.
  private static func nginx(_ port: Int) -> String {
    """
    load_module \(module);
    daemon off;
    worker_processes 2;
    pid nginx.pid;
    lock_file nginx.lock;
    error_log stderr warn;
    events { worker_connections 20000; }
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      keepalive_timeout 600s;
      keepalive_requests 1000000;
      nchan_shared_memory_size 256M;
      server {
        listen 127.0.0.1:\(port) reuseport backlog=4096;
        if ($http_authorization != "Bearer \(secret)") { return 401; }
        location = \(publishing) {
          nchan_publisher http;
          nchan_channel_id feed;
          nchan_message_buffer_length 8192;
          nchan_message_timeout 1h;
        }
        location = \(subscribing) {
          nchan_subscriber websocket;
          nchan_channel_id feed;
          nchan_subscriber_first_message newest;
          nchan_websocket_ping_interval 20;
        }
      }
    }

    """
  }

  private static func natsServer(_ port: Int, clients: Int) -> String {
    """
    listen: "127.0.0.1:\(clients)"
    authorization { user: "\(user)", password: "\(secret)", timeout: 30 }
    websocket { listen: "127.0.0.1:\(port)", no_tls: true, compression: false, handshake_timeout: "30s" }
    ping_interval: "20s"
    ping_max: 10
    write_deadline: "60s"
    max_connections: 60000

    """
  }
}
