import Foundation
import JSON
import PostgresClient
import SagaCore
import SagaPostgres
import SagaTestKit
import Testing

@testable import saga

/// `saga bench` as a program, small; what it measures is asserted nowhere, that it measures what it says is.
@Suite struct BenchTests {
    typealias Run = SagaProgram.Run

    private static let keys = [
        "sagas", "steps", "seconds", "sagasPerSecond", "stepsPerSecond", "latencyMs", "commitsPerSaga",
        "walBytesPerSaga", "eventsPerSaga", "daemonPeakRSSMiB", "cpuSeconds", "behindSeconds", "http", "rate",
        "payloadBytes", "batch", "connections", "daemons", "postgres",
    ]

    @Test func itRunsSagasWithADaemonOfItsOwn() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let run = try await program.run(
            "bench", "--sagas", "20", "--steps", "2", "--payload", "100", "--format", "json")
        #expect(run.status == 0)
        #expect(run.error.wholeMatch(of: /no daemon is alive: started sagad for the bench \(log in \S+\)\n/) != nil)
        let figures = try JSON.parse(run.output)
        #expect(figures.objectValue?.members.map(\.key) == Self.keys)
        for (key, value) in [
            ("sagas", "20"), ("steps", "2"), ("eventsPerSaga", "6"), ("behindSeconds", "null"), ("http", "null"),
            ("payloadBytes", "100"), ("batch", "1"), ("connections", "4"), ("daemons", "1"),
        ] { #expect(figures[key]?.text == value, "\(key)") }
        for (key, parts) in [("latencyMs", ["p50", "p99"]), ("cpuSeconds", ["daemon", "postgres", "bench"])] {
            #expect(figures[key]?.objectValue?.members.map(\.key) == parts)
            // All of it runs on this machine, so nothing is unknown.
            for part in parts { #expect(figures[key]?[part]?.numberValue != nil, "\(key).\(part)") }
        }
        let types = "SagaStarted,StepStarted,StepSucceeded,StepStarted,StepSucceeded,SagaCompleted"
        #expect(try await program.histories() == ["saga_bench completed \(types) 114 20"])
        #expect(try await program.liveDaemons() == 0)
        await program.remove()
    }

    @Test func aDaemonThatIsAliveIsTheOneMeasured() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try FileManager.default.createDirectory(atPath: program.folder + "/none", withIntermediateDirectories: true)
        let daemon = try TestProgram("sagad", ["--database", program.database, "--sagas", program.folder + "/none"])
        #expect(await daemon.waitForError(" ready"))
        let run = try await program.run("bench", "--sagas", "40", "--connections", "2")
        #expect(run.status == 0)
        #expect(run.error == "")
        #expect(run.output.hasPrefix("40 sagas of 4 steps (noop), 1 daemon, PostgreSQL "))
        // It is left running, and nothing of the bench is left to it.
        #expect(try await program.liveDaemons() == 1)
        #expect(await daemon.stop().status == 0)
        await program.remove()
    }

    private static func port(of server: TestProgram) async throws -> Int64 {
        let line = await server.firstLine()
        return try #require(try JSON.parse(line ?? "")["port"]?.int64Value)
    }

