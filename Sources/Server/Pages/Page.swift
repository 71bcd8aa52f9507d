package import Domain

/// A page: where it is, whose it is, and what it is made of.
package enum Page: String, CaseIterable, Sendable {
  case signIn, station, stationNew, consult, call, specialist, dispatch, crew, monitor, admin, audit, track

  package var path: String {
    switch self {
    case .signIn: "/sign-in"
    case .station: "/station"
    case .stationNew: "/station/new"
    case .consult: "/consults/{id}"
    case .call: "/consults/{id}/call"
    case .specialist: "/specialist"
    case .dispatch: "/dispatch"
    case .crew: "/crew"
    case .monitor: "/monitor"
    case .admin: "/admin"
    case .audit: "/audit"
    case .track: "/track/{secret}"
    }
  }

  /// The template's name; the script has the same.
  package var template: String {
    switch self {
    case .signIn: "sign-in"
    case .stationNew: "station-new"
    default: rawValue
    }
  }

  package var module: String { template + ".js" }

  /// Whose page it is; nil where the thing on it decides (`GET /consults/{id}` and the call's socket).
  package var role: Role? {
    switch self {
    case .station, .stationNew: .station
    case .specialist: .specialist
    case .dispatch: .dispatcher
    case .crew: .crew
    case .monitor: .monitor
    case .admin: .admin
    case .audit: .auditor
    case .signIn, .consult, .call, .track: nil
    }
  }

  /// What stands in the menu of somebody with these roles, in this order.
  package static func menu(_ roles: Set<Role>) -> [Page] {
    allCases.filter { page in page.role.map(roles.contains) ?? false }
  }
}
