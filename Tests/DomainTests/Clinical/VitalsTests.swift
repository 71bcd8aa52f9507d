import Domain
import Testing

@Suite struct VitalsTests {
  @Test func roundTrips() throws {
    let text =
      #"{"at":"2026-11-21T08:30:00+07:00","respiratoryRate":22,"spo2":93,"spo2Scale":2,"oxygen":true,"systolic":100,"diastolic":60,"pulse":110,"consciousness":"voice","temperature":38.5}"#
    var faults: [Rejection.Field] = []
    let vitals = Vitals(json: try JSON(parsing: text), at: "/vitals", faults: &faults)
    #expect(faults.isEmpty)
    #expect(vitals.json.text == text)
    #expect(vitals.consciousness == .voice && vitals.oxygen == true && vitals.temperature == 38.5)
  }

  @Test func absentUnknownAndNullMembers() throws {
    var faults: [Rejection.Field] = []
    let json = try JSON(parsing: #"{"pulse":70.0,"temperature":37,"spo2":null,"mood":"good"}"#)
    let vitals = Vitals(json: json, at: "/vitals", faults: &faults)
    #expect(faults.isEmpty)
    #expect(vitals == Vitals(pulse: 70, temperature: 37))
    #expect(vitals.json.text == #"{"pulse":70,"temperature":37.0}"#)
    #expect(Vitals().json.text == "{}")
  }

  @Test(arguments: [
    (#"{"pulse":"70"}"#, "/vitals/pulse", "type"), (#"{"pulse":70.5}"#, "/vitals/pulse", "type"),
    (#"{"pulse":true}"#, "/vitals/pulse", "type"), (#"{"pulse":-1}"#, "/vitals/pulse", "range"),
    (#"{"pulse":401}"#, "/vitals/pulse", "range"), (#"{"pulse":1e300}"#, "/vitals/pulse", "type"),
    (#"{"respiratoryRate":151}"#, "/vitals/respiratoryRate", "range"), (#"{"spo2":101}"#, "/vitals/spo2", "range"),
    (#"{"spo2Scale":3}"#, "/vitals/spo2Scale", "range"), (#"{"oxygen":1}"#, "/vitals/oxygen", "type"),
    (#"{"systolic":351}"#, "/vitals/systolic", "range"), (#"{"diastolic":[]}"#, "/vitals/diastolic", "type"),
    (#"{"consciousness":"drunk"}"#, "/vitals/consciousness", "unknown"),
    (#"{"consciousness":3}"#, "/vitals/consciousness", "unknown"),
    (#"{"temperature":"37"}"#, "/vitals/temperature", "type"),
    (#"{"temperature":98.6}"#, "/vitals/temperature", "range"), (#"{"at":"yesterday"}"#, "/vitals/at", "format"),
    (#"{"at":5}"#, "/vitals/at", "format"), (#"[]"#, "/vitals", "type"), (#""x""#, "/vitals", "type"),
  ])
  func refuses(text: String, pointer: String, code: String) throws {
    var faults: [Rejection.Field] = []
    _ = Vitals(json: try JSON(parsing: text), at: "/vitals", faults: &faults)
    #expect(faults.map(\.pointer) == [pointer])
    #expect(faults.map(\.code) == [code])
  }

  @Test func namesEveryFault() throws {
    var faults: [Rejection.Field] = []
    _ = Vitals(json: ["pulse": "x", "spo2": 200, "oxygen": "yes"], at: "", faults: &faults)
    #expect(Set(faults.map(\.pointer)) == ["/pulse", "/spo2", "/oxygen"])
  }
}
