// swift-tools-version: 6.2
import PackageDescription

/// CI builds with warnings as errors; a newer compiler's warnings don't stop a user's build.
let strict: [SwiftSetting] = Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

let package = Package(
    name: "saga",
    targets: [
        .target(name: "JSON", swiftSettings: strict),
        .target(name: "CEL", dependencies: ["JSON"], swiftSettings: strict),
        .testTarget(
            name: "JSONTests", dependencies: ["JSON"], resources: [.copy("Resources")], swiftSettings: strict),
        .testTarget(
            name: "CELTests", dependencies: ["CEL", "JSON"], resources: [.copy("Resources")], swiftSettings: strict),
    ]
)
