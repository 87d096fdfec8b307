import Logging
import PostgresClient
import SagaPostgres
import SagaSchema
import SagaTestKit
import Testing

/// Bringing a database up to date, whoever else does so.
@Suite struct MigratorTests {
    static let all = SagaSchema.migrations.map { "\($0.version)|\($0.name)" }

    @Test func versionsHaveNoGapsAndTheTextIsAscii() {
        #expect(SagaSchema.migrations.map(\.version) == Array(1...SagaSchema.migrations.count))
        #expect(Migrator.latestVersion == SagaSchema.migrations.count)
        // A database of another encoding must get as far as the sentence that refuses it.
        #expect(SagaSchema.migrations.filter { !$0.sql.utf8.allSatisfy { $0 < 128 } }.map(\.name) == [])
        #expect(SagaSchema.participant.contains("saga_participant"))
    }

    @Test func migratesAnEmptyDatabaseAndThenNothing() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            #expect(try await fixture.migrator.currentVersion() == 0)
            #expect(try await fixture.migrator.migrate() == (0, Migrator.latestVersion))
            #expect(try await fixture.migrator.currentVersion() == Migrator.latestVersion)
            #expect(try await fixture.migrator.migrate() == (Migrator.latestVersion, Migrator.latestVersion))
            #expect(
                try await fixture.rows(
                    "SELECT version, name FROM saga.migration WHERE length(checksum) = 64 ORDER BY version"
                ) == Self.all
            )
        }
    }

    @Test func anyNumberMayMigrateAtOnce() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            let ends = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await fixture.migrator.migrate().to } }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }

            #expect(ends == Array(repeating: Migrator.latestVersion, count: 8))
            #expect(try await fixture.rows("SELECT version, name FROM saga.migration ORDER BY version") == Self.all)
        }
    }

    /// The roles are the cluster's: databases that are migrated at once create the same ones.
    @Test func databasesOfOneClusterMayMigrateAtOnce() async throws {
        let cluster = TestPostgres()
        for _ in 0..<3 {
            let urls = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<6 { group.addTask { try await cluster.database() } }
                return try await group.reduce(into: [String]()) { $0.append($1) }
            }
            let ends = try await withThrowingTaskGroup(of: Int.self) { group in
                for url in urls {
                    group.addTask {
                        let pool = SchemaFixture.pool(url)
                        let end = try await Migrator(pool: pool, logger: SchemaFixture.quiet).migrate().to
                        await pool.close()
                        return end
                    }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(ends == Array(repeating: Migrator.latestVersion, count: 6))

            let pool = SchemaFixture.pool(urls[0])
            let fixture = SchemaFixture(connectionString: urls[0], pool: pool)
            #expect(
                try await fixture.rows(
                    "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'saga\\_%' ORDER BY 1"
                )
                    == ["saga_operator|false", "saga_reader|false", "saga_starter|false"]
            )
            // The next round creates them again, in databases of its own.
            for url in urls {
                let pool = SchemaFixture.pool(url)
                try await pool.execute(script: "DROP OWNED BY saga_operator, saga_reader, saga_starter")
                await pool.close()
            }
            try await pool.execute(script: "DROP ROLE saga_operator, saga_reader, saga_starter")
            await pool.close()
        }
        try await cluster.stop(mode: .immediate)
    }

    @Test func refusesANewerDatabase() async throws {
        try await SchemaFixture.run { fixture async throws in
            try await fixture.pool.execute(script: "INSERT INTO saga.migration (version, name) VALUES (1000, 'later')")

            #expect(
                try await fixture.migrationFailure()
                    == "the database's schema is version 1000, newer than this program's "
                    + "\(Migrator.latestVersion): use a newer program"
            )
            #expect(try await fixture.migrator.currentVersion() == 1000)
        }
    }

    /// A migration that fails leaves those before it and nothing of its own, and the next try goes on from there.
    @Test func aFailedMigrationLeavesTheEarlierOnesAndIsNamed() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            try await fixture.pool.execute(
                script: """
                    CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
                        $$ BEGIN RAISE EXCEPTION 'no views today'; END $$;
                    CREATE EVENT TRIGGER no_views ON ddl_command_start WHEN TAG IN ('CREATE VIEW')
                        EXECUTE FUNCTION public.refuse()
                    """
            )

            #expect(
                try await fixture.migrationFailure() == "migration 3 (views) failed: no views today (SQLSTATE P0001)"
            )
            #expect(try await fixture.migrator.currentVersion() == 2)
            #expect(try await fixture.value("SELECT count(*) FROM pg_proc WHERE proname = 'readable'") == "0")

            try await fixture.pool.execute(script: "DROP EVENT TRIGGER no_views; DROP FUNCTION refuse()")
            #expect(try await fixture.migrator.migrate() == (2, Migrator.latestVersion))
        }
    }

    @Test(arguments: ["LATIN1", "SQL_ASCII"])
    func refusesAnotherEncoding(_ encoding: String) async throws {
        let home = try await TestPostgres.shared.database()
        let admin = SchemaFixture.pool(home)
        let name = "encoded_\(encoding.lowercased())"
        _ = try await admin.query("CREATE DATABASE \(name) ENCODING '\(encoding)' TEMPLATE template0")
        await admin.close()
        let own = try #require(home.range(of: "/test_")).lowerBound
        let parameters = try #require(home.firstIndex(of: "?"))
        let url = "\(home[..<own])/\(name)\(home[parameters...])"

        try await SchemaFixture.run(in: SchemaFixture(connectionString: url, pool: SchemaFixture.pool(url))) {
            fixture async throws in
            #expect(
                try await fixture.migrationFailure() == """
                    migration 1 (sagas) failed: the encoding of database "\(name)" is \(encoding), \
                    and Saga needs UTF8 (SQLSTATE 0A000)
                    """
            )
        }
    }

    @Test func refusesASchemaThatIsSomeoneElses() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            try await fixture.pool.execute(script: "CREATE SCHEMA saga; CREATE TABLE saga.hero (name text)")
            let database = try await fixture.value("SELECT current_database()")

            #expect(
                try await fixture.migrationFailure() == """
                    migration 1 (sagas) failed: database "\(database)" has a schema "saga" that is not Saga's \
                    (SQLSTATE 42P06)
                    """
            )
            #expect(try await fixture.rows("SELECT * FROM saga.hero") == [])
        }
    }

    /// As hosted databases have it: the schema made by an administrator, the migrating role without any privilege.
    @Test func aPlainRoleMigratesIntoASchemaMadeForIt() async throws {
        let cluster = TestPostgres()
        let url = try await cluster.database()
        let admin = SchemaFixture.pool(url)
        try await admin.execute(
            script: "CREATE ROLE plain LOGIN; CREATE SCHEMA saga AUTHORIZATION plain; CREATE ROLE saga_reader NOLOGIN"
        )
        let plain = SchemaFixture.pool(url.replacing("user=postgres", with: "user=plain"))
        let fixture = SchemaFixture(connectionString: url, pool: plain)

        #expect(try await fixture.migrator.migrate() == (0, Migrator.latestVersion))
        #expect(
            try await fixture.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE 'saga\\_%' ORDER BY 1") == [
                "saga_reader"
            ]
        )
        #expect(try await fixture.value("SELECT has_table_privilege('saga_reader', 'saga.sagas', 'SELECT')") == "true")

        try await admin.execute(script: "CREATE ROLE saga_starter NOLOGIN")
        _ = try await plain.query("SELECT saga.grant_roles()")
        #expect(
            try await fixture.value(
                "SELECT has_function_privilege('saga_starter', 'saga.start(text, text, text, text)', 'EXECUTE')"
            ) == "true"
        )
        await plain.close()
        await admin.close()
        try await cluster.stop(mode: .immediate)
    }

    /// Defaults that an administrator has set for other programs must not change what the scripts mean.
    @Test func settingsOfTheDatabaseChangeNothing() async throws {
        try await SchemaFixture.run(in: try await .empty()) { fixture async throws in
            let database = try await fixture.value("SELECT current_database()")
            try await fixture.pool.execute(
                script: """
                    CREATE FUNCTION public.octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0';
                    ALTER DATABASE \(database) SET search_path = public, pg_catalog;
                    ALTER DATABASE \(database) SET standard_conforming_strings = off;
                    ALTER DATABASE \(database) SET default_transaction_isolation = 'serializable'
                    """
            )
            let pool = SchemaFixture.pool(fixture.connectionString)
            let migrated = try await Migrator(pool: pool, logger: SchemaFixture.quiet).migrate()
            await pool.close()

            #expect(migrated == (0, Migrator.latestVersion))
        }
    }

    @Test func anUnreachableDatabaseIsAConnectionError() async throws {
        let pool = SchemaFixture.pool("postgresql:///x?host=/nowhere&user=postgres")
        let kind = await #expect(throws: PostgresError.self) {
            try await Migrator(pool: pool, logger: SchemaFixture.quiet).migrate()
        }?.kind
        await pool.close()

        #expect(kind == .connectFailed)
    }
}

extension SchemaFixture {
    /// What migrating is refused with; nil when it isn't.
    func migrationFailure() async throws -> String? {
        do {
            _ = try await migrator.migrate()
            return nil
        } catch let error as MigrationError {
            return error.description
        }
    }
}
