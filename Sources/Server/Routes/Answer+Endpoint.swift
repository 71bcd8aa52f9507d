import Coordinator
import Domain

extension Answer {
  /// Where what was made can be read, from the `id` that its document begins with.
  func location(under path: String) -> String? {
    guard status == .created, let body, body.starts(with: Self.idMember), body.count >= Self.idMember.count + 36 else {
      return nil
    }
    return path + "/" + String(decoding: body[Self.idMember.count..<Self.idMember.count + 36], as: UTF8.self)
  }

  private static let idMember = Array("{\"id\":\"".utf8)
}

extension JSON {
  /// A client's `id` in the lower case in which ids are kept and compared.
  var loweringID: JSON {
    guard case .object(var members) = self, let id = members["id"]?.string else { return self }
    members["id"] = .string(id.lowercased())
    return .object(members)
  }
}

extension EndpointRequest {
  /// `?q=`; nothing to search for is no search.
  var search: String? { text("q").flatMap { $0.isBlank ? nil : $0 } }
}
