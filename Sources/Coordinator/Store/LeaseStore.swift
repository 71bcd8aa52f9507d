/// Who alone may do something, for a while by the database's clock. Of a database that one process serves, that one may,
/// and nothing is written.
package protocol LeaseStore {
  /// Whether no other process can serve this database.
  var isServedAlone: Bool { get }
  /// Whether `takeLease` has a chance: asked first, since most nodes find it taken most of the time.
  func isLeaseFree(_ name: String, for node: String, milliseconds: Int64) throws -> Bool
  /// The new term; nil while another node holds it.
  func takeLease(_ name: String, node: String, milliseconds: Int64) throws -> Int64?
  /// False when another has taken it since.
  func renewLease(_ name: String, node: String, term: Int64, milliseconds: Int64) throws -> Bool
  /// Lets the next one have it at once.
  func giveBackLease(_ name: String, node: String, term: Int64) throws
}
