/// What the specialist advises to do with the patient.
package enum Disposition: String, Sendable, CaseIterable {
  case treatLocally, treatAndFollowUp, refer, transferUrgent, transferEmergency, observe, left, died
}

/// One diagnosis of an outcome; exactly one of an outcome's diagnoses is the main one, which the outcome checks.
package struct Diagnosis: Sendable, Equatable {
  /// An ICD-10 code in the form that `ICD10` keeps.
  package var code: String
  package var main: Bool

  package init(code: String, main: Bool) {
    self.code = code
    self.main = main
  }

  package var json: JSON { ["code": .string(code), "main": .bool(main)] }
}
