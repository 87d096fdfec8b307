import Glibc

/// PostgreSQL's server programs on this machine, and the user to run them as.
struct PostgresPrograms: Sendable, Hashable {
    /// The folder of `initdb`, `pg_ctl` and `postgres`.
    let folder: String
    let user: ServerUser

    /// The programs of a major version, or of the newest there is.
    ///
    /// They are looked for in PATH, then where `pg_config --bindir` says, then where distributions put them, which keep
    /// several versions beside each other. A cluster can be run by the version that made it alone.
    ///
    /// - Throws: `.noPrograms`.
    static func find(
        version: String?,
        user: ServerUser,
        environment: [String: String]
    ) async throws(EmbeddedClusterError) -> PostgresPrograms {
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        var folders = path.filter { $0.hasPrefix("/") }
        for folder in path where access("\(folder)/pg_config", X_OK) == 0 {
            let run = try await ProgramRun.run(
                ["\(folder)/pg_config", "--bindir"],
                environment: childEnvironment(environment),
                limit: .seconds(10)
            )
            let line = run.output.split(separator: "\n").first.map(String.init) ?? ""
            if run.status == 0, line.hasPrefix("/") { folders.append(line) }
            break
        }
        folders += installed(below: "/usr/lib/postgresql", suffix: "/bin")
        folders += installed(below: "/usr", prefix: "pgsql-", suffix: "/bin")
        folders.append("/usr/local/pgsql/bin")
        let complete = folders.filter { folder in
            ["initdb", "pg_ctl", "postgres"].allSatisfy { access("\(folder)/\($0)", X_OK) == 0 }
        }
        for folder in complete {
            let programs = PostgresPrograms(folder: folder, user: user)
            guard let version else { return programs }
            if try await programs.majorVersion(environment) == version { return programs }
        }
        throw .noPrograms(version: version)
    }

    /// `postgres --version` says `postgres (PostgreSQL) 15.18 (Debian …)`.
    func majorVersion(_ environment: [String: String]) async throws(EmbeddedClusterError) -> String? {
        let run = try await ProgramRun.run(
            ["\(folder)/postgres", "--version"],
            environment: Self.childEnvironment(environment),
            limit: .seconds(10)
        )
        let words = run.output.split { $0 == " " || $0 == "\n" }
        guard let place = words.firstIndex(of: "(PostgreSQL)"), place + 1 < words.count else { return nil }
        return String(words[place + 1].prefix { $0.isASCII && $0.isNumber })
    }

    /// Runs one of the programs as the server's user.
    ///
    /// - Throws: `.program` with the reason when it fails.
    func run(
        _ program: String,
        _ arguments: [String],
        environment: [String: String],
        limit: Duration
    ) async throws(EmbeddedClusterError) {
        try await user.run(["\(folder)/\(program)"] + arguments, environment: environment, limit: limit)
    }

    /// Nothing of what libpq and the server read from the environment, and messages in one language.
    static func childEnvironment(_ environment: [String: String]) -> [String] {
        var kept = environment.filter { name, _ in
            !name.hasPrefix("PG") && !name.hasPrefix("LC_") && name != "LANG" && name != "LANGUAGE"
        }
        kept["LC_ALL"] = "C"
        return kept.map { "\($0)=\($1)" }.sorted()
    }

    /// Folders whose name is a version, the newest first.
    private static func installed(below base: String, prefix: String = "", suffix: String) -> [String] {
        FilePath.names(in: base).compactMap { name in
            guard name.hasPrefix(prefix), let version = Double(name.dropFirst(prefix.count)) else { return nil }
            return (version, "\(base)/\(name)\(suffix)")
        }.sorted { (left: (Double, String), right: (Double, String)) in left.0 > right.0 }.map(\.1)
    }
}

/// Who runs the server: PostgreSQL refuses to run as root.
struct ServerUser: Sendable, Hashable {
    let uid: uid_t
    let gid: gid_t
    /// nil when it is this process' own user.
    let name: String?

    /// This process' user, or as root `postgres`.
    ///
    /// - Throws: `.noServerUser`.
    static func current() throws(EmbeddedClusterError) -> ServerUser {
        guard geteuid() == 0 else { return ServerUser(uid: geteuid(), gid: getegid(), name: nil) }
        let name = "postgres"
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else {
            throw .noServerUser(name)
        }
        return ServerUser(uid: entry.pw_uid, gid: entry.pw_gid, name: name)
    }

    /// Runs a program, by its absolute path, as this user.
    ///
    /// - Throws: `.program` with the reason when it fails.
    func run(
        _ command: [String],
        environment: [String: String],
        limit: Duration
    ) async throws(EmbeddedClusterError) {
        let run = try await ProgramRun.run(
            try commandLine(command, environment: environment),
            environment: PostgresPrograms.childEnvironment(environment),
            limit: limit
        )
        guard run.status != 0 else { return }
        let program = command[0].split(separator: "/").last.map(String.init) ?? command[0]
        throw .program(program, reason: run.reason)
    }

    private func commandLine(
        _ command: [String],
        environment: [String: String]
    ) throws(EmbeddedClusterError) -> [String] {
        guard let name else { return command }
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        for folder in ["/usr/sbin", "/sbin", "/usr/bin", "/bin"] + path.filter({ $0.hasPrefix("/") }) {
            if access("\(folder)/runuser", X_OK) == 0 { return ["\(folder)/runuser", "-u", name, "--"] + command }
            if access("\(folder)/setpriv", X_OK) == 0 {
                return ["\(folder)/setpriv", "--reuid=\(uid)", "--regid=\(gid)", "--init-groups", "--"] + command
            }
        }
        throw .program("runuser", reason: "it isn't installed, so nothing can be run as the user \(name)")
    }
}
