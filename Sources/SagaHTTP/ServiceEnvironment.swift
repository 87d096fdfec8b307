import SagaCore

/// A variable that a service's URL or headers ask for and that isn't set, or a reference that can't be read.
public struct MissingVariable: Error, Sendable, Hashable, CustomStringConvertible {
    /// What stands between `${env:` and the end of the reference; never a value.
    public let name: String

    public init(name: String) {
        self.name = name
    }

    public var description: String { "environment variable \(name) is not set" }
}

/// The variables that `${env:NAME}` in a service's URL and headers stands for.
///
/// Values are secrets: they go into requests and nowhere else.
public struct ServiceEnvironment: Sendable {
    private let variables: [String: String]

    public init(_ variables: [String: String]) {
        self.variables = variables
    }

    /// Replaces every `${env:NAME}` and `${env:NAME:-default}`; `$${` becomes a plain `${`.
    ///
    /// As in a shell, the default also stands for a variable that is set and empty. A default ends at the first `}`.
    /// - Throws: ``MissingVariable`` for a name that isn't set and has no default, and for a reference without an end
    ///   or with a name outside `[A-Za-z_][A-Za-z0-9_]*`, so that no half-read reference is ever sent.
    public func resolve(_ text: String) throws(MissingVariable) -> String {
        let bytes = Array(text.utf8)
        guard bytes.contains(UInt8(ascii: "$")) else { return text }
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let rest = bytes[position...]
            if rest.starts(with: Self.escape) {
                result += Self.escape.dropFirst()
                position += Self.escape.count
            } else if rest.starts(with: Self.opening) {
                let reference = rest.dropFirst(Self.opening.count)
                guard let end = reference.firstIndex(of: UInt8(ascii: "}")) else {
                    throw MissingVariable(name: String(decoding: reference, as: UTF8.self))
                }
                result += try value(of: reference[..<end]).utf8
                position = end + 1
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Checks that everything a service asks for is there: what a daemon does before it takes work.
    /// - Throws: ``MissingVariable``, the first one in the order URL, then headers.
    public func check(_ service: Service) throws(MissingVariable) {
        _ = try resolve(service.url)
        for header in service.headers {
            _ = try resolve(header.value)
        }
    }

    private static let opening = Array("${env:".utf8)
    private static let escape = Array("$${".utf8)

    private func value(of reference: ArraySlice<UInt8>) throws(MissingVariable) -> String {
        var name = reference
        var fallback: String?
        if let colon = reference.firstIndex(of: UInt8(ascii: ":")) {
            name = reference[..<colon]
            let tail = reference[(colon + 1)...]
            guard tail.first == UInt8(ascii: "-") else {
                throw MissingVariable(name: String(decoding: reference, as: UTF8.self))
            }
            fallback = String(decoding: tail.dropFirst(), as: UTF8.self)
        }
        let text = String(decoding: name, as: UTF8.self)
        guard Self.isName(name) else { throw MissingVariable(name: text) }
        if let value = variables[text], fallback == nil || !value.isEmpty { return value }
        guard let fallback else { throw MissingVariable(name: text) }
        return fallback
    }

    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
