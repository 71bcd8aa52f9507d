import Coordinator
import Domain

/// The store's tables over an engine's connection: one file a noun under `Tables`.
package final class SQLTransaction: StoreTransaction {
  package let connection: any SQLConnection

  package init(_ connection: any SQLConnection) { self.connection = connection }
}

/// The last row of a page is named by its key; lists ask for one more than they give to know whether there is one.
func keyset(_ page: Page) -> (after: SQLValue, limit: SQLValue) {
  (.orNull(page.after), .int(Int64(page.limit)))
}

/// `,a,b,`: a list as one parameter, for codes, which hold no comma. A column is in it when
/// `replace(list, ',' || column || ',', '') <> list`: exact, where `LIKE` takes `_` for any character and, in SQLite
/// only, one case for the other.
func commaList(_ items: [String]) -> String { "," + items.joined(separator: ",") + "," }
