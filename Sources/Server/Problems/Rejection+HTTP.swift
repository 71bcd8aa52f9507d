package import Domain
package import HTTPTypes

/// The one mapping from a reason to what HTTP says (CONTRACT "HTTP").
extension Rejection.Code {
  package var status: HTTPResponse.Status {
    switch self {
    case .malformed: .badRequest
    case .unauthenticated: .unauthorized
    case .forbidden: .forbidden
    case .notFound: .notFound
    case .methodNotAllowed: .methodNotAllowed
    case .slotTaken, .illegalTransition, .idTaken, .idempotencyInProgress: .conflict
    case .cursorGap, .linkEnded: .gone
    case .preconditionFailed: .preconditionFailed
    case .tooLarge: .contentTooLarge
    case .unsupportedMediaType: .unsupportedMediaType
    case .invalid, .outsideSchedule, .idempotencyKeyReused: .unprocessableContent
    case .upgradeRequired: .upgradeRequired
    case .tooMany: .tooManyRequests
    case .unavailable: .serviceUnavailable
    }
  }

  /// The same sentence for every problem of this code, as RFC 9457 wants of a title.
  package func title(_ language: Language) -> String {
    switch (self, language) {
    case (.malformed, .en): "The request is malformed"
    case (.malformed, .vi): "Yêu cầu sai định dạng"
    case (.unauthenticated, .en): "Sign-in is needed"
    case (.unauthenticated, .vi): "Cần đăng nhập"
    case (.forbidden, .en): "This is not allowed"
    case (.forbidden, .vi): "Không được phép"
    case (.notFound, .en): "Not found"
    case (.notFound, .vi): "Không tìm thấy"
    case (.methodNotAllowed, .en): "The method is not allowed here"
    case (.methodNotAllowed, .vi): "Phương thức không được dùng ở đây"
    case (.slotTaken, .en): "The time is already taken"
    case (.slotTaken, .vi): "Giờ này đã có người đặt"
    case (.illegalTransition, .en): "This step is not possible now"
    case (.illegalTransition, .vi): "Không thể làm bước này lúc này"
    case (.idTaken, .en): "The id belongs to something else"
    case (.idTaken, .vi): "Mã này đã thuộc về bản ghi khác"
    case (.idempotencyInProgress, .en): "The first request with this key is still running"
    case (.idempotencyInProgress, .vi): "Yêu cầu đầu tiên với khóa này còn đang chạy"
    case (.cursorGap, .en): "The cursor can't be served"
    case (.cursorGap, .vi): "Không thể tiếp tục từ vị trí này"
    case (.linkEnded, .en): "The link has ended"
    case (.linkEnded, .vi): "Liên kết đã hết hiệu lực"
    case (.preconditionFailed, .en): "It was changed in the meantime"
    case (.preconditionFailed, .vi): "Bản ghi đã được người khác thay đổi"
    case (.tooLarge, .en): "The request is too large"
    case (.tooLarge, .vi): "Yêu cầu quá lớn"
    case (.unsupportedMediaType, .en): "The content type is not supported"
    case (.unsupportedMediaType, .vi): "Kiểu nội dung không được hỗ trợ"
    case (.invalid, .en): "The input is not valid"
    case (.invalid, .vi): "Dữ liệu nhập không hợp lệ"
    case (.outsideSchedule, .en): "The time is outside the schedule"
    case (.outsideSchedule, .vi): "Thời gian nằm ngoài lịch làm việc"
    case (.idempotencyKeyReused, .en): "The key was used with another request"
    case (.idempotencyKeyReused, .vi): "Khóa đã được dùng cho yêu cầu khác"
    case (.upgradeRequired, .en): "A WebSocket is needed here"
    case (.upgradeRequired, .vi): "Ở đây cần kết nối WebSocket"
    case (.tooMany, .en): "Too many requests"
    case (.tooMany, .vi): "Quá nhiều yêu cầu"
    case (.unavailable, .en): "The service is not available now"
    case (.unavailable, .vi): "Dịch vụ tạm thời không sẵn sàng"
    }
  }
}
