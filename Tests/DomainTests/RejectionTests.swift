import Domain
import Testing

@Suite struct RejectionTests {
  @Test func isOneLineOfALog() {
    #expect(
      "\(Rejection(.unavailable, "The database cannot be reached."))" == "unavailable: The database cannot be reached.")
    #expect(
      "\(Rejection.invalid("/start", "required", "Say when."))"
        == "invalid: The input is not valid. /start required: Say when.")
  }
}
