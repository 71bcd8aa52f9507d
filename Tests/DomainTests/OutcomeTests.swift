import Domain
import Testing

@Suite struct OutcomeTests {
  private static let at = Instant("2026-11-21T09:15:00+07:00")!

  private static func body(_ changes: [String: JSON?] = [:]) -> JSON {
    var members = JSON.Members([
      ("summary", "Nhồi máu cơ tim thành dưới."),
      ("diagnoses", [["code": "I21.1", "main": true], ["code": "I10"]]), ("disposition", "transferUrgent"),
      ("recommendation", "Aspirin 300 mg, chuyển tuyến."),
      ("issues", [["question": "Tiêu sợi huyết?", "conclusion": "Không."]]),
      ("followUpAt", "2026-11-28T08:00:00+07:00"),
    ])
    for (name, value) in changes { members[name] = value }
    return .object(members)
  }

  private static func diagnoses(_ codes: [(String, Bool)]) -> JSON {
    .array(codes.map { ["code": .string($0.0), "main": .bool($0.1)] })
  }

  private static func refusal(_ changes: [String: JSON?]) -> Rejection? {
    do {
      _ = try Conclusion(json: body(changes))
      return nil
    } catch { return error }
  }

  @Test func reads() throws {
    let conclusion = try Conclusion(json: Self.body())
    #expect(conclusion.summary == "Nhồi máu cơ tim thành dưới.")
    #expect(conclusion.diagnoses == [Diagnosis(code: "I21.1", main: true), Diagnosis(code: "I10", main: false)])
    #expect(conclusion.disposition == .transferUrgent)
    #expect(conclusion.issues == [Outcome.Issue(question: "Tiêu sợi huyết?", conclusion: "Không.")])
    #expect(conclusion.followUpAt == Instant("2026-11-28T08:00:00+07:00"))
    #expect(conclusion.reason == nil)
  }

  @Test func whatMayBeAbsent() throws {
    let conclusion = try Conclusion(json: Self.body(["issues": .some(.null), "followUpAt": .some(.null)]))
    #expect(conclusion.issues.isEmpty && conclusion.followUpAt == nil)
  }

  @Test(arguments: ["I21", "I21.0", "S02.10", "Z99.9", "A17.0†", "G01*"])
  func acceptsCodes(code: String) {
    #expect(Self.refusal(["diagnoses": Self.diagnoses([(code, true)])]) == nil)
  }

  @Test(arguments: ["", "I", "I2", "I210", "i21.0", "I21.", "I21.000", "21.0", "I21,0", "Đ21", "I21.0 ", "I21.O"])
  func refusesCodes(code: String) {
    let refusal = Self.refusal(["diagnoses": Self.diagnoses([("I10", true), (code, false)])])
    #expect(refusal?.code == .invalid)
    #expect(refusal?.fields.map(\.pointer) == ["/diagnoses/1/code"])
  }

  @Test func exactlyOneDiagnosisIsTheMainOne() {
    #expect(Self.refusal(["diagnoses": Self.diagnoses([("I10", false)])])?.fields.first?.code == "main")
    #expect(Self.refusal(["diagnoses": Self.diagnoses([("I10", true), ("I21", true)])])?.fields.first?.code == "main")
    #expect(Self.refusal(["diagnoses": []])?.fields.first?.code == "main")
    #expect(Self.refusal(["diagnoses": .some(.null)])?.fields.first?.code == "main")
  }