    @Test func httpStepsArePosted() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let server = try TestProgram("http-bench", ["serve", "0"])
        let port = try await Self.port(of: server)
        let url = "http://127.0.0.1:\(port)/steps"
        let run = try await program.run(
            "bench", "--sagas", "5", "--steps", "1", "--http", url, "--rate", "100", "--format", "json"
        )
        #expect(run.status == 0)
        let figures = try JSON.parse(run.output)
        #expect(figures["http"]?.stringValue == url)
        #expect(figures["behindSeconds"]?.numberValue != nil)
        #expect(
            try await program.histories() == [
                "saga_bench completed SagaStarted,StepStarted,StepSucceeded,SagaCompleted 2 5"
            ]
        )
        let outputs = try await program.pool.query("SELECT DISTINCT output::text FROM saga.steps")
        #expect(try outputs.rows.map { try $0.decode(0, as: String.self) } == [#"{"ok":true}"#])
        _ = await server.stop()
        await program.remove()
    }

    @Test func sagasThatDontCompleteGiveNoFigures() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        // Not JSON at the URL's end: a success that can't be read isn't tried again.
        let server = try TestProgram("http-bench", ["serve", "0", "--body", "no JSON"])
        let port = try await Self.port(of: server)
        let run = try await program.run("bench", "--sagas", "3", "--steps", "1", "--http", "http://127.0.0.1:\(port)")
        #expect(run.status == 1)
        #expect(run.output == "")
        #expect(
            run.normalized.error.split(separator: "\n").last
                == "saga: 3 of 3 sagas aren't completed (3 compensated), such as ID1: look at it with saga events"
        )
        _ = await server.stop()
        await program.remove()
    }

    @Test func aDatabaseWithOtherSagasIsRefused() async throws {
        let program = try await SagaProgram.withDefinitions()
        let id = try await program.startSaga("order")
        try await program.append([(.sagaCompleted, nil)], to: id, leaving: .completed)
        let advice = "The bench's own sagas stay in the database as well. Give it a database of its own, or --yes\n"
        #expect(
            try await program.run("bench", "--sagas", "1")
                == Run(
                    1,
                    error: "saga: the database has other sagas, such as those of order, which would compete with the "
                        + "bench's. \(advice)"
                )
        )
        let accepted = try await program.run("bench", "--sagas", "3", "--steps", "1", "--batch", "2", "--yes")
        #expect(accepted.status == 0)
        #expect(accepted.output.hasPrefix("3 sagas of 1 step (noop), 1 daemon, PostgreSQL "))
        let bench = try await program.startSaga("saga_bench")
        try await program.append([], to: bench, leaving: .stuck)
        try await program.forget(id)
        #expect(
            try await program.run("bench", "--sagas", "1")
                == Run(
                    1,
                    error: "saga: sagas of an earlier bench haven't ended, which would compete with those of this one. "
                        + advice
                )
        )
        await program.remove()
    }

    @Test(arguments: [
        ["--sagas", "0"], ["--steps", "0"], ["--steps", "257"], ["--rate", "0"], ["--rate", "-1"], ["--rate", "nan"],
        ["--payload", "-1"], ["--payload", "1000001"], ["--batch", "0"], ["--connections", "0"],
        ["--connections", "65"], ["--rate", "5", "--batch", "2"], ["--http", "localhost:80"],
        ["--http", "http://${ x }"], ["--format", "xml"], ["extra"],
    ])
    func wrongUsageIs64(_ arguments: [String]) async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        let run = try await program.start(["bench"] + arguments).ending()
        #expect(run.status == 64)
        #expect(run.output == "")
        #expect(run.error != "")
        await program.remove()
    }

    @Test func aStoppedClusterIsLeftAlone() async throws {
        let program = try await SagaProgram.make(isMigrated: false)
        try FileManager.default.createDirectory(atPath: program.folder + "/home", withIntermediateDirectories: true)
        try program.write("", to: "home/users")
        let home = "\(program.folder)/home"
        #expect(
            try await program.run("bench", database: .some(nil), environment: ["SAGA_HOME": home])
                == Run(
                    69,
                    error: "saga: no database: no embedded cluster running for \(home); start sagad or give "
                        + "--database\n"
                )
        )
        await program.remove()
    }
}

/// What `saga bench` makes of what it has seen.
@Suite struct BenchFigureTests {
    private static func settings(_ sagas: Int, steps: Int = 1, batch: Int = 1) -> BenchSettings {
        BenchSettings(sagas: sagas, steps: steps, url: nil, rate: nil, payload: 0, batch: batch, connections: 1)
    }

    /// A saga that started so many milliseconds after 2026 began.
    private static func end(
        _ number: UInt64,
        _ status: SagaStatus = .completed,
        start: Int64 = 0,
        took: Int64 = 1,
        events: Int = 4
    ) -> BenchDatabase.End {
        let begin = Fixtures.at(0).microseconds + start * 1_000
        return BenchDatabase.End(
            id: SagaID(high: 0x7000, low: number),
            status: status,
            startedAt: Instant(microseconds: begin),
            endedAt: status.isEnded ? Instant(microseconds: begin + took * 1_000) : nil,
            events: events
        )
    }

    @Test func percentilesAreTheNearestRank() throws {
        // 100 sagas that took 1 to 100 ms, in no order.
        let ends = (1...100).map { Self.end(UInt64($0), took: Int64(($0 * 37) % 101)) }
        let results = try BenchResults(of: ends, settings: Self.settings(100), due: { _ in nil })
        #expect([1, 50, 99, 100].map { results.percentile($0) } == [1, 50, 99, 100])
        let few = try BenchResults(of: Array(ends.prefix(1)), settings: Self.settings(1), due: { _ in nil })
        #expect([50, 99].map { few.percentile($0) } == [37, 37])
    }

    @Test func latenessCountsFromWhenAStartWasDue() throws {
        // Due 10 ms apart, but the second was started 25 ms late, and the third seems a little early.
        let ends = [
            Self.end(1, start: 0, took: 2), Self.end(2, start: 35, took: 2), Self.end(3, start: 19, took: 2),
        ]
        let results = try BenchResults(
            of: ends,
            settings: Self.settings(3),
            due: { Instant(microseconds: Fixtures.at(0).microseconds + Int64($0.low - 1) * 10_000) }
        )
        #expect(results.latencies == [2_000, 2_000, 27_000])
        #expect(results.behind == 25_000)
        #expect(results.lastEnd == Instant(microseconds: Fixtures.at(0).microseconds + 37_000))
        #expect(results.events == 12)
    }

