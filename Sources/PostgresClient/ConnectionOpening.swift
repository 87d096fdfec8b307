import CLibpq
import Glibc
import Logging

/// Makes one connection with `PQconnectPoll`, on the connection's own thread.
///
/// Resolving a host's name is libpq's work and blocks that thread, at most as long as the system's resolver takes.
struct ConnectionOpening: ~Copyable {
    private let configuration: PostgresConfiguration
    private let timeout: Duration
    private let logger: Logger
    private let redaction: ConnectionRedaction

    init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        self.redaction = ConnectionRedaction(configuration.connectionString)
        let timeout =
            Self.connectTimeout(inConnectionString: configuration.connectionString) ?? configuration.connectTimeout
        self.timeout = min(max(timeout, .zero), .seconds(86_400))
    }

    /// Tries the hosts in libpq's order until one is connected and fits `target_session_attrs`.
    ///
    /// - Throws: `.connectFailed` with the server's reason, and its SQLSTATE if it gave one.
    func open() throws(PostgresError) -> ConnectionHandle {
        guard !configuration.connectionString.utf8.contains(0), !configuration.applicationName.utf8.contains(0) else {
            throw PostgresError(.connectFailed, "the connection string or application name contains a NUL")
        }
        var hosts: [ServerAddress]?
        while true {
            switch try attempt(hosts: hosts) {
            case .connected(let handle): return handle
            case .silent(let server, let remaining):
                if remaining.isEmpty {
                    let name = redaction.redact("\"\(server.host)\", port \(server.port)")
                    throw PostgresError(
                        .connectFailed,
                        "connection to server at \(name) failed: no answer within \(timeout)"
                    )
                }
                hosts = remaining
            }
        }
    }

    /// A server that vanishes without a word is noticed within a minute, where Linux would take over two hours.
    private static let defaults: [(keyword: String, value: String)] = [
        ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
        ("tcp_user_timeout", "60000"),
    ]

    private enum Outcome: ~Copyable {
        case connected(ConnectionHandle)
        /// A server took the connection and then said nothing; the others are left to try.
        case silent(ServerAddress, remaining: [ServerAddress])
    }

    private func attempt(hosts: [ServerAddress]?) throws(PostgresError) -> Outcome {
        // What stands before the connection string yields to it, what stands behind overrides it.
        var keywords = Self.defaults.map(\.keyword) + ["dbname", "fallback_application_name", "client_encoding"]
        var values =
            Self.defaults.map(\.value) + [configuration.connectionString, configuration.applicationName, "UTF8"]
        if let hosts {
            keywords += ["host", "hostaddr", "port"]
            values += [
                hosts.map(\.host).joined(separator: ","), hosts.map(\.address).joined(separator: ","),
                hosts.map(\.port).joined(separator: ","),
            ]
        }
        let started = withCStrings(keywords) { keywords in
            withCStrings(values) { values in PQconnectStartParams(keywords.baseAddress, values.baseAddress, 1) }
        }
        guard let started else { throw PostgresError(.connectFailed, "can't connect: out of memory") }
        let handle = ConnectionHandle(started, logger: logger)
        // Only in a verbose message does libpq tell the SQLSTATE of a refused connection.
        PQsetErrorVerbosity(handle.raw, PQERRORS_VERBOSE)
        var hasTimedOut = false
        if PQstatus(handle.raw) != CONNECTION_BAD {
            if let silent = pollUntilDone(handle.raw, &hasTimedOut) {
                return .silent(silent, remaining: ServerAddress.list(of: handle.raw, after: silent))
            }
        }
        guard PQstatus(handle.raw) == CONNECTION_OK else {
            throw failure(handle.raw, hasTimedOut: hasTimedOut)
        }
        PQsetErrorVerbosity(handle.raw, PQERRORS_DEFAULT)
        guard PQsetnonblocking(handle.raw, 1) == 0, PQenterPipelineMode(handle.raw) == 1 else {
            throw failure(handle.raw, hasTimedOut: false)
        }
        return .connected(handle)
    }

    /// Drives the connection until it stands or has failed.
    ///
    /// - Returns: the server that took the connection and fell silent, if one did.
    private func pollUntilDone(_ connection: OpaquePointer, _ hasTimedOut: inout Bool) -> ServerAddress? {
        var server = ServerAddress(currentOf: connection)
        var deadline = ContinuousClock.now + timeout
        var wasCutOff = false
        var polling = PGRES_POLLING_WRITING
        while polling == PGRES_POLLING_READING || polling == PGRES_POLLING_WRITING {
            let current = ServerAddress(currentOf: connection)
            if current != server {
                server = current
                deadline = .now + timeout
                wasCutOff = false
            }
            let events = Int16(polling == PGRES_POLLING_READING ? POLLIN : POLLOUT)
            var descriptor = pollfd(fd: PQsocket(connection), events: events, revents: 0)
            let ready = poll(&descriptor, 1, pollTimeout(until: deadline))
            if ready < 0, errno == EINTR { continue }
            if ready == 0 {
                if .now < deadline { continue }
                hasTimedOut = true
                // Cutting off a connection still on its way makes libpq go on to the next address by itself.
                guard PQstatus(connection) == CONNECTION_STARTED, !wasCutOff,
                    shutdown(PQsocket(connection), Int32(SHUT_RDWR)) == 0
                else { return server }
                wasCutOff = true
                deadline = .now + .seconds(1)
            }
            polling = PQconnectPoll(connection)
        }
        return nil
    }

    private func failure(_ connection: OpaquePointer, hasTimedOut: Bool) -> PostgresError {
        var text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        let sqlState = ConnectionFailureText.takeSQLState(from: &text)
        text = redaction.redact(text.onOneLine)
        if hasTimedOut { text = "no answer within \(timeout); \(text)" }
        return PostgresError(.connectFailed, text.isEmpty ? "can't connect" : text, sqlState: sqlState)
    }

    /// `connect_timeout` of the connection string in whole seconds, which only libpq's blocking calls obey.
    private static func connectTimeout(inConnectionString text: String) -> Duration? {
        guard let options = PQconninfoParse(text, nil) else { return nil }
        defer { PQconninfoFree(options) }
        let seconds = conninfoValue("connect_timeout", options).flatMap { Int($0) }
        return seconds.flatMap { $0 > 0 ? .seconds($0) : nil }
    }
}

