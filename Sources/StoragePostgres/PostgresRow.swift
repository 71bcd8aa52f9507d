import CPostgres
import Storage

/// The types that cross the connection, all in their binary forms (PostgreSQL "Frontend/Backend Protocol").
enum PostgresType: Oid {
  case bytea = 17
  case int8 = 20
  case int2 = 21
  case int4 = 23
  case text = 25
  case float8 = 701
  case unknown = 705
  case name = 19
  case varchar = 1043

  /// What is not sent or read here.
  static func unreadable(_ types: [Oid]) -> Oid? { types.first { PostgresType(rawValue: $0) == nil } }
}

/// A row of a result while that is held: texts and bytes are read where libpq has them.
struct PostgresRow: SQLRow {
  let result: OpaquePointer
  let row: Int32
  let types: [Oid]

  func isNull(_ column: Int) -> Bool { PQgetisnull(result, row, Int32(column)) != 0 }

  func int(_ column: Int) -> Int64 {
    guard !isNull(column) else { return 0 }
    let bytes = bytes(column)
    return switch PostgresType(rawValue: types[column]) {
    case .int8: Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
    case .int4: Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
    case .int2: Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
    case .float8: Int64(double(column))
    default: 0
    }
  }

  func double(_ column: Int) -> Double {
    guard !isNull(column) else { return 0 }
    guard types[column] == PostgresType.float8.rawValue else { return Double(int(column)) }
    return Double(bitPattern: UInt64(bigEndian: bytes(column).loadUnaligned(as: UInt64.self)))
  }

  func text(_ column: Int) -> String { String(decoding: bytes(column), as: UTF8.self) }

  func blob(_ column: Int) -> [UInt8] { Array(bytes(column)) }

  private func bytes(_ column: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(result, row, Int32(column)), count: Int(PQgetlength(result, row, Int32(column))))
  }
}

/// Parameters on their way: one stretch of bytes, and where each begins.
struct PostgresParameters {
  private var bytes: [UInt8] = []
  private var starts: [Int] = []
  private(set) var lengths: [Int32] = []
  private(set) var formats: [Int32] = []

  /// Writes the values in the types that the server wants; used again and again, so that it seldom grows.
  mutating func set(_ values: [SQLValue], _ types: [Oid], _ statement: String) throws {
    bytes.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    formats.removeAll(keepingCapacity: true)
    guard values.count == types.count else {
      throw PostgresFailure(mismatch: "\(values.count) values for \(types.count) parameters", statement)
    }
    for (value, type) in zip(values, types) {
      let start = bytes.count
      switch (value, PostgresType(rawValue: type)) {
      case (.null, _): break
      case (.int(let value), .int8): append(UInt64(bitPattern: value))
      case (.int(let value), .int4):
        guard let small = Int32(exactly: value) else {
          throw PostgresFailure(mismatch: "\(value) is too large", statement)
        }
        append(UInt32(bitPattern: small))
      case (.int(let value), .float8): append(Double(value).bitPattern)
      case (.double(let value), .float8): append(value.bitPattern)
      case (.text(let value), .text), (.text(let value), .varchar), (.text(let value), .unknown),
        (.text(let value), .name):
        bytes.append(contentsOf: value.utf8)
      case (.blob(let value), .bytea): bytes.append(contentsOf: value)
      default: throw PostgresFailure(mismatch: "parameter \(starts.count + 1) is no value of type \(type)", statement)
      }
      starts.append(value == .null ? -1 : start)
      lengths.append(Int32(bytes.count - start))
      formats.append(1)
      // An empty value has an address too.
      bytes.append(0)
    }
  }

  private mutating func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// The values as libpq wants them: pointers that hold during the call.
  func withPointers<T>(_ body: ([UnsafePointer<CChar>?]) -> T) -> T {
    bytes.withUnsafeBytes { buffer in
      let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
      return body(starts.map { $0 < 0 ? nil : base?.advanced(by: $0) })
    }
  }
}
