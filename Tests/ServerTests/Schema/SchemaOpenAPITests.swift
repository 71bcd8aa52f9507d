import Domain
import Testing

@testable import Server

@Suite struct SchemaOpenAPITests {
  @Test(
    arguments: [
      (Schema.boolean, #"{"type":"boolean"}"#),
      (.string, #"{"type":"string"}"#),
      (.string(1...5), #"{"type":"string","minLength":1,"maxLength":5}"#),
      (.text(5), #"{"type":"string","minLength":1,"maxLength":5,"pattern":"\\S"}"#),
      (.choice(["a"]), #"{"type":"string","enum":["a"]}"#),
      (.choice(["a"]).orNull, #"{"type":["string","null"],"enum":["a",null]}"#),
      (.dateTime, #"{"type":"string","format":"date-time"}"#),
      (.integer(0...9, multipleOf: 3), #"{"type":"integer","minimum":0,"maximum":9,"multipleOf":3}"#),
      (.integer, #"{"type":"integer"}"#),
      (.number(0...0.5), #"{"type":"number","minimum":0.0,"maximum":0.5}"#),
      (.array(.uuid, 1...2), #"{"type":"array","items":{"type":"string","format":"uuid"},"minItems":1,"maxItems":2}"#),
      (.map(.boolean), #"{"type":"object","additionalProperties":{"type":"boolean"}}"#),
      (.any, "{}"),
      (.anyOf(.boolean, .integer), #"{"anyOf":[{"type":"boolean"},{"type":"integer"}]}"#),
      (.boolean.named("Flag"), ##"{"$ref":"#/components/schemas/Flag"}"##),
      (.boolean.named("Flag").orNull, ##"{"anyOf":[{"$ref":"#/components/schemas/Flag"},{"type":"null"}]}"##),
      (.boolean.described("Yes?").sample(true), #"{"type":"boolean","description":"Yes?","examples":[true]}"#),
    ])
  func isShown(schema: Schema, text: String) {
    #expect(schema.openAPI.text == text)
  }

  @Test func showsMembers() {
    let schema = Schema.object {
      Schema.Member.required("a", .boolean)
      Schema.Member.optional("b", .integer)
      Schema.Member.sometimes("c", .integer, "Now and then.")
    }
    let text =
      #"{"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":["integer","null"]},"#
      + #""c":{"type":"integer","description":"Now and then."}},"required":["a"]}"#
    #expect(schema.openAPI.text == text)
  }

  @Test func showsThatAnObjectIsClosed() {
    let text = #"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#
    #expect(Schema.object { Schema.Member.sometimes("a", .any) }.closed.openAPI.text == text)
  }

  @Test func collectsNamedShapesOnce() {
    let inner = Schema.boolean.named("Inner")
    let outer = Schema.object {
      Schema.Member.required("one", inner)
      Schema.Member.required("more", .array(inner))
    }.named("Outer")
    var components: [String: Schema] = [:]
    outer.collect(into: &components)
    #expect(components.keys.sorted() == ["Inner", "Outer"])
  }
}