/// One server of a connection string's list.
struct ServerAddress: Equatable {
    var host: String
    var address: String
    var port: String

    /// The server that libpq is trying.
    init(currentOf connection: OpaquePointer) {
        host = PQhost(connection).map { String(cString: $0) } ?? ""
        address = PQhostaddr(connection).map { String(cString: $0) } ?? ""
        port = PQport(connection).map { String(cString: $0) } ?? ""
    }

    private init(host: String, address: String, port: String) {
        self.host = host
        self.address = address
        self.port = port
    }

    /// The connection's servers, from wherever libpq has them (string, service file, environment), behind the first
    /// one that matches.
    static func list(of connection: OpaquePointer, after current: ServerAddress) -> [ServerAddress] {
        guard let options = PQconninfo(connection) else { return [] }
        defer { PQconninfoFree(options) }
        func parts(_ keyword: String) -> [String] {
            guard let value = conninfoValue(keyword, options), !value.isEmpty else { return [] }
            return value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        let hosts = parts("host")
        let addresses = parts("hostaddr")
        let ports = parts("port")
        let servers = (0..<max(hosts.count, addresses.count)).map { index in
            ServerAddress(
                host: index < hosts.count ? hosts[index] : "",
                address: index < addresses.count ? addresses[index] : "",
                port: index < ports.count ? ports[index] : ports.last ?? ""
            )
        }
        let place = servers.firstIndex { server in
            (server.host.isEmpty ? server.address : server.host) == current.host
                && (server.port.isEmpty || server.port == current.port)
        }
        return place.map { Array(servers[($0 + 1)...]) } ?? []
    }
}

/// Looks up a keyword in an array of options, which ends with one that has no keyword.
private func conninfoValue(_ keyword: String, _ options: UnsafeMutablePointer<PQconninfoOption>) -> String? {
    var option = options
    while let name = option.pointee.keyword {
        if String(cString: name) == keyword { return option.pointee.val.map { String(cString: $0) } }
        option += 1
    }
    return nil
}

/// Lends the strings as an array of C strings that ends with a null pointer.
private func withCStrings<R>(_ strings: [String], _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> R) -> R {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes.append(contentsOf: string.utf8CString)
    }
    return bytes.withUnsafeBufferPointer { buffer in
        withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: strings.count + 1) { pointers in
            for (index, offset) in offsets.enumerated() {
                pointers.initializeElement(at: index, to: buffer.baseAddress?.advanced(by: offset))
            }
            pointers.initializeElement(at: strings.count, to: nil)
            return body(UnsafeBufferPointer(pointers))
        }
    }
}
