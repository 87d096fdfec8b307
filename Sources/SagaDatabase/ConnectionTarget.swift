import CLibpq

/// Which server a connection string leads to, for people: never holds a password.
public struct ConnectionTarget: Sendable, Hashable, CustomStringConvertible {
    /// `HOST:PORT/DATABASE`, with every host of a list, or the folder of a unix socket.
    public let description: String

    /// Reads a connection string together with the `PG*` variables and libpq's defaults.
    public init(_ connectionString: String) {
        var settings: [String: String] = [:]
        if let defaults = PQconndefaults() {
            Self.collect(defaults, into: &settings)
            PQconninfoFree(defaults)
        }
        if Self.isParsed(connectionString) {
            if let options = PQconninfoParse(connectionString, nil) {
                Self.collect(options, into: &settings)
                PQconninfoFree(options)
            }
        } else if !connectionString.isEmpty {
            settings["dbname"] = connectionString
        }
        let hosts = Self.list(settings["host"] ?? settings["hostaddr"])
        let ports = Self.list(settings["port"])
        let servers = hosts.enumerated().map { index, host in
            let port = index < ports.count ? ports[index] : ports.last ?? ""
            return port.isEmpty || host.hasPrefix("/") ? host : "\(host):\(port)"
        }
        let place = servers.isEmpty ? "the local socket" : servers.joined(separator: ",")
        let database = settings["dbname"] ?? settings["user"] ?? ""
        description = database.isEmpty || servers.isEmpty ? place : "\(place)/\(database)"
    }

    /// Whether libpq can read the text; it takes one without `=` or a URL's scheme for a database's name.
    static func isReadable(_ text: String) -> Bool {
        if text.utf8.contains(0) { return false }
        guard isParsed(text) else { return true }
        guard let options = PQconninfoParse(text, nil) else { return false }
        PQconninfoFree(options)
        return true
    }

    private static func isParsed(_ text: String) -> Bool {
        text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") || text.contains("=")
    }

    private static func list(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        // A password with a bare `@` in a URL makes libpq take its tail for a part of the host.
        return text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            part.lastIndex(of: "@").map { String(part[part.index(after: $0)...]) } ?? String(part)
        }
    }

    private static func collect(
        _ options: UnsafeMutablePointer<PQconninfoOption>,
        into settings: inout [String: String]
    ) {
        var option = options
        while let keyword = option.pointee.keyword {
            let name = String(cString: keyword)
            if ["host", "hostaddr", "port", "dbname", "user"].contains(name), let value = option.pointee.val {
                settings[name] = String(cString: value)
            }
            option += 1
        }
    }
}
