import ArgumentParser
import JSON
import PostgresClient
import SagaCore
import SagaPostgres

/// What the calls that steer a saga have in common.
struct OperatorCall {
    let saga: SagaArgument
    let database: DatabaseOptions
    let format: FormatOptions

    /// Has the command decided on the saga's latest state, and tells what came of it.
    ///
    /// - Parameter effect: what a daemon does now, in words, such as "is being cancelled".
    func perform(_ command: OperatorCommand, reason: String?, effect: String) async throws {
        let (record, outcome) = try await database.withDatabase { pool in
            let record = try await SagaReader(pool: pool).requireRecord(saga.saga)
            let outcome = try await SagaOperator(pool: pool).perform(
                command,
                on: record.id,
                by: .byUser(reason: reason)
            )
            return (record, outcome)
        }
        if format.isJSON { return Output.json(json(record, outcome)) }
        switch outcome {
        case .appended: Output.line("\(record.saga) \(record.id) \(effect)")
        case .alreadySo(let reason): Output.line("\(record.saga) \(record.id): \(reason)")
        }
    }

    private func json(_ record: SagaRecord, _ outcome: SagaOperator.Outcome) -> RawJSON {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("id", record.id.description)
        writer.field("saga", record.saga)
        switch outcome {
        case .appended(let type, let sequence):
            writer.field("changed", true)
            writer.field("event", type.name)
            writer.field("sequence", sequence)
        case .alreadySo:
            writer.field("changed", false)
            writer.field("event", .null)
            writer.field("sequence", .null)
        }
        writer.endObject()
        return writer.finished()
    }
}
