/// Roughly where a province lies, in degrees: its seat (hospitals are put around it) and a disc on land (stations).
struct DemoPlace {
  var seat: (latitude: Double, longitude: Double)
  var middle: (latitude: Double, longitude: Double)
  var radius: Double

  private init(_ seat: (Double, Double), _ middle: (Double, Double), _ radius: Double) {
    self.seat = seat
    self.middle = middle
    self.radius = radius
  }

  /// The 34 provinces since 1 July 2025, by code.
  static let all: [String: DemoPlace] = [
    "01": .init((21.028, 105.854), (21.00, 105.70), 0.35), "04": .init((22.666, 106.258), (22.70, 106.05), 0.40),
    "08": .init((21.823, 105.214), (22.45, 105.05), 0.55), "11": .init((21.386, 103.017), (21.70, 103.00), 0.40),
    "12": .init((22.396, 103.458), (22.25, 103.20), 0.40), "14": .init((21.327, 103.914), (21.20, 104.05), 0.50),
    "15": .init((21.705, 104.870), (22.05, 104.40), 0.50), "19": .init((21.594, 105.848), (21.95, 105.85), 0.40),
    "20": .init((21.853, 106.761), (21.85, 106.60), 0.35), "22": .init((20.951, 107.080), (21.15, 107.15), 0.25),
    "24": .init((21.273, 106.195), (21.25, 106.30), 0.35), "25": .init((21.322, 105.402), (21.05, 105.25), 0.45),
    "31": .init((20.845, 106.688), (20.85, 106.50), 0.22), "33": .init((20.646, 106.051), (20.60, 106.20), 0.22),
    "37": .init((20.254, 105.975), (20.30, 106.00), 0.28), "38": .init((19.807, 105.776), (20.00, 105.35), 0.42),
    "40": .init((18.679, 105.681), (19.20, 105.00), 0.55), "42": .init((18.343, 105.906), (18.30, 105.70), 0.28),
    "44": .init((17.469, 106.622), (17.20, 106.50), 0.40), "46": .init((16.464, 107.590), (16.30, 107.45), 0.22),
    "48": .init((16.054, 108.202), (15.75, 108.00), 0.32), "51": .init((15.121, 108.804), (14.85, 108.30), 0.40),
    "52": .init((13.783, 109.220), (13.85, 108.45), 0.50), "56": .init((12.239, 109.196), (12.10, 108.90), 0.25),
    "66": .init((12.667, 108.038), (12.85, 108.45), 0.45), "68": .init((11.940, 108.458), (11.60, 108.00), 0.50),
    "75": .init((10.957, 106.843), (11.35, 106.95), 0.42), "79": .init((10.776, 106.700), (10.95, 106.75), 0.28),
    "80": .init((10.536, 106.413), (11.00, 106.15), 0.32), "82": .init((10.360, 106.360), (10.45, 105.95), 0.28),
    "86": .init((10.254, 105.972), (10.05, 106.20), 0.25), "91": .init((10.012, 105.081), (10.20, 105.15), 0.35),
    "92": .init((10.034, 105.788), (9.85, 105.75), 0.28), "96": .init((9.177, 105.150), (9.20, 105.20), 0.25),
  ]

  /// The `index`th of `count` points spread evenly over the disc (a sunflower's pattern), a little displaced.
  func station(_ index: Int, of count: Int, _ random: inout SplitMix64) -> (latitude: Double, longitude: Double) {
    let share = ((Double(index) + 0.5) / Double(count)).squareRoot()
    // The golden angle without trigonometry: a unit vector turned step by step, exact enough on every machine.
    var (x, y) = (1.0, 0.0)
    for _ in 0..<index { (x, y) = (x * Self.cosine - y * Self.sine, x * Self.sine + y * Self.cosine) }
    let shake = { (random: inout SplitMix64) in (random.unit() - 0.5) * 0.02 }
    return (
      Self.rounded(middle.latitude + radius * share * y + shake(&random)),
      Self.rounded(middle.longitude + radius * share * x + shake(&random))
    )
  }

  /// Somewhere in the town of the seat.
  func hospital(_ random: inout SplitMix64) -> (latitude: Double, longitude: Double) {
    (
      Self.rounded(seat.latitude + (random.unit() - 0.5) * 0.05),
      Self.rounded(seat.longitude + (random.unit() - 0.5) * 0.05)
    )
  }

  private static let cosine = -0.737_368_878_078_319_9
  private static let sine = 0.675_490_294_261_523_7

  /// To about ten metres: made-up places should not look surveyed.
  private static func rounded(_ degrees: Double) -> Double { (degrees * 10_000).rounded() / 10_000 }
}
