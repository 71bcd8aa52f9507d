import Domain

/// The bounds that only sockets know.
extension Limits {
  /// Events that are filtered, joined into one buffer and written at a time.
  package static let feedPage = 128
  /// The newest events with which the ring begins.
  package static let ringBeginning = 8_192
  /// Pages a reader gets in one turn of its loop; then the others have theirs.
  package static let pagesPerTurn = 4
  /// Pages of the log that are read at a time for readers who are behind the ring.
  package static let replaysAtOnce = 4
  /// Subjects whose latest position or presence waits for a slow reader, or for a loop.
  package static let volatileSubjects = 4_096
  /// Sessions that are looked up in one read.
  package static let sessionsPerRead = 1_000
  /// Messages a feed's client may send in a minute: none is expected.
  package static let feedMessages = 60
  package static let feedMessageBytes = 4 * 1024

  /// How long a webhook's receiver may take, from looking up its name to the end of its answer.
  package static let webhookSeconds: Int64 = 15
  package static let webhookConnectSeconds: Int64 = 5
  /// Addresses of a name that are tried.
  package static let webhookAddresses = 3
  /// Bytes of a receiver's answer that are read, only to be dropped.
  package static let webhookAnswerBytes = 64 * 1024
  package static let webhookHeaderBytes = 16 * 1024
  /// Passes over the webhooks begin no closer to one another: what comes in between goes with the next.
  package static let webhookPassMilliseconds = 100
  /// How long a position is kept in memory only that moved past events that were not for the webhook.
  package static let webhookBookmarkSeconds = 10

  /// Bytes of messages that wait for one seat's resume, beside `undelivered`, their number.
  package static let undeliveredBytes = 1024 * 1024
  /// Messages one participant may send at once, and a second on the long run.
  package static let callBurst = 1_000
  package static let callMessagesPerSecond = 100
  /// Mistakes after which a participant is sent away.
  package static let callMistakes = 50
  package static let candidateText = 4_096
  /// Facts of calls that wait to be recorded.
  package static let callFacts = 10_000
  package static let callSockets = 20_000
  /// Rooms of nodes that are gone, taken over in one pass.
  package static let roomsTakenOver = 100
}
