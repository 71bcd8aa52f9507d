/// A place that asks for or gives care. Codes are the five characters of the national list, zeros kept.
package struct Facility: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable { case province, hospital, centre, station }

  package var code: String
  package var name: String
  package var kind: Kind
  /// The province's two-digit code: "38".
  package var province: String
  package var communeCode: String?
  /// Who it reports to; the province's root for most. Grants on a parent cover it.
  package var parent: String?
  /// Who took over its work after it closed.
  package var successor: String?
  /// First and last day of its validity, both included.
  package var validFrom: CalendarDay?
  package var validTo: CalendarDay?
  package var latitude: Double?
  package var longitude: Double?
  package var phone: String?

  package init(
    code: String, name: String, kind: Kind, province: String, communeCode: String? = nil, parent: String? = nil,
    successor: String? = nil, validFrom: CalendarDay? = nil, validTo: CalendarDay? = nil, latitude: Double? = nil,
    longitude: Double? = nil, phone: String? = nil
  ) {
    self.code = code
    self.name = name
    self.kind = kind
    self.province = province
    self.communeCode = communeCode
    self.parent = parent
    self.successor = successor
    self.validFrom = validFrom
    self.validTo = validTo
    self.latitude = latitude
    self.longitude = longitude
    self.phone = phone
  }

  package func isValid(on day: CalendarDay) -> Bool {
    if let validFrom, day < validFrom { return false }
    if let validTo, validTo < day { return false }
    return true
  }

  /// The form on the wire: `{id, name, kind, parent, lat, lon, phone}`.
  package var json: JSON {
    [
      "id": .string(code), "name": .string(name), "kind": .string(kind.rawValue), "parent": .orNull(parent),
      "lat": latitude.map { .double($0) } ?? .null, "lon": longitude.map { .double($0) } ?? .null,
      "phone": .orNull(phone),
    ]
  }
}
