/// Where a program's database is.
public enum DatabaseLocation: Sendable {
    /// A server that somebody else runs; a libpq connection string, empty for the `PG*` variables.
    case server(String)
    /// The private cluster of a SAGA_HOME.
    case embedded(EmbeddedCluster)

    /// What `PG*` means: when one of these is set, libpq finds its server by itself.
    private static let libpqVariables = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"]

    /// Finds where the database is: `--database`, else `SAGA_DATABASE_URL`, else the `PG*` variables when one is set,
    /// else the embedded cluster of `SAGA_HOME`, else of the nearest `.saga` upward, else of `./.saga`.
    ///
    /// A variable that is set and empty counts as not set, as libpq has it. Nothing is made or connected to.
    ///
    /// - Parameters:
    ///   - option: the value of `--database`, if it was given.
    ///   - environment: the process' environment.
    ///   - currentDirectory: the absolute path of the working directory.
    /// - Throws: `DatabaseLocationError`.
    public static func resolve(
        option: String?,
        environment: [String: String],
        currentDirectory: String
    ) throws(DatabaseLocationError) -> DatabaseLocation {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let option {
            if option.isEmpty { throw .emptyOption }
            return .server(try checked(option, "--database"))
        }
        if let url = variable("SAGA_DATABASE_URL") { return .server(try checked(url, "SAGA_DATABASE_URL")) }
        if libpqVariables.contains(where: { variable($0) != nil }) { return .server("") }
        let home = variable("SAGA_HOME") ?? nearestHome(from: currentDirectory) ?? ".saga"
        let absolute = FilePath.absolute(home, from: currentDirectory)
        return .embedded(EmbeddedCluster(home: absolute, environment: environment))
    }

    private static func checked(_ text: String, _ source: String) throws(DatabaseLocationError) -> String {
        guard ConnectionTarget.isReadable(text) else { throw .unreadable(source) }
        return text
    }

    private static func nearestHome(from directory: String) -> String? {
        var folder = FilePath.absolute(directory, from: "/")
        while true {
            let candidate = folder == "/" ? "/.saga" : "\(folder)/.saga"
            if FilePath.isDirectory(candidate) { return candidate }
            guard folder != "/", let slash = folder.lastIndex(of: "/") else { return nil }
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
    }
}

/// What was said of the database makes no sense.
///
/// Programs exit with `ExitStatus.usage`.
public enum DatabaseLocationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// `--database ''`, most likely of a shell variable that isn't set.
    case emptyOption
    /// Where it was said. The text itself isn't quoted: it may hold a password.
    case unreadable(String)

    public var description: String {
        switch self {
        case .emptyOption: "--database is empty; give a libpq URL or keyword string, or leave it out"
        case .unreadable(let source): "\(source) is neither a libpq URL nor a keyword string nor a database's name"
        }
    }
}
