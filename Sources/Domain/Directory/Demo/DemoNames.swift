/// Invented full names, each given once.
struct DemoNames {
  private var given: Set<String> = []

  mutating func next(_ random: inout SplitMix64) -> String {
    while true {
      let woman = random.below(2) == 0
      let name = [
        random.pick(Self.families), random.pick(woman ? Self.womensMiddles : Self.mensMiddles),
        random.pick(woman ? Self.women : Self.men),
      ].joined(separator: " ")
      if given.insert(name).inserted { return name }
    }
  }

  /// The commonest families more often, as in life.
  private static let families = words(
    """
    Nguyễn Nguyễn Nguyễn Nguyễn Nguyễn Trần Trần Trần Lê Lê Lê Phạm Phạm Hoàng Hoàng Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô \
    Dương Lý Đào Đinh Trịnh Mai Lương Hà Cao Tạ Quách Lò Vi
    """)
  private static let womensMiddles = words(
    "Thị Thị Thị Ngọc Thu Thanh Phương Minh Kim Bích Hồng Mai Thùy Lan Quỳnh Diệu")
  private static let mensMiddles = words("Văn Văn Văn Đức Minh Hữu Quang Xuân Công Đình Quốc Tuấn Anh Ngọc Mạnh Trọng")
  private static let women = words(
    """
    An Anh Ánh Bình Châu Chi Dung Duyên Giang Hà Hạnh Hằng Hiền Hoa Hòa Hồng Huệ Hương Lan Liên Linh Loan Ly Mai My \
    Nga Ngân Ngọc Nhung Oanh Phương Quyên Tâm Thảo Thủy Trang Uyên Vân Xuân Yến
    """)
  private static let men = words(
    """
    An Bảo Bình Chiến Cường Dũng Duy Dương Đạt Đông Đức Giang Hải Hiếu Hiệp Hoàng Hùng Huy Khánh Khoa Kiên Lâm Long \
    Lộc Minh Nam Nghĩa Phong Phúc Quân Quang Sơn Tài Thành Thắng Tiến Toàn Trung Tuấn Việt Vinh
    """)

  private static func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }
}
