/// What a practitioner is a specialist of: CONTRACT's sixteen.
package enum Specialty: String, CaseIterable, Sendable, Hashable {
  case cardiology, neurology, emergencyMedicine, internalMedicine, pediatrics, obstetrics, surgery, orthopedics
  case infectiousDiseases, respiratory, endocrinology, nephrology, dermatology, ophthalmology, otolaryngology
  case psychiatry

  /// Its name in both languages.
  package var name: (vi: String, en: String) {
    switch self {
    case .cardiology: ("Tim mạch", "Cardiology")
    case .neurology: ("Thần kinh", "Neurology")
    case .emergencyMedicine: ("Hồi sức cấp cứu", "Emergency medicine")
    case .internalMedicine: ("Nội tổng hợp", "Internal medicine")
    case .pediatrics: ("Nhi khoa", "Pediatrics")
    case .obstetrics: ("Sản phụ khoa", "Obstetrics and gynecology")
    case .surgery: ("Ngoại tổng hợp", "Surgery")
    case .orthopedics: ("Chấn thương chỉnh hình", "Orthopedics")
    case .infectiousDiseases: ("Truyền nhiễm", "Infectious diseases")
    case .respiratory: ("Hô hấp", "Respiratory medicine")
    case .endocrinology: ("Nội tiết", "Endocrinology")
    case .nephrology: ("Thận – lọc máu", "Nephrology")
    case .dermatology: ("Da liễu", "Dermatology")
    case .ophthalmology: ("Mắt", "Ophthalmology")
    case .otolaryngology: ("Tai mũi họng", "Otolaryngology")
    case .psychiatry: ("Tâm thần", "Psychiatry")
    }
  }

  /// The form on the wire: `{id, name: {vi, en}}`.
  package var json: JSON {
    ["id": .string(rawValue), "name": ["vi": .string(name.vi), "en": .string(name.en)]]
  }
}
