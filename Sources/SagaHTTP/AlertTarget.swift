import NIOHTTP1
import SagaCore

/// Why alerts can't be posted to what `--alert-url` and `--alert-header` say; it repeats no value.
public enum UnusableAlertTarget: Error, Sendable, Hashable, CustomStringConvertible {
    /// A variable that one of them asks for.
    case missingVariable(option: String, MissingVariable)
    case invalid(String)

    /// One line that names the option.
    public var description: String {
        switch self {
        case .missingVariable(let option, let missing): "\(option): \(missing)"
        case .invalid(let message): message
        }
    }
}

/// Where alerts go: a URL and headers with their variables filled in.
///
/// Its texts are secrets.
public struct AlertTarget: Sendable {
    let url: String
    let headers: HTTPHeaders

    /// - Parameters:
    ///   - url: `http://` or `https://`, perhaps with a query; may hold `${env:NAME}`.
    ///   - headers: each `Name: value`; values may hold `${env:NAME}`.
    public init(
        url: String, headers: [String], environment: ServiceEnvironment, userAgent: String
    ) throws(UnusableAlertTarget) {
        self.url = try Self.checked(try Self.resolve(url, "--alert-url", environment))
        var all: HTTPHeaders = [
            "User-Agent": userAgent, "Content-Type": "application/cloudevents+json",
            // Alerts are rare: a kept connection would mostly be found closed.
            "Connection": "close",
        ]
        for header in headers {
            guard let colon = header.firstIndex(of: ":") else {
                throw .invalid("--alert-header is written NAME: VALUE")
            }
            let name = Self.trimmed(header[..<colon])
            if ["content-type", "connection"].contains(name.lowercased()) {
                throw .invalid("--alert-header: header \(name) is set by the engine")
            }
            let value = try Self.resolve(
                Self.trimmed(header[header.index(after: colon)...]), "--alert-header", environment)
            do throws(UnusableRequest) {
                try RequestHeaders.apply([Service.Header(name: name, value: value)], to: &all)
            } catch {
                throw .invalid("--alert-header: \(error.message)")
            }
        }
        self.headers = all
    }

    private static func resolve(
        _ text: String, _ option: String, _ environment: ServiceEnvironment
    ) throws(UnusableAlertTarget) -> String {
        do throws(MissingVariable) {
            return try environment.resolve(text)
        } catch {
            throw .missingVariable(option: option, error)
        }
    }

    /// The URL as it is sent.
    ///
    /// Checked here, since the client traps on some that are none.
    private static func checked(_ url: String) throws(UnusableAlertTarget) -> String {
        let beforeQuery = url.prefix { $0 != "?" }
        guard ServiceURL.origin(of: String(beforeQuery)) != nil,
            let query = ServiceURL.encodedTarget(String(url.dropFirst(beforeQuery.count)))
        else {
            throw .invalid(
                "--alert-url is not http://HOST[:PORT][/PATH][?QUERY] or https://…; credentials go into --alert-header")
        }
        return beforeQuery + query
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
