import Storage

/// The nodes that say that they live.
enum NodeTable {
  /// Those that were heard of lately: id, address, state.
  static let live = SQL(
    "SELECT id, address, state FROM node WHERE heartbeat_at > database_now() - 3000 ORDER BY started_at, id")
  static let beat = SQL(
    """
    INSERT INTO node (id, address, version, started_at, heartbeat_at, state)
    VALUES ($1, $2, $3, database_now(), database_now(), $4)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at, state = excluded.state
    """)
  static let leave = SQL("DELETE FROM node WHERE id = $1")
  static let forget = SQL("DELETE FROM node WHERE heartbeat_at < database_now() - 86400000")
}
