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

    /// Makes all checks, or as many as the connection and the calling task allow: a report that was cut off says what
    /// it lacks.
    ///
    /// - Throws: `PostgresError` when nothing could be looked at; what one check alone can't do is a finding.
    public func examine() async throws(PostgresError) -> DoctorReport {
        var round = DoctorRound(database: database)
        do throws(PostgresError) { try await examine(&round) } catch {
            guard !round.findings.isEmpty else { throw error }
            let missing = Self.codes.filter { !round.done.contains($0) }
            return DoctorReport(findings: round.findings, cut: DoctorReport.Cut(reason: error, missing: missing))
        }
        return DoctorReport(findings: round.findings)
    }

    /// Of all checks, in the order in which they are made.
    static let codes: [DoctorCode] = [
        .pooler, .server, .schema, .clock, .settings, .connections, .tables, .vacuum, .replication, .daemons, .sagas,
        .services, .alerts, .definitions, .partitions, .history,
    ]

    private func examine(_ round: inout DoctorRound) async throws(PostgresError) {
        // Nothing more can be asked where a transaction can't be had.
        if try await round.make(PoolerCheck()).contains(where: { $0.code == .poolerStatementMode }) { return }
        try await round.make(ServerCheck())
        let schema = try await round.make(SchemaCheck())
        let hasTables = !schema.contains { $0.code == .schemaMissing || $0.code == .schemaForeign }
        let isUsable = !schema.contains { $0.severity == .error || $0.severity == .skipped }
        let onServer: [any DoctorCheck] =
            [ClockCheck(), SettingsCheck(), ConnectionsCheck()] + (hasTables ? [TablesCheck(isOurs: isUsable)] : [])
            + [VacuumCheck(), ReplicationCheck()]
        for check in onServer { try await round.make(check) }
        guard isUsable else {
            round.findings.append(
                DoctorFinding(.sagas, .skipped, "not checked: needs a schema that this program and role can read"))
            return
        }
        let onSagas: [any DoctorCheck] = [
            DaemonsCheck(programVersion: programVersion), SagasCheck(), ServicesCheck(), AlertsCheck(),
            DefinitionsCheck(), PartitionsCheck(), HistoryCheck(isDeep: isDeep),
        ]
        for check in onSagas { try await round.make(check) }
    }
}
