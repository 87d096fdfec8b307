import Logging
import PostgresClient
import SagaCore
import SagaEngine
import SagaPostgres
import SagaTestKit

/// The real store in a database of its own.
struct PostgresUnderTest: StoreUnderTest {
    let pool: PostgresPool
    let store: any SagaStore

    static func make() async throws -> PostgresUnderTest {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let configuration = PostgresConfiguration(
            try await TestPostgres.shared.database(), applicationName: "store-test")
        let pool = PostgresPool(configuration, logger: logger)
        _ = try await Migrator(pool: pool, logger: logger).migrate()
        _ = try await pool.query(
            "SELECT saga.apply_definition('test', decode(repeat('07', 32), 'hex'), '{\"steps\": [{\"name\": \"a\"}]}', true)"
        )
        return PostgresUnderTest(pool: pool, store: PostgresStore(pool: pool))
    }

    func start(key: String?) async throws -> SagaID {
        let result = try await pool.query(
            "SELECT saga.start('test', '{}'::text, key => $1)", [key.map(PostgresValue.text) ?? .null])
        let uuid = try result.rows[0].decode(0, as: PostgresUUID.self)
        return SagaID(high: uuid.high, low: uuid.low)
    }

    func appendFromOutside(_ type: EventType, to saga: SagaID) async throws -> Bool {
        let id = PostgresValue.uuid(PostgresUUID(high: saga.high, low: saga.low))
        let last = try await pool.query("SELECT max(sequence) FROM saga.event WHERE saga_id = $1", [id])
        let result = try await pool.query(
            "SELECT saga.append_operator_event($1, $2, $3, $4)",
            [id, .int4(try last.rows[0].decode(0)), .int2(type.rawValue), .json(Array(#"{"actor":"ann"}"#.utf8))])
        return try result.rows[0].decode(0)
    }

    func status(_ saga: SagaID) async throws -> SagaStatus? {
        try await column("status", of: saga, as: Int16?.self).flatMap(SagaStatus.init(rawValue:))
    }

    func owner(_ saga: SagaID) async throws -> Int32? { try await column("owner", of: saga, as: Int32?.self) }

    func isDue(_ saga: SagaID) async throws -> Bool {
        try await column("coalesce(due_at < 'infinity', false)", of: saga, as: Bool.self)
    }

    func close() async { await pool.close() }

    private func column<Value: PostgresDecodable>(_ name: String, of saga: SagaID, as type: Value.Type) async throws
        -> Value
    {
        let result = try await pool.query(
            "SELECT \(name) FROM saga.state WHERE id = $1", [.uuid(PostgresUUID(high: saga.high, low: saga.low))])
        return try result.rows[0].decode(0, as: type)
    }
}
