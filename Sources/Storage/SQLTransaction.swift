import Coordinator
package import Domain

/// The store's tables over an engine's connection: one file a noun under `Tables`.
package final class SQLTransaction: StoreTransaction {
  package let connection: any SQLConnection
  /// The log's head, once it was read or moved in this transaction: nobody else can append meanwhile.
  var head: (seq: Int64, chain: [UInt8])?
  /// What this transaction has appended to the log, since it last forgot.
  package internal(set) var appended: LogStretch?
  /// Whether rows were put into an outbox, for the sequencer.
  package internal(set) var hasOutgoing = false

  package init(_ connection: any SQLConnection) { self.connection = connection }

  /// To be called when a transaction begins and when a part of it was taken back: what it knew may not hold any more.
  package func forget() {
    head = nil
    appended = nil
    hasOutgoing = false
  }
}

/// The last row of a page is named by its key; lists ask for one more than they give to know whether there is one.
func keyset(_ page: Page) -> (after: SQLValue, limit: SQLValue) {
  (.orNull(page.after), .int(Int64(page.limit)))
}

/// `,a,b,`: a list as one parameter, for codes, which hold no comma. A column is in it when
/// `replace(list, ',' || column || ',', '') <> list`: exact, where `LIKE` takes `_` for any character and, in SQLite
/// only, one case for the other.
func commaList(_ items: [String]) -> String { "," + items.joined(separator: ",") + "," }
