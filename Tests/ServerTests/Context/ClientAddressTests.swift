import HTTPTypes
import NIOCore
import Testing

@testable import Server

private func address(_ text: String) throws -> ClientAddress { try #require(ClientAddress(text)) }

@Suite struct ClientAddressTests {
  @Test func readsSocketAddresses() throws {
    #expect(ClientAddress(try SocketAddress(ipAddress: "192.0.2.7", port: 1)).text == "192.0.2.7")
    #expect(ClientAddress(try SocketAddress(ipAddress: "2001:db8::7", port: 1)).text == "2001:db8:0:0:0:0:0:7")
    #expect(ClientAddress(try SocketAddress(ipAddress: "::1", port: 1)).isLoopback)
    #expect(ClientAddress(try SocketAddress(ipAddress: "127.9.9.9", port: 1)).isLoopback)
    #expect(!ClientAddress(try SocketAddress(ipAddress: "128.0.0.1", port: 1)).isLoopback)
    #expect(ClientAddress(nil).isLoopback)
  }

  @Test(arguments: ["192.0.2.7", " 192.0.2.7 ", "192.0.2.7:4711", "::ffff:192.0.2.7"])
  func readsText(text: String) throws {
    #expect(try address(text).text == "192.0.2.7")
  }

  @Test func readsBrackets() throws {
    #expect(try address("[2001:db8::1]:443") == address("2001:db8::1"))
  }

  @Test(arguments: ["", "x", "1.2.3", "1.2.3.4.5", "unknown", "_hidden", "1.2.3.256", ":::"])
  func refuses(text: String) { #expect(ClientAddress(text) == nil) }

  @Test func countsAnIPv6SubscriberAsOne() throws {
    #expect(try address("2001:db8::1").throttleKey == address("2001:db8::ffff:1").throttleKey)
    #expect(try address("2001:db8::1").throttleKey != address("2001:db8:0:1::1").throttleKey)
    #expect(try address("192.0.2.1").throttleKey != address("192.0.2.2").throttleKey)
  }

  @Test(
    arguments: [
      ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.7", "192.0.2.7", true),
      ("192.0.2.7", "192.0.2.8", false), ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false),
      ("fd00::/8", "fd12::1", true), ("fd00::/8", "fe00::1", false), ("2001:db8::/33", "2001:db8:8000::", false),
      ("::/0", "1.2.3.4", true),
    ])
  func holdsBlocks(block: String, text: String, holds: Bool) throws {
    #expect(try #require(AddressBlock(block)).contains(address(text)) == holds)
  }

  @Test(arguments: ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "x/8", "10.0.0.0/8/8"])
  func refusesBlocks(text: String) { #expect(AddressBlock(text) == nil) }

  @Test(
    arguments: [
      ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  // the peer is no proxy of ours: its header says nothing
      ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
      ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),  // the client made the first one up
      ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
      ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
      ("10.0.0.1", "203.0.113.9, rubbish", "10.0.0.1"),
      ("10.0.0.1", "", "10.0.0.1"),
    ])
  func believesTrustedProxiesOnly(peer: String, header: String, client: String) throws {
    let found = ClientAddress.client(
      peer: try address(peer), headers: [.xForwardedFor: header], trusted: [try #require(AddressBlock("10.0.0.0/8"))])
    #expect(found == (try address(client)))
  }

  @Test func tellsTheMachineItselfFromAProxyOnIt() {
    #expect(ClientAddress.isLocal(peer: .loopback, headers: [:]))
    #expect(!ClientAddress.isLocal(peer: .loopback, headers: [.xForwardedFor: "127.0.0.1"]))
    #expect(!ClientAddress.isLocal(peer: .loopback, headers: [.forwarded: "for=127.0.0.1"]))
  }
}
