import ArgumentParser
import JSON
import PostgresClient
import SagaCore
import SagaPostgres

/// A call that steers: what it does to one saga, or to each that filters find.
struct OperatorCall {
    /// Its name on the command line, such as `retry`.
    let name: String
    let command: OperatorCommand
    let reason: String?
    /// What a daemon does now, in words, such as "is being cancelled".
    let effect: String
    /// What is done to each, for a person who is asked first.
    let intention: String
    /// Which sagas filters mean that name no status; those that haven't ended where this is empty.
    var impliedStatuses: [SagaStatus] = []
    /// Whether filters mean paused sagas only.
    var onlyPaused = false

    /// Has the command decided on each saga's latest state, and tells what came of it.
    ///
    /// - Parameter saga: its id or key; nil takes those that the filters find.
    func perform(on saga: String?, _ options: SteeringOptions) async throws {
        let act = Event.Act.byUser(options.actor.actor, reason: reason)
        guard let saga else {
            let bulk = OperatorBulk(call: self, act: act, options: options)
            let status = try await options.database.withDatabase { pool in try await bulk.run(pool) }
            if status != 0 { throw ExitCode(status) }
            return
        }
        try await perform(on: saga, by: act, options.database, options.format)
    }

    /// Has the command decided on one saga's latest state, and tells what came of it.
    func perform(
        on saga: String, by act: Event.Act, _ database: DatabaseOptions, _ format: FormatOptions
    ) async throws {
        let (record, outcome) = try await database.withDatabase { pool in
            let record = try await SagaReader(pool: pool).requireRecord(saga)
            return (record, try await SagaOperator(pool: pool).perform(command, on: record.id, by: act))
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
