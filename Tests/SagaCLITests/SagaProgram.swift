import Foundation
import JSON
import Logging
import PostgresClient
import SagaCore
import SagaPostgres
import SagaTestKit

/// The built `saga` program with a database and a folder of its own.
struct SagaProgram {
    /// What a run came to.
    struct Run: Equatable, Sendable {
        let status: Int32
        let output: String
        let error: String

        init(_ status: Int32, _ output: String = "", error: String = "") {
            self.status = status
            self.output = output
            self.error = error
        }

        /// The run with what differs from run to run named instead: ids `ID1`, `ID2` … in order, times `TIME`.
        var normalized: Run {
            var ids: [String] = []
            func normalize(_ text: String) -> String {
                var text = text
                for match in text.matches(of: #/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/#)
                where !ids.contains(String(match.output)) { ids.append(String(match.output)) }
                for (index, id) in ids.enumerated() { text = text.replacingOccurrences(of: id, with: "ID\(index + 1)") }
                text = text.replacing(#/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/#, with: "TIME")
                text = text.replacing(#/\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}/#, with: "TIME")
                text = text.replacing(#/[\w-]+@[\w.-]+/#, with: "USER@HOST")
                return text
            }
            return Run(status, normalize(output), error: normalize(error))
        }
    }

    let database: String
    let folder: String
    let pool: PostgresPool

    /// Makes a database, migrated unless said otherwise, and a folder with the definitions of the fixtures.
    static func make(isMigrated: Bool = true, on postgres: TestPostgres = .shared) async throws -> SagaProgram {
        let database = try await postgres.database()
        let folder = NSTemporaryDirectory() + "saga-cli-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/sagas", withIntermediateDirectories: true)
        let pool = PostgresPool(
            PostgresConfiguration(database, applicationName: "saga-cli-tests", maximumConnections: 1),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let program = SagaProgram(database: database, folder: folder, pool: pool)
        try program.write(Fixtures.order, to: "sagas/order.json")
        try program.write(Fixtures.transfer, to: "sagas/transfer.json")
        if isMigrated {
            let migrator = Migrator(
                pool: pool,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            _ = try await migrator.migrate()
        }
        return program
    }

    /// Makes a database that knows the definitions of the fixtures.
    static func withDefinitions(on postgres: TestPostgres = .shared) async throws -> SagaProgram {
        let program = try await make(on: postgres)
        let run = try await program.run("apply", "sagas")
        guard run.status == 0 else { throw Fixtures.Broken(reason: run.error) }
        return program
    }

    func write(_ text: String, to path: String) throws {
        try text.write(toFile: "\(folder)/\(path)", atomically: true, encoding: .utf8)
    }

    /// Removes the folder.
    ///
    /// The database goes with its cluster.
    func remove() async {
        await pool.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Runs the program to its end in the folder.
    func run(
        _ arguments: String...,
        input: String? = nil,
        database: String?? = nil,
        environment: [String: String] = [:]
    ) async throws -> Run {
        try await start(arguments, input: input, database: database, environment: environment).ending()
    }

    /// Starts the program in the folder.
    ///
    /// - Parameter database: what SAGA_DATABASE_URL says; left out, the program's own; nil, nothing.
    func start(
        _ arguments: [String],
        input: String? = nil,
        database: String?? = nil,
        environment: [String: String] = [:]
    ) throws -> RunningProgram {
        var variables = ["PATH": "/usr/bin:/bin", "TERM": "xterm", "HOME": folder].merging(environment) { $1 }
        if let url = database ?? self.database { variables["SAGA_DATABASE_URL"] = url }
        return try RunningProgram(arguments, input: input, folder: folder, environment: variables)
    }

    // MARK: Histories

    /// Starts a saga and returns its id.
    func startSaga(_ name: String, key: String? = nil, input: String = "{}") async throws -> SagaID {
        try await SagaStarter(pool: pool).start(name, input: RawJSON(unchecked: Array(input.utf8)), key: key).id
    }

    /// Appends events as a daemon would have, at the first second of 2026, and sets the row as they leave it.
    func append(_ events: [(EventType, String?)], to id: SagaID, leaving status: SagaStatus) async throws {
        for (type, data) in events {
            _ = try await pool.query(
                """
                INSERT INTO saga.event (saga_id, sequence, type, at, data)
                SELECT $1, max(sequence) + 1, $2, '2026-01-01T00:00:00Z', $3 FROM saga.event WHERE saga_id = $1
                """,
                [
                    .uuid(PostgresUUID(high: id.high, low: id.low)), .int2(type.rawValue),
                    .json(data.map { Array($0.utf8) }),
                ]
            )
        }
        _ = try await pool.query(
            """
            UPDATE saga.state SET status = $2, due_at = CASE WHEN $2 < 5 THEN timestamptz 'infinity' END,
                ended_at = CASE WHEN $2 >= 5 THEN timestamptz '2026-01-01T00:00:00Z' END
            WHERE id = $1
            """,
            [.uuid(PostgresUUID(high: id.high, low: id.low)), .int2(status.rawValue)]
        )
    }
}

/// A run of the program that may still go on.
final class RunningProgram: Sendable {
    private let process: Process
    private let output: FileHandle
    private let error: FileHandle

    fileprivate init(_ arguments: [String], input: String?, folder: String, environment: [String: String]) throws {
        // The program is built into the folder of the test bundle.
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let process = Process()
        process.executableURL = bundle.appendingPathComponent("saga")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = environment
        let (standardInput, standardOutput, standardError) = (try Self.pipe(), try Self.pipe(), try Self.pipe())
        process.standardInput = standardInput.reading
        process.standardOutput = standardOutput.writing
        process.standardError = standardError.writing
        output = standardOutput.reading
        error = standardError.reading
        try process.run()
        self.process = process
        for handle in [standardInput.reading, standardOutput.writing, standardError.writing] { try handle.close() }
        if let input { try standardInput.writing.write(contentsOf: Data(input.utf8)) }
        try standardInput.writing.close()
    }

    /// A test that failed half-way leaves no program behind.
    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits for the next line on standard output.
    func line() async -> String? { await Self.onThread { [output] in Self.line(of: output) } }

    /// Waits for the next line on standard error.
    func errorLine() async -> String? { await Self.onThread { [error] in Self.line(of: error) } }

    /// Waits for the end; a signal's number is negative.
    func ending() async -> SagaProgram.Run {
        async let output = Self.onThread { [output] in String(decoding: output.readDataToEndOfFile(), as: UTF8.self) }
        async let error = Self.onThread { [error] in String(decoding: error.readDataToEndOfFile(), as: UTF8.self) }
        let texts = await (output, error)
        return await Self.onThread { [process] in
            process.waitUntilExit()
            let status = process.terminationStatus
            return SagaProgram.Run(process.terminationReason == .exit ? status : -status, texts.0, error: texts.1)
        }
    }

    private static func line(of handle: FileHandle) -> String? {
        var line: [UInt8] = []
        while let byte = handle.readData(ofLength: 1).first {
            guard byte != UInt8(ascii: "\n") else { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }

    /// A pipe that no other process inherits: a server that another test starts at this moment would hold it open.
    ///
    /// A pair of sockets, since `pipe2`, which makes such pipes at once, isn't there in Swift.
    private static func pipe() throws -> (reading: FileHandle, writing: FileHandle) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Fixtures.Broken(reason: "no pipe: errno \(errno)") }
        return (
            FileHandle(fileDescriptor: ends[0], closeOnDealloc: true),
            FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        )
    }

    /// Reading a pipe and waiting for a process block, which the cooperative pool must not.
    private static func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }
}
