import JSON
import Logging
import PostgresClient
import SagaTestKit
import Testing

/// Inputs that break the definition's schema, with a real daemon and PostgreSQL.
@Suite(.timeLimit(.minutes(5))) struct InputSchemaTests {
    /// SQL accepts any input, so that the caller's transaction needs no validator; the daemon then refuses it.
    @Test func aStartFromSQLWhoseInputBreaksTheSchemaBeginsNothing() async throws {
        let test = try await Installation.make()
        let daemon = try await test.daemon()
        let pool = PostgresPool(
            PostgresConfiguration(test.database, applicationName: "end-to-end-tests", maximumConnections: 1),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let start = "SELECT saga.start('order', '{\"orderId\": 7}', 'broken')::text AS id"
        let id = try #require(try await pool.query(start).rows.first).decode("id", as: String.self)

        let document = try await test.wait(for: id, ["compensated", "completed", "stuck"])
        #expect(document["status"] == "compensated")
        #expect(
            document["failure"] == [
                "step": nil, "error": "Saga.InvalidInput",
                "message": .string(
                    "the input has no `customer`; the input has no `card`; the input has no `country`; "
                        + "the input has no `items`; /orderId must be a string, not a number"),
            ])
        let steps = document["steps"]?.arrayValue ?? []
        #expect(steps.map { $0["status"] } == Array(repeating: "pending", count: 4))
        #expect(steps.map { $0["attempts"] } == Array(repeating: 0, count: 4))
        #expect(try await test.types(id) == ["SagaStarted", "SagaCompensating", "SagaCompensated"])
        let view = "SELECT status || ' ' || (failure ->> 'error') AS status FROM saga.sagas WHERE key = 'broken'"
        let row = try #require(try await pool.query(view).rows.first)
        #expect(try row.decode("status", as: String.self) == "compensated Saga.InvalidInput")

        // The key stays taken: by the same start, and against any other.
        let again = try #require(try await pool.query(start).rows.first).decode("id", as: String.self)
        #expect(again == id)
        let other = try await test.saga("start", "order", "--key", "broken", "--input", test.input("fine", "broken"))
        #expect(other.status == 1)
        #expect(other.errors.contains("was used to start saga \"order\" with another input"), "\(other)")

        await pool.close()
        #expect(await daemon.stop().status == 0)
        await test.remove()
    }
}
