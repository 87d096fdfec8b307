// swift-tools-version: 6.2
import PackageDescription

/// CI builds with warnings as errors; a newer compiler's warnings don't stop a user's build.
let strict: [SwiftSetting] = Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

let package = Package(
    name: "saga",
    products: [
        .executable(name: "saga", targets: ["saga"]),
        .executable(name: "sagad", targets: ["sagad"]),
        .executable(name: "order-demo", targets: ["order-demo"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "JSON", swiftSettings: strict),
        // RE2 itself is the system's: `libre2-dev`, which `scripts/setup` installs.
        .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2")]),
        .target(name: "RE2", dependencies: ["CRE2"], swiftSettings: strict),
        .target(name: "CEL", dependencies: ["JSON", "RE2"], swiftSettings: strict),
        .target(name: "JSONSchema", dependencies: ["JSON", "RE2"], swiftSettings: strict),
        .target(
            name: "SagaCore",
            dependencies: [
                "CEL", "JSON", "JSONSchema",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),
        .target(
            name: "SagaEngine",
            dependencies: [
                "JSON", "SagaCore",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "PostgresClient",
            dependencies: ["CLibpq", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict),
        .target(
            name: "SagaSchema", path: "sql", exclude: ["schema.sql"],
            resources: [.copy("migrations"), .copy("participant.sql")], swiftSettings: strict),
        .target(
            name: "SagaPostgres",
            dependencies: [
                "JSON", "PostgresClient", "SagaCore", "SagaEngine", "SagaSchema",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "SagaHTTP",
            dependencies: [
                "JSON", "SagaCore", "SagaEngine",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),
        .target(
            name: "SagaDatabase",
            dependencies: [
                "CLibpq", "PostgresClient", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "SagaSimulation",
            dependencies: [
                "CEL", "JSON", "JSONSchema", "SagaCore", "SagaEngine",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "SagaTestKit",
            dependencies: [
                "JSON", "PostgresClient", "SagaCore", "SagaEngine", "SagaSimulation",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "order-demo",
            dependencies: [
                "JSON", "PostgresClient", "SagaSchema",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "sagad",
            dependencies: [
                "JSON", "PostgresClient", "SagaCore", "SagaDatabase", "SagaEngine", "SagaHTTP", "SagaPostgres",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "saga",
            dependencies: [
                "JSON", "PostgresClient", "SagaCore", "SagaDatabase", "SagaEngine", "SagaPostgres", "SagaSchema",
                "SagaSimulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "engine-simulator",
            dependencies: ["SagaSimulation", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),
        .executableTarget(
            name: "http-bench",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Benchmarks/Sources/http-bench", swiftSettings: strict),
        .testTarget(
            name: "JSONTests", dependencies: ["JSON"], resources: [.copy("Resources")], swiftSettings: strict),
        .testTarget(name: "RE2Tests", dependencies: ["RE2"], swiftSettings: strict),
        .testTarget(
            name: "CELTests", dependencies: ["CEL", "JSON"], resources: [.copy("Resources")], swiftSettings: strict),
        .testTarget(
            name: "JSONSchemaTests", dependencies: ["JSON", "JSONSchema"], resources: [.copy("Resources")],
            swiftSettings: strict),
        .testTarget(
            name: "SagaCoreTests", dependencies: ["CEL", "JSON", "SagaCore"], resources: [.copy("Resources")],
            swiftSettings: strict),
        .testTarget(
            name: "SagaEngineTests",
            dependencies: [
                "JSON", "SagaCore", "SagaEngine", "SagaTestKit", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "PostgresClientTests",
            dependencies: ["PostgresClient", "SagaTestKit", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict),
        .testTarget(
            name: "SagaSchemaTests",
            dependencies: [
                "JSON", "PostgresClient", "SagaPostgres", "SagaSchema", "SagaTestKit",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SagaStoreTests",
            dependencies: [
                "PostgresClient", "SagaCore", "SagaEngine", "SagaPostgres", "SagaTestKit",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SagaSimulationTests", dependencies: ["JSON", "SagaCore", "SagaSimulation"], swiftSettings: strict),
        .testTarget(
            name: "SagaHTTPTests",
            dependencies: [
                "JSON", "SagaCore", "SagaEngine", "SagaHTTP", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ParticipantTests",
            dependencies: [
                "JSON", "PostgresClient", "SagaSchema", "SagaTestKit", "order-demo",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SagaDatabaseTests",
            dependencies: ["PostgresClient", "SagaDatabase", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strict),
        .testTarget(
            name: "SagaCLITests",
            dependencies: [
                "JSON", "PostgresClient", "SagaCore", "SagaEngine", "SagaPostgres", "SagaTestKit", "http-bench", "saga",
                "sagad", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DemoTests",
            dependencies: ["SagaCore", "SagaDatabase", "order-demo", "saga", "sagad"],
            swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "JSON", "PostgresClient", "SagaTestKit", "order-demo", "saga", "sagad",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
    ]
)
