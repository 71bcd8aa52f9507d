/// A call's room as its node last kept it.
package struct KeptRoom: Sendable, Equatable {
  /// The node that holds it; nil when that one gave it back.
  package var node: String?
  /// Whether that node is known to serve; of a database that one process serves, nobody else's does.
  package var isServed: Bool
  /// Higher with every node that took it over.
  package var term: Int64
  /// JSON text.
  package var document: String

  package init(node: String?, isServed: Bool, term: Int64, document: String) {
    self.node = node
    self.isServed = isServed
    self.term = term
    self.document = document
  }
}

package protocol CallRoomStore {
  func callRoom(_ consult: String) throws -> KeptRoom?
  /// What was last kept of these consults' rooms, where they have one, in the order of their consults.
  func callRooms(of consults: [String]) throws -> [(consult: String, document: String)]
  /// The first term of a new room, of this node.
  func insertCallRoom(_ consult: String, node: String, document: String) throws
  /// Makes it this node's; throws `StaleVersion` when somebody was faster. The new term is one higher.
  func takeCallRoom(_ consult: String, node: String, from term: Int64) throws
  /// False when the room is another's by now. `isReleased`: any node may take it from here on.
  func keepCallRoom(_ consult: String, node: String, term: Int64, document: String, isReleased: Bool) throws -> Bool
  func removeCallRoom(_ consult: String, term: Int64) throws
  /// Consults whose rooms' nodes are gone.
  func orphanedCallRooms(besides node: String, limit: Int) throws -> [String]
  /// Nodes that were heard of lately.
  func liveNodes() throws -> Set<String>
}
