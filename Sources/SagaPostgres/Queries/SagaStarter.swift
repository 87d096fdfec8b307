import JSON
import PostgresClient
import SagaCore

/// Starts sagas.
public struct SagaStarter: Sendable {
    private let pool: PostgresPool
    private let timeout: Duration

    public init(pool: PostgresPool, timeout: Duration = .seconds(30)) {
        self.pool = pool
        self.timeout = timeout
    }

    /// What a start came to.
    public struct Started: Sendable, Hashable {
        public let id: SagaID
        /// False when the key was known: the saga is the one that was started with it.
        public let isNew: Bool
        /// The number of its definition; nil when the saga behind a known key has been dropped.
        let definition: Int32?
    }

    /// Starts a saga on the version of its definition that was applied last.
    ///
    /// With a key a lost connection is made up for by starting again, which starts nothing twice.
    ///
    /// - Throws: `PostgresError`: 22023 for an unknown saga, an input that can't be kept or a key that is none; 23505
    ///   for a key that was used for something else; `.connectionLost` without a key when it isn't known whether the
    ///   saga was started.
    public func start(_ saga: String, input: RawJSON, key: String?) async throws(PostgresError) -> Started {
        var attemptsLeft = key == nil ? 1 : 3
        while true {
            do throws(PostgresError) {
                return try await attempt(saga, input: input, key: key)
            } catch {
                attemptsLeft -= 1
                guard error.isOutcomeUnknown, attemptsLeft > 0 else { throw error }
            }
        }
    }

    private func attempt(_ saga: String, input: RawJSON, key: String?) async throws(PostgresError) -> Started {
        let result = try await pool.query(
            "SELECT id, created, definition_id FROM saga.start_full($1, $2, $3)",
            [.text(saga), .json(input.bytes), .text(key)],
            timeout: timeout
        )
        guard let row = result.rows.first else { throw PostgresError(.decoding, "saga.start_full returned no row") }
        return Started(
            id: SagaID(try row.decode(0, as: PostgresUUID.self)),
            isNew: try row.decode(1),
            definition: try row.decode(2)
        )
    }

    /// What an input of `saga` has to fit from now on; nil without a schema or without such a saga.
    ///
    /// - Throws: `PostgresError`.
    public func inputSchema(of saga: String) async throws(PostgresError) -> [UInt8]? {
        let result = try await pool.read("SELECT saga.input_schema($1)", [.text(saga)], timeout: timeout)
        return try result.rows.first?.decode(0, as: [UInt8]?.self)
    }

    /// The version that a started saga runs on: the first 12 digits of its definition's digest.
    ///
    /// Apart from `start`, since whoever may start sagas needs no right to read definitions.
    ///
    /// - Throws: `PostgresError`.
    public func version(of started: Started) async throws(PostgresError) -> String? {
        guard let definition = started.definition else { return nil }
        let result = try await pool.read(
            "SELECT left(encode(digest, 'hex'), 12) FROM saga.definition WHERE id = $1",
            [.int4(definition)],
            timeout: timeout
        )
        return try result.rows.first?.decode(0)
    }
}
