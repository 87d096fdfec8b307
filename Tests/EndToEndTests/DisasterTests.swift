import Foundation
import JSON
import Logging
import PostgresClient
import SagaTestKit
import Testing

/// Daemons and servers that go away at the worst moment.
@Suite(.timeLimit(.minutes(5))) struct DisasterTests {
    @Test func aKilledDaemonsSagasAreTakenOverAndNothingIsDoneTwice() async throws {
        let test = try await Installation.make(hold: "2500ms")
        let first = try await test.daemon()
        var ids: [String] = []
        for number in 0..<4 { ids.append(try await test.start(number < 2 ? "fine" : "slow", key: "k-\(number)")) }
        _ = try await test.wait(for: ids[3], ["running"])
        first.signal(SIGKILL)
        #expect(await first.ending().status == -SIGKILL)
        let second = try await test.daemon()
        for (number, id) in ids.enumerated() {
            let document = try await test.wait(for: id, ["completed", "compensated", "stuck"])
            #expect(document["status"] == "completed", "\(document.text)")
            #expect(try await test.held("k-\(number)") == 4)
        }
        #expect(await second.stop().status == 0)
        await test.remove()
    }

    @Test func aDaemonThatIsToldToStopWaitsForItsCallAndFreesItsSagas() async throws {
        let test = try await Installation.make(hold: "2500ms")
        let first = try await test.daemon()
        let id = try await test.start("slow", key: "drained")
        _ = try await test.wait(for: id, ["running"])
        let ending = await first.stop()
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(!(try await test.types(id)).contains("StepAttemptFailed"))
        let second = try await test.daemon()
        let document = try await test.wait(for: id, ["completed", "compensated", "stuck"])
        #expect(document["status"] == "completed")
        #expect(try await test.types(id).filter { $0 == "StepStarted" }.count == 4)
        #expect(await second.stop().status == 0)
        await test.remove()
    }

    @Test func aDaemonOutlivesARestartOfTheDatabase() async throws {
        let postgres = TestPostgres()
        let test = try await Installation.make(postgres: postgres, hold: "1500ms")
        let daemon = try await test.daemon()
        var ids: [String] = []
        for number in 0..<6 { ids.append(try await test.start(number % 2 == 0 ? "slow" : "fine", key: "r-\(number)")) }
        for _ in 0..<2 {
            try await postgres.stop(mode: .immediate)
            try await postgres.start()
        }
        ids.append(try await test.start("fine", key: "after"))
        for id in ids {
            let document = try await test.wait(for: id, ["completed", "compensated", "stuck"])
            #expect(document["status"] == "completed", "\(document.text)")
            let types = try await test.types(id)
            #expect(types.filter { $0 == "StepSucceeded" }.count == 4)
            #expect(types.last == "SagaCompleted")
        }
        let ending = await daemon.stop()
        #expect(ending.status == 0, "\(ending.errors)")
        try await postgres.stop(mode: .immediate)
        await test.remove()
    }

    @Test func aDaemonThatStartsAtAServerThatTakesNoWritesWaitsForIt() async throws {
        let test = try await Installation.make()
        let pool = PostgresPool(
            PostgresConfiguration(test.database, applicationName: "end-to-end-tests", maximumConnections: 1),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let name = try await pool.query("SELECT quote_ident(current_database())").rows[0].decode(0, as: String.self)
        _ = try await pool.query("ALTER DATABASE \(name) SET default_transaction_read_only = on")
        let daemon = try TestProgram(
            "sagad", ["--database", test.database, "--connect-timeout", "60s"], environment: test.environment,
            folder: test.folder)
        #expect(await daemon.waitForError("the database isn't ready"), "sagad said: \(daemon.errorsSoFar)")
        _ = try await pool.query("ALTER DATABASE \(name) RESET default_transaction_read_only")
        #expect(await daemon.waitForError("info ready"), "sagad said: \(daemon.errorsSoFar)")
        #expect(await daemon.stop().status == 0)
        await pool.close()
        await test.remove()
    }

    @Test func anOutageIsToldOnceAndEachAttemptToConnectForDebuggingAlone() async throws {
        let postgres = TestPostgres()
        let test = try await Installation.make(postgres: postgres)
        let daemon = try await test.daemon(["--log-level", "debug"])
        try await postgres.stop(mode: .immediate)
        #expect(await daemon.waitForError("the database fails; tried again"))
        #expect(await daemon.waitForError("can't connect to postgres"))
        try await postgres.start()
        let ending = await daemon.stop()
        #expect(ending.status == 0, "\(ending.errors)")
        let lines = ending.errors.split(separator: "\n")
        #expect(lines.count { $0.contains("the database fails; tried again") } == 1, "\(ending.errors)")
        #expect(lines.count { $0.contains("can't connect") && !$0.contains(" debug ") } == 0, "\(ending.errors)")
        #expect(lines.count { $0.contains("unavailable(") } == 0, "\(ending.errors)")
        try await postgres.stop(mode: .immediate)
        await test.remove()
    }

    /// Also where nothing is left to be registered.
    @Test(arguments: [false, true]) func aDaemonThatStartsAtAStandbySaysWhichServerIsOne(isRegistered: Bool)
        async throws
    {
        let postgres = TestPostgres()
        let test = try await Installation.make(postgres: postgres)
        #expect(try await test.saga("migrate").status == 0)
        if isRegistered { #expect(try await test.saga("apply", "sagas").status == 0) }
        try await postgres.stop(mode: .fast)
        let folder = try await postgres.directory()
        try "".write(toFile: folder + "/data/standby.signal", atomically: false, encoding: .utf8)
        try await postgres.start()
        let run = try await TestProgram.run(
            "sagad", ["--database", test.database, "--connect-timeout", "300ms"], environment: test.environment,
            folder: test.folder)
        #expect(run.status == 69)
        #expect(
            run.errors.split(separator: "\n").last.map(String.init)
                == "sagad: the database at \(folder)/test_1 can't be used now: \(folder) is a standby and takes no writes; "
                + "name the primary, or all hosts with target_session_attrs=read-write", "\(run.errors)")
        try await postgres.stop(mode: .immediate)
        await test.remove()
    }

    @Test func aDaemonThatIsPausedBeyondItsLeaseWritesNothingAndComesBack() async throws {
        let test = try await Installation.make(hold: "2500ms")
        let zombie = try await test.daemon()
        let id = try await test.start("slow", key: "zombie")
        _ = try await test.wait(for: id, ["running"])
        zombie.signal(SIGSTOP)
        let heir = try await test.daemon()
        // The heir takes over once the lease of ten seconds is over.
        let document = try await test.wait(for: id, ["completed", "compensated", "stuck"])
        #expect(document["status"] == "completed", "\(document.text)")
        let before = try await test.types(id)
        zombie.signal(SIGCONT)
        #expect(await zombie.waitForError("lost the lease"))
        #expect(try await test.types(id) == before)
        let next = try await test.start("fine", key: "next")
        _ = try await test.wait(for: next, ["completed"])
        #expect(await heir.stop().status == 0)
        let last = try await test.start("fine", key: "last")
        #expect(try await test.wait(for: last, ["completed"])["status"] == "completed")
        #expect(await zombie.stop().status == 0)
        await test.remove()
    }
}