  @Test func aCodeIsThereOnce() {
    #expect(
      Self.refusal(["diagnoses": Self.diagnoses([("I10", true), ("I10", false)])])?.fields.first?.code == "unique")
    // The dagger says how a code is used, not which it is.
    #expect(
      Self.refusal(["diagnoses": Self.diagnoses([("A17.0", true), ("A17.0†", false)])])?.fields.first?.code == "unique")
  }

  /// ICD-10: one main, up to 12 others.
  @Test func upToTwelveOthers() {
    let codes = (0..<14).map { ("J\(10 + $0)", $0 == 0) }
    #expect(Self.refusal(["diagnoses": Self.diagnoses(Array(codes.prefix(13)))]) == nil)
    #expect(Self.refusal(["diagnoses": Self.diagnoses(codes)])?.fields.map(\.pointer) == ["/diagnoses"])
  }

  @Test func boundedIssues() {
    let issue: JSON = ["question": "?", "conclusion": "!"]
    #expect(Self.refusal(["issues": .array(Array(repeating: issue, count: Limits.issues))]) == nil)
    #expect(
      Self.refusal(["issues": .array(Array(repeating: issue, count: Limits.issues + 1))])?.fields.map(\.pointer)
        == ["/issues"])
  }

  /// A follow-up that cannot be read must not get lost.
  @Test(arguments: [
    "tomorrow", "2026-11-28", "2026-11-28T08:00:00", "2026-02-30T08:00:00+07:00", "2400-01-01T00:00:00Z",
  ])
  func refusesAFollowUpThatIsNoTime(text: String) {
    #expect(Self.refusal(["followUpAt": .string(text)])?.fields.map(\.pointer) == ["/followUpAt"])
  }

  @Test(arguments: ["summary", "recommendation"])
  func refusesBlankText(member: String) {
    #expect(Self.refusal([member: " \n\u{3000}"])?.fields.map(\.pointer) == ["/" + member])
    #expect(Self.refusal([member: ""])?.fields.map(\.pointer) == ["/" + member])
  }

  @Test(arguments: ["summary", "recommendation", "disposition"])
  func namesAMissingMember(member: String) {
    let refusal = Self.refusal([member: .some(.null)])
    #expect(refusal?.code == .invalid)
    #expect(refusal?.fields.map(\.pointer) == ["/" + member])
  }

  @Test func refusesAnUnknownDisposition() {
    #expect(Self.refusal(["disposition": "wait"])?.code == .invalid)
  }

  // MARK: The document

  private static func consult() -> Consult {
    let request = ConsultRequest(
      specialty: .cardiology, urgency: .urgent, urgencyReason: nil, mode: .live,
      patient: Patient(
        name: "Lê Thị Đào", birthDate: CalendarDay("1961-04-03"), sex: .female, personalId: nil, insuranceNumber: nil,
        phone: nil, temporary: false), situation: "Đau ngực \"như bóp\"\n30 phút", background: nil, assessment: nil,
      request: "Xin ý kiến", vitals: nil, pregnant: nil, consent: nil, on: at.day)
    var consult = Consult(
      id: "019aa000-0000-7000-8000-000000000001", station: "38001", requestedAt: at - .hours(1), dueAt: at,
      createdBy: "p1", request: request, bodyHash: [])
    consult.state = .inProgress
    consult.practitioner = "bs-01"
    consult.serving = "38901"
    consult.startedAt = at - .minutes(20)
    return consult
  }

  /// These bytes are hashed and signed: whoever changes them makes every earlier reader of them wrong.
  @Test func theCanonicalDocumentKeepsItsBytes() throws {
    let bytes = try Conclusion(json: Self.body()).document(of: Self.consult(), version: 1, by: "bs-01", at: Self.at)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"consultId":"019aa000-0000-7000-8000-000000000001","version":1,"stationId":"38001","#
        + #""practitionerId":"bs-01","specialty":"cardiology","mode":"live","#
        + #""patient":{"name":"Lê Thị Đào","birthDate":"1961-04-03","sex":"female"},"#
        + #""requestedAt":"2026-11-21T08:15:00+07:00","startedAt":"2026-11-21T08:55:00+07:00","#
        + #""situation":"Đau ngực \"như bóp\"\n30 phút","request":"Xin ý kiến","#
        + #""summary":"Nhồi máu cơ tim thành dưới.","diagnoses":[{"code":"I21.1","main":true},"#
        + #"{"code":"I10","main":false}],"disposition":"transferUrgent","#
        + #""recommendation":"Aspirin 300 mg, chuyển tuyến.","#
        + #""issues":[{"question":"Tiêu sợi huyết?","conclusion":"Không."}],"#
        + #""followUpAt":"2026-11-28T08:00:00+07:00","concludedAt":"2026-11-21T09:15:00+07:00"}"#)
  }

  @Test func theOrderOfTheBodyDoesNotMatter() throws {
    guard case .object(let members) = Self.body() else { return #expect(Bool(false)) }
    let reversed = JSON.object(.init(members.items.reversed().map { ($0.name, $0.value) }))
    let document = { (json: JSON) in
      try Conclusion(json: json).document(of: Self.consult(), version: 1, by: "bs-01", at: Self.at)
    }
    #expect(try document(reversed) == document(Self.body()))
  }

  @Test func wireFormsShowWhatTheDocumentHolds() throws {
    let conclusion = try Conclusion(json: Self.body(["reason": "Nhầm mã"]))
    var outcome = Outcome(
      consult: "c", version: 2,
      document: try conclusion.document(of: Self.consult(), version: 2, by: "bs-01", at: Self.at),
      concludedAt: Self.at, concludedBy: "bs-01")
    #expect(outcome.disposition == .transferUrgent)
    #expect(outcome.json["summary"]?.string == conclusion.summary)
    #expect(outcome.json["diagnoses"] == .array(conclusion.diagnoses.map(\.json)))
    #expect(outcome.json["reason"] == "Nhầm mã")
    #expect(outcome.json["signature"] == nil)
    outcome.signature = .init(sha256: "ab", signedBy: "bs-01", signedAt: Self.at)
    #expect(outcome.json["signature"]?["sha256"] == "ab")
  }
}
