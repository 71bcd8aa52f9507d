import Domain

/// A made-up case: what the station writes, and what the specialist concludes.
struct LiveCase: Sendable {
  struct Vitals: Sendable {
    var breaths: Int64
    var saturation: Int64
    var systolic: Int64
    var pulse: Int64
    var temperature: Double
  }

  var specialty: Specialty
  var urgency: Urgency
  var sex: Sex
  var age: Int
  var vitals: Vitals
  var situation: String
  var background: String
  var assessment: String
  var request: String
  var code: String
  var disposition: Disposition
  var recommendation: String

  static let all: [LiveCase] = [
    LiveCase(
      specialty: .cardiology, urgency: .urgent, sex: .male, age: 58,
      vitals: .init(breaths: 22, saturation: 95, systolic: 148, pulse: 96, temperature: 36.8),
      situation: "Đau ngực trái lan tay trái 40 phút, vã mồ hôi.",
      background: "Tăng huyết áp, hút thuốc 30 năm.", assessment: "Nghi hội chứng vành cấp; ST chênh lên V2–V4.",
      request: "Xin hướng xử trí trước khi chuyển.", code: "I21.0", disposition: .transferEmergency,
      recommendation: "Aspirin 300 mg nhai, chuyển ngay đến nơi can thiệp mạch vành, theo dõi điện tim liên tục."),
    LiveCase(
      specialty: .cardiology, urgency: .routine, sex: .female, age: 63,
      vitals: .init(breaths: 16, saturation: 97, systolic: 152, pulse: 74, temperature: 36.6),
      situation: "Huyết áp chưa đạt mục tiêu sau ba tháng dùng một thuốc.",
      background: "Đái tháo đường type 2.", assessment: "Tăng huyết áp độ 1, chưa kiểm soát.",
      request: "Xin ý kiến phối hợp thuốc.", code: "I10", disposition: .treatAndFollowUp,
      recommendation: "Thêm ức chế men chuyển, ăn nhạt, đo huyết áp tại nhà, khám lại sau bốn tuần."),
    LiveCase(
      specialty: .neurology, urgency: .emergency, sex: .female, age: 70,
      vitals: .init(breaths: 20, saturation: 94, systolic: 182, pulse: 88, temperature: 36.9),
      situation: "Đột ngột yếu nửa người phải, nói khó từ một giờ trước.",
      background: "Rung nhĩ, bỏ thuốc chống đông.", assessment: "Nghi nhồi máu não cấp trong cửa sổ tiêu sợi huyết.",
      request: "Xin hội chẩn khẩn, có chuyển tuyến không.", code: "I63.9", disposition: .transferEmergency,
      recommendation: "Chuyển ngay đến đơn vị đột quỵ, không hạ huyết áp nhanh, ghi giờ khởi phát."),
    LiveCase(
      specialty: .pediatrics, urgency: .urgent, sex: .male, age: 2,
      vitals: .init(breaths: 38, saturation: 93, systolic: 92, pulse: 132, temperature: 38.6),
      situation: "Ho, sốt hai ngày, thở nhanh, bú kém.", background: "Sinh đủ tháng, tiêm chủng đủ.",
      assessment: "Viêm phổi, chưa suy hô hấp nặng.", request: "Điều trị tại trạm hay chuyển?", code: "J18.9",
      disposition: .transferUrgent, recommendation: "Kháng sinh liều đầu, hạ sốt, chuyển bệnh viện trong ngày."),
    LiveCase(
      specialty: .obstetrics, urgency: .urgent, sex: .female, age: 27,
      vitals: .init(breaths: 18, saturation: 98, systolic: 146, pulse: 90, temperature: 36.9),
      situation: "Thai 34 tuần, phù hai chân, nhức đầu.", background: "Con lần đầu, khám thai đủ.",
      assessment: "Nghi tiền sản giật, protein niệu hai cộng.", request: "Xin hướng xử trí và chuyển tuyến.",
      code: "O14.9", disposition: .transferUrgent,
      recommendation: "Chuyển bệnh viện phụ sản, theo dõi huyết áp mỗi 15 phút trên đường."),
    LiveCase(
      specialty: .emergencyMedicine, urgency: .emergency, sex: .male, age: 34,
      vitals: .init(breaths: 26, saturation: 91, systolic: 94, pulse: 124, temperature: 36.5),
      situation: "Ong đốt nhiều nốt, nổi mày đay, khó thở.", background: "Chưa rõ tiền sử dị ứng.",
      assessment: "Phản vệ độ 3.", request: "Xin hỗ trợ xử trí tại chỗ.", code: "T78.2",
      disposition: .transferEmergency,
      recommendation: "Adrenalin tiêm bắp nhắc lại sau năm phút nếu cần, thở oxy, truyền dịch, chuyển cấp cứu."),
    LiveCase(
      specialty: .endocrinology, urgency: .routine, sex: .female, age: 55,
      vitals: .init(breaths: 16, saturation: 98, systolic: 132, pulse: 76, temperature: 36.6),
      situation: "Đường huyết đói 9,8 mmol/l dù đang uống metformin.", background: "Đái tháo đường sáu năm.",
      assessment: "Đái tháo đường type 2 chưa kiểm soát.", request: "Xin chỉnh thuốc.", code: "E11.9",
      disposition: .treatAndFollowUp,
      recommendation: "Tăng metformin, thêm thuốc thứ hai, xét nghiệm HbA1c, hẹn bốn tuần."),
    LiveCase(
      specialty: .dermatology, urgency: .routine, sex: .male, age: 41,
      vitals: .init(breaths: 15, saturation: 98, systolic: 124, pulse: 72, temperature: 36.5),
      situation: "Mảng đỏ bong vảy ở khuỷu và gối từ ba tháng.", background: "Cha có bệnh tương tự.",
      assessment: "Nghi vảy nến thể mảng.", request: "Xin chẩn đoán và thuốc bôi.", code: "L40.0",
      disposition: .treatLocally, recommendation: "Corticoid bôi phối hợp calcipotriol, dưỡng ẩm, tránh cào gãi."),
    LiveCase(
      specialty: .psychiatry, urgency: .sameDay, sex: .female, age: 36,
      vitals: .init(breaths: 16, saturation: 98, systolic: 118, pulse: 82, temperature: 36.6),
      situation: "Mất ngủ, buồn chán, giảm cân hai tháng.", background: "Mới ly hôn; không ý tưởng tự sát.",
      assessment: "Giai đoạn trầm cảm mức độ vừa.", request: "Xin hướng điều trị ban đầu.", code: "F32.1",
      disposition: .treatAndFollowUp, recommendation: "Bắt đầu SSRI liều thấp, tư vấn tâm lý, hẹn hai tuần."),
    LiveCase(
      specialty: .infectiousDiseases, urgency: .sameDay, sex: .male, age: 22,
      vitals: .init(breaths: 20, saturation: 97, systolic: 112, pulse: 104, temperature: 39.0),
      situation: "Sốt cao ngày thứ tư, đau cơ, chấm xuất huyết.", background: "Vùng đang có sốt xuất huyết.",
      assessment: "Sốt xuất huyết Dengue có dấu hiệu cảnh báo?", request: "Theo dõi tại trạm được không?",
      code: "A97.1", disposition: .observe, recommendation: "Theo dõi huyết áp và hematocrit mỗi sáu giờ, bù dịch uống."
    ),
    LiveCase(
      specialty: .orthopedics, urgency: .sameDay, sex: .female, age: 66,
      vitals: .init(breaths: 17, saturation: 97, systolic: 138, pulse: 84, temperature: 36.7),
      situation: "Ngã chống tay, đau và biến dạng cổ tay phải.", background: "Loãng xương.",
      assessment: "Nghi gãy đầu dưới xương quay.", request: "Nẹp tại trạm hay chuyển chụp?", code: "S52.5",
      disposition: .refer, recommendation: "Nẹp bột cẳng bàn tay, giảm đau, chuyển chụp X-quang."),
    LiveCase(
      specialty: .respiratory, urgency: .urgent, sex: .male, age: 68,
      vitals: .init(breaths: 26, saturation: 89, systolic: 134, pulse: 108, temperature: 37.6),
      situation: "Khó thở tăng ba ngày, khạc đờm đục.", background: "COPD, hút thuốc nhiều năm.",
      assessment: "Đợt cấp COPD mức độ vừa.", request: "Xin phác đồ và tiêu chuẩn chuyển.", code: "J44.1",
      disposition: .transferUrgent, recommendation: "Khí dung giãn phế quản, corticoid, oxy đích 88–92 %, chuyển viện."),
    LiveCase(
      specialty: .internalMedicine, urgency: .sameDay, sex: .male, age: 49,
      vitals: .init(breaths: 17, saturation: 98, systolic: 126, pulse: 80, temperature: 36.8),
      situation: "Đau thượng vị, ợ chua hai tuần, phân vàng.", background: "Uống rượu thường xuyên.",
      assessment: "Viêm dạ dày, chưa có dấu hiệu báo động.", request: "Xin điều trị và có cần nội soi?", code: "K29.7",
      disposition: .treatAndFollowUp, recommendation: "PPI bốn tuần, bỏ rượu, nội soi nếu không đỡ."),
    LiveCase(
      specialty: .ophthalmology, urgency: .routine, sex: .female, age: 72,
      vitals: .init(breaths: 16, saturation: 98, systolic: 136, pulse: 72, temperature: 36.5),
      situation: "Nhìn mờ dần hai mắt từ một năm.", background: "Tăng huyết áp ổn định.",
      assessment: "Nghi đục thủy tinh thể tuổi già.", request: "Khi nào nên chuyển mổ?", code: "H25.9",
      disposition: .refer, recommendation: "Hẹn khám chuyên khoa mắt, đánh giá mổ phaco."),
  ]
}
