import PostgresClient
import SagaCore

/// Examines an installation: the way to the server, the server, the schema, the daemons, the sagas.
///
/// It only reads, in short transactions that can't write, and says of what it isn't allowed to see that it wasn't
/// checked.
public struct Doctor: Sendable {
    private let database: DoctorDatabase
    /// The version of the program that asks.
    private let programVersion: String
    private let isDeep: Bool

    /// - Parameters:
    ///   - pool: one that may open at least two connections.
    ///   - programVersion: what daemons are compared with.
    ///   - isDeep: whether all sagas are folded, not just a sample.
    public init(pool: PostgresPool, programVersion: String, isDeep: Bool = false, limits: DoctorLimits = .init()) {
        database = DoctorDatabase(pool: pool, limits: limits)
        self.programVersion = programVersion
        self.isDeep = isDeep
    }

    /// Makes all checks.
    ///
    /// - Throws: `PostgresError` when the database can't be reached; what one check alone can't do is a finding.
    public func examine() async throws(PostgresError) -> DoctorReport {
        var findings = try await PoolerCheck().run(in: database)
        // Nothing more can be asked where a transaction can't be had.
        if findings.contains(where: { $0.code == .poolerStatementMode }) { return DoctorReport(findings: findings) }
        findings += try await ServerCheck().run(in: database)
        let schema = try await SchemaCheck().run(in: database)
        findings += schema
        let hasTables = !schema.contains { $0.code == .schemaMissing }
        let onServer: [any DoctorCheck] =
            [ClockCheck(), SettingsCheck(), ConnectionsCheck()] + (hasTables ? [TablesCheck()] : [])
            + [VacuumCheck(), ReplicationCheck()]
        for check in onServer { findings += try await check.run(in: database) }
        let isUsable = !schema.contains { $0.severity == .error || $0.severity == .skipped }
        guard isUsable else {
            findings.append(
                DoctorFinding(.sagas, .skipped, "not checked: needs a schema that this program and role can read"))
            return DoctorReport(findings: findings)
        }
        let onSagas: [any DoctorCheck] = [
            DaemonsCheck(programVersion: programVersion), SagasCheck(), ServicesCheck(), AlertsCheck(),
            DefinitionsCheck(), PartitionsCheck(), HistoryCheck(isDeep: isDeep),
        ]
        for check in onSagas { findings += try await check.run(in: database) }
        return DoctorReport(findings: findings)
    }
}
