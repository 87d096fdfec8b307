import Foundation
import Glibc
import SagaDatabase

/// The demo's own folder, `demo` in SAGA_HOME, held by one demo at a time.
final class DemoHome: Sendable {
    /// The folder's absolute path.
    let path: String
    /// The private cluster in it.
    let cluster: EmbeddedCluster
    /// The environment without what leads to other databases.
    let environment: [String: String]
    private let lock: Int32

    var sagas: String { "\(path)/sagas" }
    var sampleInput: String { "\(path)/my-order.json" }
    var daemonLog: String { "\(path)/sagad.log" }
    var servicesLog: String { "\(path)/order-demo.log" }

    /// How long a killed demo's processes may take to stop what they were at.
    private static let patience = Duration.seconds(15)

    private init(path: String, cluster: EmbeddedCluster, environment: [String: String], lock: Int32) {
        self.path = path
        self.cluster = cluster
        self.environment = environment
        self.lock = lock
    }

    deinit { close(lock) }

    /// Makes the folder if need be and takes it for this process.
    ///
    /// - Throws: `CommandFailure` when it can't be made or another demo has it, `DatabaseLocationError`.
    static func take() throws -> DemoHome {
        let environment = ProcessInfo.processInfo.environment.filter { name, _ in
            !name.hasPrefix("PG") && name != "SAGA_DATABASE_URL"
        }
        // libpq would take these for the demo's own connections as well.
        for name in ProcessInfo.processInfo.environment.keys where name.hasPrefix("PG") { unsetenv(name) }
        let location = try DatabaseLocation.resolve(
            option: nil,
            environment: environment,
            currentDirectory: FileManager.default.currentDirectoryPath
        )
        guard case .embedded(let outer) = location else {
            throw CommandFailure("the demo has no place for its database")
        }
        let path = "\(outer.home)/demo"
        try makeFolder(path)
        let lock = open("\(path)/demo.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard lock >= 0 else { throw CommandFailure("can't use \(path): \(String(cString: strerror(errno)))") }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw CommandFailure("another saga demo is running in \(path)")
        }
        let cluster = EmbeddedCluster(home: path, environment: environment)
        return DemoHome(path: path, cluster: cluster, environment: environment, lock: lock)
    }

    /// Removes what an earlier demo left, running or not, and nothing else that may lie there.
    ///
    /// - Throws: `EmbeddedClusterError`, `CommandFailure`, `CancellationError`.
    func clear() async throws {
        let end = ContinuousClock.now + Self.patience
        while true {
            do throws(EmbeddedClusterError) {
                try await cluster.erase()
                break
            } catch {
                guard case .path(cluster.home, _) = error, ContinuousClock.now < end else { throw error }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        do {
            for file in [sagas, sampleInput, daemonLog, servicesLog] where FileManager.default.fileExists(atPath: file)
            {
                try FileManager.default.removeItem(atPath: file)
            }
        } catch {
            throw CommandFailure("can't clear \(path): \(Self.reason(of: error))")
        }
        try Self.makeFolder(sagas)
    }

    /// Writes a new file.
    ///
    /// - Throws: `CommandFailure`.
    func write(_ bytes: [UInt8], to file: String) throws(CommandFailure) {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: file))
        } catch {
            throw CommandFailure("can't write \(file): \(Self.reason(of: error))")
        }
    }

    /// The folder as it is told to people: short where it lies below the working directory.
    var shownPath: String {
        let below = FileManager.default.currentDirectoryPath + "/"
        return path.hasPrefix(below) ? String(path.dropFirst(below.count)) : path
    }

    /// Makes a folder and what leads there, as far as it isn't there.
    private static func makeFolder(_ path: String) throws(CommandFailure) {
        var place = ""
        for part in path.split(separator: "/") {
            place += "/\(part)"
            guard mkdir(place, 0o755) == 0 || errno == EEXIST else {
                throw CommandFailure("can't make \(path): \(String(cString: strerror(errno)))")
            }
        }
    }

    /// The system's reason, which Foundation keeps within its own.
    private static func reason(of error: any Error) -> String {
        var error = error as NSError
        while let inner = error.userInfo[NSUnderlyingErrorKey] as? NSError { error = inner }
        return error.domain == NSPOSIXErrorDomain
            ? String(cString: strerror(Int32(truncatingIfNeeded: error.code))) : error.localizedDescription
    }
}
