import Domain
import Testing

@Suite struct NetworkAddressTests {
  @Test(
    arguments: [
      "8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
      "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.167.255.255", "192.169.0.0",
      "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "11.0.0.0", "9.255.255.255",
      "2001:200::1", "2001:4860:4860::8888", "2400:cb00::1", "2606:4700::1111", "2a00:1450::1",
    ])
  func everybodys(text: String) throws {
    #expect(try #require(NetworkAddress(text)).scope == .global)
  }

  @Test(
    arguments: [
      "127.0.0.1", "127.255.255.255", "10.0.0.1", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1",
      "192.168.255.255", "100.64.0.0", "100.127.255.255", "::1", "fc00::1", "fd12:3456::1",
      "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ])
  func ours(text: String) throws {
    #expect(try #require(NetworkAddress(text)).scope == .local)
  }

  @Test(
    arguments: [
      // This network, link-local with metadata, a cloud's other places for it, documentation, benchmarks, relays.
      "0.0.0.0", "0.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255", "100.100.100.200", "192.0.0.1",
      "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
      // Multicast, reserved, broadcast.
      "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
      "::", "::2", "fe80::1", "febf::1", "fec0::1", "ff02::1", "fd00:ec2::254", "2001:db8::1", "3fff::1", "100::1",
      "4000::1",
      // IPv4 in disguise: mapped, compatible, translated, 6to4, Teredo.
      "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::",
      "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1",
    ])
  func nobodys(text: String) throws {
    #expect(try #require(NetworkAddress(text)).scope == .special)
  }

  @Test(
    arguments: [
      "", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", " 127.0.0.1", "1.2.3.256",
      "[::1]", "fe80::1%eth0", "::ffff:1.2.3", "1.2.3.4.5",
    ])
  func isNoAddress(text: String) {
    #expect(NetworkAddress(text) == nil)
  }

  @Test func fromBytes() {
    #expect(NetworkAddress(bytes: [127, 0, 0, 1]) == NetworkAddress("127.0.0.1"))
    #expect(NetworkAddress(bytes: Array(repeating: 0, count: 15) + [1]) == NetworkAddress("::1"))
    #expect(NetworkAddress(bytes: [127, 0, 0]) == nil)
    #expect(NetworkAddress(bytes: []) == nil)
  }
}
