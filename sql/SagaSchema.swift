import Foundation

/// One step of the schema's history: `migrations/NNN_name.sql`.
public struct Migration: Sendable, Hashable {
    /// From 1, without gaps.
    public let version: Int
    /// What the file's name says of it.
    public let name: String
    /// The script: it runs whole, inside a transaction that the caller opens.
    public let sql: String

    /// Describes a migration.
    public init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }
}

/// The SQL that comes with the program.
public enum SagaSchema {
    /// All migrations in the order of their versions; empty when the program was installed without its resources.
    public static let migrations: [Migration] = {
        guard let folder = Bundle.module.url(forResource: "migrations", withExtension: nil),
            let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        else { return [] }
        return files.compactMap(migration).sorted { $0.version < $1.version }
    }()

    /// The guard that a participant with a PostgreSQL of its own installs there.
    ///
    /// Without the program's resources it is a script that fails and says so, rather than one that installs nothing.
    public static let participant: String = {
        let file = Bundle.module.url(forResource: "participant", withExtension: "sql")
        let missing = "DO $$ BEGIN RAISE EXCEPTION 'participant.sql is missing from this installation of saga'; END $$"
        return file.flatMap { try? String(contentsOf: $0, encoding: .utf8) } ?? missing
    }()

    private static func migration(at file: URL) -> Migration? {
        let name = file.lastPathComponent
        guard name.hasSuffix(".sql"), let separator = name.firstIndex(of: "_"),
            let version = Int(name[..<separator]), let sql = try? String(contentsOf: file, encoding: .utf8)
        else { return nil }
        return Migration(version: version, name: String(name[name.index(after: separator)...].dropLast(4)), sql: sql)
    }
}
