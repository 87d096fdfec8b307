import PostgresClient

/// Whether a pooler stands between, and in which mode.
///
/// A pooler answers for the server when a client connects, so the process that it names isn't the one that runs the
/// statements. Whether it hands a server on after each transaction shows when another connection gets the one that
/// this connection had.
struct PoolerCheck: DoctorCheck {
    static let code = DoctorCode.pooler

    /// What was seen.
    struct Facts: Sendable, Hashable {
        /// Whether the server's process is the one that answered the connection.
        var isDirect = true
        /// Whether a transaction of several statements is refused.
        var refusesTransactions = false
        /// Whether two connections were served by one process.
        var sharesServers = false
    }

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        let facts: Facts
        do { facts = try await look(database) } catch let error as PostgresError { throw error } catch {
            throw PostgresError(.decoding, "\(error)")
        }
        return [Self.judge(facts)]
    }

    private func look(_ database: DoctorDatabase) async throws -> Facts {
        try await database.pool.withConnection { connection in
            var facts = Facts()
            let first = try await Self.process(connection, database)
            facts.isDirect = await connection.serverProcess() == first
            if facts.isDirect { return facts }
            do throws(PostgresError) {
                _ = try await connection.query("BEGIN", timeout: database.timeout)
                _ = try await connection.query("COMMIT", timeout: database.timeout)
            } catch {
                guard Self.isRefusal(error) else { throw error }
                facts.refusesTransactions = true
                return facts
            }
            // The server that was given back last is lent first.
            let mine = try await Self.process(connection, database)
            let others = try? await database.pool.query("SELECT pg_backend_pid()", timeout: .seconds(2))
            let other = try others?.rows.first?.decode(0, as: Int32.self)
            let after = try await Self.process(connection, database)
            facts.sharesServers = mine != after || other == mine || mine != first
            return facts
        }
    }

    private nonisolated(nonsending) static func process(
        _ connection: PostgresConnection, _ database: DoctorDatabase
    ) async throws -> Int32? {
        try await connection.query("SELECT pg_backend_pid()", timeout: database.timeout).rows.first?
            .decode(0, as: Int32.self)
    }

    /// PgBouncer's own words; it ends the connection with them.
    private static func isRefusal(_ error: PostgresError) -> Bool {
        error.message.contains("statement pooling mode") || error.sqlState == "08P01"
    }

    /// What the facts mean.
    static func judge(_ facts: Facts) -> DoctorFinding {
        if facts.refusesTransactions {
            return DoctorFinding(
                .poolerStatementMode, .error,
                "the pooler between is in statement mode and refuses transactions: Saga can't work through it",
                advice: "set pool_mode = transaction for this database in pgbouncer.ini and reload it",
                data: ["pooler": true, "mode": "statement"])
        }
        if facts.isDirect {
            return DoctorFinding(.pooler, .ok, "none between", data: ["pooler": false, "mode": .null])
        }
        return facts.sharesServers
            ? DoctorFinding(
                .pooler, .ok, "one between, in transaction mode: fine for Saga",
                data: ["pooler": true, "mode": "transaction"])
            : DoctorFinding(
                .pooler, .ok, "one between; it handed no server on while looked at, as in session mode: fine for Saga",
                data: ["pooler": true, "mode": .null])
    }
}
