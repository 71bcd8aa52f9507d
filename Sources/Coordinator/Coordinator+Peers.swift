import Domain

/// What one node's use cases change in what all nodes remember. The database decides; these only say that what is
/// kept in memory may be out of date.
extension Coordinator {
  /// Somebody's time was taken or freed; nil: nobody asked whose.
  func timesChanged(_ practitioners: [String]?) {
    busy.invalidate(practitioners)
    store.peers.tell(PeerMessage(.busy, practitioners.map { .strings($0) } ?? .null), to: nil)
  }

  func directoryChanged() {
    directory.invalidate()
    sessions.invalidateAll()
    store.peers.tell(PeerMessage(.directory), to: nil)
  }

  func sessionsChanged() {
    sessions.invalidateAll()
    store.peers.tell(PeerMessage(.sessions), to: nil)
  }

  /// Hears the same from the others, and of changes that nobody could tell.
  static func listen(to store: any Store, _ directory: DirectoryCache, _ busy: BusyCache, _ sessions: SessionCache) {
    store.onChange { change in
      guard change == .changedElsewhere else { return }
      directory.invalidate()
      busy.invalidate(nil)
      sessions.invalidateAll()
    }
    store.peers.onMessage { message, _ in
      switch message.kind {
      case .busy: busy.invalidate(message.body.array?.compactMap(\.string))
      case .directory:
        directory.invalidate()
        busy.invalidate(nil)
        sessions.invalidateAll()
      case .sessions: sessions.invalidateAll()
      case .signInFailed, .volatile, .call: break
      }
    }
  }
}
