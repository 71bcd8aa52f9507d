// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(
  name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let lifecycle = Target.Dependency.product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let configuration = Target.Dependency.product(
  name: "Configuration", package: "swift-configuration")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let arguments = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "hoichan",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "hoichan", targets: ["hoichan"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .target(name: "Domain", swiftSettings: strict),
    .target(
      name: "Coordinator", dependencies: ["Domain", crypto, cryptoExtras, lifecycle, logging],
      swiftSettings: strict),
    .target(
      name: "Storage", dependencies: ["Domain", "Coordinator", crypto], swiftSettings: strict),
    .target(
      name: "StorageSQLite",
      dependencies: ["Domain", "Coordinator", "Storage", grdb, sqlite, logging, metrics],
      swiftSettings: strict),
    .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .target(
      name: "StoragePostgres",
      dependencies: ["CPostgres", "Domain", "Coordinator", "Storage", crypto, logging, metrics],
      swiftSettings: strict),
    .target(
      name: "Realtime",
      dependencies: [
        "CZlib", "Domain", "Coordinator", nioCore, nioPosix, nioHTTP1, nioTLS, nioSSL, nioHTTPTypes,
        nioHTTPTypesHTTP1, httpTypes, hummingbirdCore, hummingbirdTLS, lifecycle, logging, metrics,
        crypto,
      ],
      swiftSettings: strict),
    // glibc's malloc settings, which Swift's Glibc module leaves out.
    .systemLibrary(name: "CMalloc"),
    // For the load of `hoichan bench feed`.
    .systemLibrary(name: "CEpoll"),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
      name: "Server",
      dependencies: [
        "CZlib", "Domain", "Coordinator", "Realtime", hummingbird, hummingbirdCore, hummingbirdTLS,
        httpTypes, nioCore, nioPosix, nioSSL, mustache, lifecycle, logging, metrics, coreMetrics,
        crypto,
      ],
      resources: [.copy("Resources")],
      swiftSettings: strict),
    .executableTarget(
      name: "hoichan",
      dependencies: [
        "CMalloc", "CEpoll", "Domain", "Coordinator", "Storage", "StorageSQLite", "StoragePostgres", "Realtime",
        "Server", arguments,
        configuration, system, lifecycle, logging, metrics, crypto, nioCore, nioPosix, httpTypes, hummingbirdCore,
      ],
      resources: [.copy("Resources")],
      swiftSettings: strict),

    .testTarget(name: "DomainTests", dependencies: ["Domain"], swiftSettings: strict),
    .testTarget(
      name: "CoordinatorTests",
      dependencies: ["Domain", "Coordinator", "Storage", "StorageSQLite", logging],
      swiftSettings: strict),
    .testTarget(
      name: "StorageConformance",
      dependencies: ["Domain", "Coordinator", "Storage", "StorageSQLite", "StoragePostgres", grdb, logging],
      swiftSettings: strict),
    .testTarget(
      name: "RealtimeTests",
      dependencies: [
        "Domain", "Coordinator", "Realtime", "Storage", "StorageSQLite", nioCore, nioEmbedded,
        nioPosix, nioHTTP1, nioHTTPTypes, nioSSL, httpTypes, hummingbirdCore, hummingbirdTLS, lifecycle,
        logging,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ServerTests",
      dependencies: [
        "Domain", "Coordinator", "Server", "Storage", "StorageSQLite", hummingbird, httpTypes,
        nioCore, nioEmbedded, logging, coreMetrics,
      ],
      swiftSettings: strict),
  ]
)

// Only for ops/fuzz, which builds it in a folder of its own: libFuzzer brings the program's start.
if Context.environment["HOICHAN_FUZZ"] == "1" {
  package.targets.append(
    .executableTarget(
      name: "FuzzFrames", dependencies: ["Realtime", nioCore], path: "Tests/Fuzz", exclude: ["Corpus"],
      swiftSettings: strict))
}