    @Test func whateverIsWrongIsSaid() {
        func message(_ ends: [BenchDatabase.End]) -> String? {
            do throws(CommandFailure) {
                _ = try BenchResults(of: ends, settings: Self.settings(3), due: { _ in nil })
                return nil
            } catch {
                return error.message
            }
        }
        let id = "00000000-0000-7000-0000-000000000002"
        #expect(message([Self.end(1), Self.end(2)]) == "3 sagas were started, but 2 are in the database")
        #expect(
            message([Self.end(1), Self.end(2, .stuck), Self.end(3, .compensated)])
                == "2 of 3 sagas aren't completed (1 stuck, 1 compensated), such as \(id): look at it with saga events"
        )
        #expect(
            message([Self.end(1), Self.end(2, events: 5), Self.end(3)])
                == "1 of 3 sagas don't have 4 events (a step was tried again, or events are missing or twice), such as "
                + "\(id) with 5"
        )
        #expect(message([Self.end(1), Self.end(2), Self.end(3)]) == nil)
    }

    @Test func theDocumentOfKnownFigures() throws {
        let ends = [Self.end(1, took: 10), Self.end(2, start: 1_990, took: 10)]
        let figures = BenchFigures(
            settings: Self.settings(2, batch: 2),
            results: try BenchResults(of: ends, settings: Self.settings(2), due: { _ in nil }),
            begin: Fixtures.at(0),
            writes: 4,
            wal: 5_000,
            cpu: BenchMeters.Reading(daemon: 1.234, postgres: nil, bench: 0.5),
            peakMemory: 31.25,
            daemons: 2,
            server: BenchDatabase.Server(
                version: "15.1",
                synchronousCommit: "on",
                fsync: "off",
                database: "d",
                process: 1,
                isLocal: true
            )
        )
        let expected = """
            {"sagas":2,"steps":1,"seconds":2,"sagasPerSecond":1,"stepsPerSecond":1,"latencyMs":{"p50":10,"p99":10},\
            "commitsPerSaga":1.5,"walBytesPerSaga":2500,"eventsPerSaga":4,"daemonPeakRSSMiB":31.3,\
            "cpuSeconds":{"daemon":1.23,"postgres":null,"bench":0.5},"behindSeconds":null,"http":null,"rate":null,\
            "payloadBytes":0,"batch":2,"connections":1,"daemons":2,\
            "postgres":{"version":"15.1","synchronousCommit":"on","fsync":"off"}}
            """
        #expect(figures.json.text == expected)
        #expect(
            figures.lines == [
                "2 sagas of 1 step (noop), 2 daemons, PostgreSQL 15.1",
                "  throughput  1 sagas/s, 1 steps/s, in 2 s", "  latency     p50 10 ms, p99 10 ms",
                "  per saga    1.5 commits, 2500 bytes of WAL, 4 events",
                "  CPU         1.23 s daemon, - s PostgreSQL, 0.5 s bench",
                "  memory      31.3 MiB at the daemon's peak",
                "  fsync is off: a crash would lose what was acknowledged",
            ]
        )
    }

    @Test func aProcessNameMayHoldBracketsAndBlanks() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 9 0 0 0 150 50 300 100 20 0 1 0 55 1 1 1"
        let process = ProcessStatistics(text: line, ticksPerSecond: 100)
        #expect(process?.name == "a) b (c")
        #expect(process?.parent == 7)
        #expect(process?.ownSeconds == 2)
        #expect(process?.endedChildrenSeconds == 4)
        #expect(ProcessStatistics(text: "42 (cut) S 7", ticksPerSecond: 100) == nil)
    }

    @Test(arguments: [nil, "http://127.0.0.1:9/a?b=c"], [1, 256])
    func theDefinitionIsValid(url: String?, steps: Int) throws {
        let settings = BenchSettings(
            sagas: 1,
            steps: steps,
            url: url,
            rate: nil,
            payload: 0,
            batch: 1,
            connections: 1
        )
        let definition = try settings.definition()
        #expect(definition.name == "saga_bench")
        #expect(definition.steps.count == steps)
        #expect(DefinitionParser.parse(settings.document.bytes).findings == [])
    }
}

extension SagaProgram {
    /// Each kind of history that there is: its saga, status, types of events, bytes of input and how many have it.
    fileprivate func histories() async throws -> [String] {
        let result = try await pool.query(
            """
            SELECT concat_ws(' ', saga, status, types, bytes, count(*)) FROM (
                SELECT s.saga, s.status, octet_length(s.input::text) AS bytes,
                    (SELECT string_agg(e.type, ',' ORDER BY e.sequence) FROM saga.events e WHERE e.saga_id = s.id) AS types
                FROM saga.sagas s
            ) h GROUP BY saga, status, types, bytes ORDER BY 1
            """
        )
        return try result.rows.map { try $0.decode(0, as: String.self) }
    }

    fileprivate func liveDaemons() async throws -> Int {
        try await BenchDatabase(pool: pool).liveDaemons().count
    }

    /// Takes away the row of a saga, as retention would.
    fileprivate func forget(_ id: SagaID) async throws {
        _ = try await pool.query(
            "DELETE FROM saga.state WHERE id = $1", [.uuid(PostgresUUID(high: id.high, low: id.low))])
    }
}
