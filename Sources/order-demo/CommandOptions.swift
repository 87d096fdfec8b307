import ArgumentParser
import Logging

/// Four ports, as `7001,7003,7005,7007`.
struct PortList: ExpressibleByArgument {
    let ports: [Int]

    init(ports: [Int]) {
        self.ports = ports
    }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let ports = parts.compactMap { Int($0) }.filter { (0...65_535).contains($0) }
        guard parts.count == ServiceName.allCases.count, ports.count == parts.count else { return nil }
        self.ports = ports
    }

    var defaultValueDescription: String { ports.map(String.init).joined(separator: ",") }
}

/// A length of time up to a day, as `250ms` or `2s`.
struct TimeOption: ExpressibleByArgument {
    let duration: Duration
    let defaultValueDescription: String

    init(duration: Duration, defaultValueDescription: String) {
        self.duration = duration
        self.defaultValueDescription = defaultValueDescription
    }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), count <= 86_400_000 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(count)
        case "s" where count <= 86_400: duration = .seconds(count)
        default: return nil
        }
        defaultValueDescription = argument
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
