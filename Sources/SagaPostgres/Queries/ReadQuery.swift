import PostgresClient

/// How people's and programs' questions are put: without compilation of queries.
///
/// A plan over hundreds of day partitions looks dear to the planner, and compiling its hundreds of nodes takes the
/// server seconds where running it takes milliseconds. The setting goes with the transaction that the pipeline is, so
/// that it holds behind PgBouncer in transaction mode too, and for nobody else.
extension PostgresPool {
    /// Runs one statement that only reads.
    nonisolated(nonsending) func read(
        _ sql: String, _ parameters: [PostgresValue] = [], timeout: Duration
    ) async throws(PostgresError) -> PostgresResult {
        do throws(PostgresError) {
            let results = try await read([PostgresStatement(sql, parameters)], timeout: timeout)
            guard let result = results.first else { throw PostgresError(.decoding, "a statement got no result") }
            return result
        } catch {
            var error = error
            error.statementIndex = nil
            throw error
        }
    }

    /// Runs statements that only read in one round trip, as one transaction.
    ///
    /// - Returns: a result per statement.
    /// - Throws: the first statement's error, with its index.
    nonisolated(nonsending) func read(
        _ statements: [PostgresStatement], timeout: Duration
    ) async throws(PostgresError) -> [PostgresResult] {
        do throws(PostgresError) {
            return Array(try await pipeline([Self.withoutJIT] + statements, timeout: timeout).dropFirst())
        } catch {
            var error = error
            error.statementIndex = error.statementIndex.map { max(0, $0 - 1) }
            throw error
        }
    }

    private static var withoutJIT: PostgresStatement { PostgresStatement("SELECT set_config('jit', 'off', true)") }
}
