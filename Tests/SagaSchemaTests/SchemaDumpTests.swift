import Foundation
import PostgresClient
import SagaSchema
import SagaTestKit
import Testing

/// `sql/schema.sql` is what the migrations make of an empty database, exactly.
@Suite struct SchemaDumpTests {
    static let committed = URL(filePath: #filePath).appending(path: "../../../sql/schema.sql").standardizedFileURL

    /// By one and the same pg_dump, so that this holds with every version of PostgreSQL.
    @Test func migrationsAndTheCommittedDumpGiveTheSameSchema() async throws {
        let text = try String(contentsOf: Self.committed, encoding: .utf8)
        let migrated = try await SchemaFixture.migrated()
        let loaded = try await SchemaFixture.empty()
        try await loaded.pool.execute(script: text)
        let (ours, theirs) = (try await Self.dump(migrated), try await Self.dump(loaded))
        await migrated.pool.close()
        await loaded.pool.close()

        #expect(ours.contains("CREATE TABLE saga.event ("))
        #expect(ours == theirs)
    }

    /// Letter for letter, with the version of PostgreSQL that it was made with; others write some lines differently.
    @Test func theCommittedDumpIsWhatDumpSchemaWrites() async throws {
        var lines = try String(contentsOf: Self.committed, encoding: .utf8).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        let header = try #require(lines.first)
        lines.removeFirst()
        let fixture = try await SchemaFixture.migrated()
        let server = try await fixture.value("SELECT current_setting('server_version_num')::int / 10000")
        let dump = try await Self.dump(fixture)
        await fixture.pool.close()

        if header.contains("PostgreSQL \(server) ") {
            #expect(dump == lines.joined(separator: "\n"))
        } else {
            #expect(header.hasPrefix("-- Made by scripts/dump-schema with PostgreSQL "))
        }
    }

    /// As scripts/dump-schema does it.
    private static func dump(_ fixture: SchemaFixture) async throws -> String {
        let version = try await fixture.value("SELECT current_setting('server_version_num')::int / 10000")
        let process = Process()
        let output = Pipe()
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let program = (["/usr/lib/postgresql/\(version)/bin"] + path).map { "\($0)/pg_dump" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        process.executableURL = URL(filePath: try #require(program, "pg_dump is needed"))
        process.arguments = ["-s", "--no-owner", "-n", "saga", "-d", fixture.connectionString]
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)

        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.hasPrefix("-- Dumped ") && !$0.hasPrefix("\\restrict ") && !$0.hasPrefix("\\unrestrict ") }
        // Of several empty lines one stays, as `cat -s` has it.
        return lines.indices.filter { $0 == 0 || !lines[$0].isEmpty || !lines[$0 - 1].isEmpty }
            .map { lines[$0] }.joined(separator: "\n")
    }
}
