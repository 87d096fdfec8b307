import PostgresClient
import SagaTestKit
import Testing

@Suite(.timeLimit(.minutes(1))) struct ConnectingTests {
    @Test func refusedConnectionSaysWhereAndWhy() async throws {
        let port = try Listener(backlog: nil).port
        try await withPool(on: "host=127.0.0.1 port=\(port) user=u dbname=d") { pool in
            let error = try await postgresError { try await pool.query("SELECT 1") }
            #expect(error.kind == .connectFailed)
            #expect(error.isRetryable)
            #expect(error.sqlState == nil)
            #expect(
                error.message
                    == "connection to server at \"127.0.0.1\", port \(port) failed: Connection refused Is the server running on that host and accepting TCP/IP connections?"
            )
        }
    }

    @Test func unreadableConnectionStrings() async throws {
        for string in ["postgres://u:se cret@h:x/d", "nonsense=1", "host=h password=two words", "a\0b"] {
            try await withPool(on: string) { pool in
                let error = try await postgresError { try await pool.query("SELECT 1") }
                #expect(error.kind == .connectFailed)
                #expect(error.message.isEmpty == false)
                #expect(error.message.contains("\n") == false)
                #expect(error.message.contains("cret") == false && error.message.contains("words") == false)
            }
        }
    }

    @Test func serversReasonComesWithItsState() async throws {
        let url = try await TestPostgres.shared.database()
        let missing = url.replacing("/test_", with: "/missing_")
        try await withPool(on: missing) { pool in
            let error = try await postgresError { try await pool.query("SELECT 1") }
            #expect(error.kind == .connectFailed)
            #expect(error.sqlState == "3D000")
            #expect(error.isRetryable == false)
            #expect(error.message.hasSuffix("does not exist"))
            #expect(error.message.contains("LOCATION") == false)
        }
    }

    @Test func wrongPassword() async throws {
        let server = TestPostgres(
            hostBasedAuthentication: "local all locked scram-sha-256\nlocal all all trust"
        )
        let url = try await server.database()
        try await withPool(on: url) { pool in
            try await pool.execute(script: "CREATE ROLE locked LOGIN PASSWORD 'open sesame'")
        }
        try await withPool(on: "\(url)&user=locked&password=s3same-xyz") { pool in
            let error = try await postgresError { try await pool.query("SELECT 1") }
            #expect(error.kind == .connectFailed)
            #expect(error.sqlState == "28P01")
            #expect(error.isRetryable == false)
            #expect(error.description.contains("s3same-xyz") == false)
            #expect(error.message.hasSuffix("password authentication failed for user \"locked\""))
        }
        try await withPool(on: "\(url)&user=locked&password=open%20sesame") { pool in
            try await pool.expect("SELECT current_user::text", "locked")
        }
    }

    @Test func tooManyConnectionsAreReportedAndOthersGoOn() async throws {
        let url = try await TestPostgres.shared.database()
        try await withPool(on: url) { pool in
            try await pool.execute(script: "CREATE ROLE single LOGIN CONNECTION LIMIT 1")
        }
        try await withPool(on: "\(url)&user=single", connections: 2) { pool in
            try await pool.withConnection { connection in
                let error = try await postgresError { try await pool.query("SELECT 1") }
                #expect(error.kind == .connectFailed)
                #expect(error.sqlState == "53300")
                #expect(error.isRetryable && error.isServerUnavailable)
                #expect(try await connection.query("SELECT 1").rows.count == 1)
            }
            // While the next attempt is put off, callers use the connection that there is.
            try await pool.expect("SELECT 1", 1)
        }
    }

    @Test func aServerThatIsShuttingDownSaysSo() async throws {
        let server = TestPostgres()
        let url = try await server.database()
        try await withPool(on: url) { pool in
            async let stopped: Void = pool.withConnection { connection in
                _ = try await connection.query("SELECT 1")
                async let stopped: Void = server.stop(mode: .smart)
                var last: PostgresError?
                while last == nil {
                    do throws(PostgresError) {
                        try await Self.connectOnce(url)
                    } catch {
                        last = error
                    }
                }
                #expect(last?.kind == .connectFailed)
                #expect(last?.sqlState == "57P03")
                await connection.close()
                try await stopped
            }
            try await stopped
        }
    }

    private static func connectOnce(_ url: String) async throws(PostgresError) {
        let pool = PostgresPool(PostgresConfiguration(url, applicationName: "once"), logger: .silent)
        do throws(PostgresError) {
            _ = try await pool.query("SELECT 1")
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }

    @Test func aServerThatNeverAnswersIsGivenUp() async throws {
        let listener = try Listener(backlog: 8)
        let url = "host=127.0.0.1 port=\(listener.port) user=u dbname=d sslmode=disable"
        try await withPool(on: url, connectTimeout: .milliseconds(200)) { pool in
            let error = try await postgresError { try await pool.query("SELECT 1") }
            let message =
                "connection to server at \"127.0.0.1\", port \(listener.port) failed: no answer within 0.2 seconds"
            #expect(error == PostgresError(.connectFailed, message))
        }
    }

    @Test func aCallerMayStopWaitingForAConnect() async throws {
        let listener = try Listener(backlog: 8)
        let url = "host=127.0.0.1 port=\(listener.port) user=u dbname=d sslmode=disable"
        try await withPool(on: url, connectTimeout: .seconds(600)) { pool in
            let error = try await postgresError { try await pool.query("SELECT 1", timeout: .milliseconds(50)) }
            #expect(error.kind == .timeout)
            #expect(error.message == "no connection was free within the timeout")
            let task = Task { try await pool.query("SELECT 1") }
            task.cancel()
            let cancelled = try await postgresError { try await task.value }
            #expect(cancelled.kind == .cancelled)
        }
    }

    /// Given a server that is away, then who waits for the next attempt in vain hears why.
    @Test func whoWaitsInVainHearsWhyNoConnectionIsThere() async throws {
        try await withPool(on: "host=/nowhere user=u dbname=d") { pool in
            let failure = try await postgresError { try await pool.query("SELECT 1") }
            #expect(failure.kind == .connectFailed)
            // Sooner or later a call's time is over before the next attempt, which is put off longer each time.
            var error = failure
            while error.kind == .connectFailed {
                error = try await postgresError { try await pool.query("SELECT 1", timeout: .milliseconds(1)) }
            }
            #expect(error.kind == .timeout)
            #expect(
                error.message == "no connection was free within the timeout; the last attempt to connect: \(failure)")
        }
    }

    @Test func aPoolThatIsDroppedEndsItsSessions() async throws {
        let url = try await TestPostgres.shared.database()
        try await withPool(on: url) { observer in
            try await observer.expect("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dropped'", 0)
            try await Self.useAndDrop(url)
            try await observer.waitUntil(
                "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'dropped')"
            )
        }
    }

    private static func useAndDrop(_ url: String) async throws {
        let pool = PostgresPool(PostgresConfiguration(url, applicationName: "dropped"), logger: .silent)
        _ = try await pool.query("SELECT 1")
    }

    @Test func aServerThatCannotBeReachedIsGivenUp() async throws {
        let unreachable = try Listener(backlog: 0)
        let crowd = unreachable.fill()
        defer { withExtendedLifetime(crowd) {} }
        let url = "host=127.0.0.1 port=\(unreachable.port) user=u dbname=d sslmode=disable"
        try await withPool(on: url, connectTimeout: .milliseconds(200)) { pool in
            let error = try await postgresError { try await pool.query("SELECT 1") }
            #expect(error.kind == .connectFailed)
            #expect(error.message.hasPrefix("no answer within 0.2 seconds; connection to server at \"127.0.0.1\""))
        }
    }

    @Test func hostsAreTriedInTurn() async throws {
        let url = try await TestPostgres.shared.database()
        let directory = try await TestPostgres.shared.directory()
        let database = try #require(url.split(separator: "/").dropFirst().first?.split(separator: "?").first)
        let silent = try Listener(backlog: 8)
        let refusing = try Listener(backlog: nil)
        let unreachable = try Listener(backlog: 0)
        let crowd = unreachable.fill()
        defer { withExtendedLifetime(crowd) {} }
        let string = """
            host=127.0.0.1,127.0.0.1,127.0.0.1,\(directory) port=\(refusing.port),\(unreachable.port),\(silent.port),5432 \
            user=postgres dbname=\(database) sslmode=disable target_session_attrs=read-write
            """
        try await withPool(on: string, connectTimeout: .seconds(2)) { pool in
            try await pool.expect("SELECT 1", 1)
        }
        let standby = "host=\(directory) user=postgres dbname=\(database) target_session_attrs=standby"
        try await withPool(on: standby) { pool in
            let error = try await postgresError { try await pool.query("SELECT 1") }
            #expect(error.kind == .connectFailed)
            #expect(error.message.hasSuffix("server is not in hot standby mode"))
        }
    }

    @Test func applicationNameGivesWayToTheConnectionString() async throws {
        let url = try await TestPostgres.shared.database()
        try await withPool(on: url) { pool in
            try await pool.expect("SELECT current_setting('application_name')", "client-tests")
        }
        try await withPool(on: "\(url)&application_name=mine&connect_timeout=7") { pool in
            try await pool.expect("SELECT current_setting('application_name')", "mine")
        }
    }
}
