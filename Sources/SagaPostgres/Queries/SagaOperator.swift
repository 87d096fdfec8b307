import JSON
import PostgresClient
import SagaCore
import SagaEngine

/// Does to sagas what a person decides.
public struct SagaOperator: Sendable {
    private let reader: SagaReader

    public init(pool: PostgresPool, timeout: Duration = .seconds(30)) {
        reader = SagaReader(pool: pool, timeout: timeout)
    }

    /// What a command came to.
    public enum Outcome: Sendable, Hashable {
        /// The event of this type and sequence was appended; a daemon acts on it.
        case appended(EventType, sequence: Int)
        /// It was so already, in words for a person.
        case alreadySo(String)
    }

    /// Why a command did nothing.
    public enum Failure: Error, Sendable, Hashable {
        case notFound
        /// It can't be done as the saga stands, in words for a person.
        case refused(String)
        /// With `.connectionLost` it isn't known whether the event was appended.
        case database(PostgresError)
    }

    /// How often a saga may change between being read and being appended to.
    private static let maximumAttempts = 100

    /// Decides what `command` comes to on the saga's latest state and appends that, guarded by its sequence: when
    /// something was appended meanwhile, it is decided anew.
    ///
    /// - Parameter filter: what the saga must still fit, by its latest state, or it is refused.
    public func perform(
        _ command: OperatorCommand,
        on id: SagaID,
        by act: Event.Act,
        fitting filter: SagaFilter? = nil
    ) async throws(Failure) -> Outcome {
        for _ in 0..<Self.maximumAttempts {
            let record = try await load(id)
            let decision = try decide(command, record, act, filter)
            guard case .append(let event) = decision else {
                if case .alreadySo(let reason) = decision { return .alreadySo(reason) }
                continue
            }
            if try await append(event, to: record) {
                guard let type = EventType(rawValue: event.type) else { continue }
                return .appended(type, sequence: event.sequence)
            }
        }
        throw .refused("the saga changes too fast; try again")
    }

    private enum Decision {
        case append(StoredEvent)
        case alreadySo(String)
    }

    private func load(_ id: SagaID) async throws(Failure) -> SagaRecord {
        do throws(PostgresError) {
            if let record = try await reader.load(id) { return record }
        } catch {
            throw .database(error)
        }
        throw .notFound
    }

    private func decide(
        _ command: OperatorCommand,
        _ record: SagaRecord,
        _ act: Event.Act,
        _ filter: SagaFilter?
    ) throws(Failure) -> Decision {
        if record.status.isEnded, command != .compensate { throw .refused("the saga has ended: \(record.status.name)") }
        let reading = record.folded()
        if let mismatch = filter?.mismatch(of: record.document(of: record.asShown(reading))) {
            throw .refused("the saga has changed: \(mismatch)")
        }
        switch reading {
        case .readable(let state, let definition):
            // Set aside by a daemon of another version, or for its row alone: taking it up again is all that a retry
            // asks for.
            if record.unreadable != nil, command == .retry { return .append(stored(.retried(act), record, definition)) }
            if record.unreadable != nil, state.status.isEnded, command != .compensate {
                throw .refused(
                    "the saga has ended, its events say: \(state.status.name); saga retry has a daemon write that on its row"
                )
            }
            switch state.result(of: command, by: act, in: definition) {
            case .event(let event): return .append(stored(event, record, definition))
            case .alreadySo(let reason): return .alreadySo(reason)
            case .refused(let reason): throw .refused(reason)
            }
        case .unreadable(let reason):
            // What was done can't be known, so the only way out is to end it as it stands.
            guard command == .terminate else {
                throw .refused("the saga can't be read (\(reason)); all that can be done is to terminate it")
            }
            return .append(termination(of: record, by: act))
        }
    }

    private func stored(_ event: Event, _ record: SagaRecord, _ definition: Definition) -> StoredEvent {
        let recorded = RecordedEvent(
            sequence: record.lastSequence + 1,
            cause: nil,
            at: record.readAt,
            event: event
        )
        return EventCodec.encode(recorded, definition: definition)
    }

    private func termination(of record: SagaRecord, by act: Event.Act) -> StoredEvent {
        var writer = JSONWriter(reservingCapacity: 128)
        writer.beginObject()
        writer.field("actor", act.actor)
        writer.field("reason", act.reason)
        writer.endObject()
        return StoredEvent(
            sequence: record.lastSequence + 1,
            cause: nil,
            type: EventType.sagaTerminated.rawValue,
            at: record.readAt,
            data: writer.bytes
        )
    }

    /// Whether the event has its place; false when that was taken, or the saga has ended.
    private func append(_ event: StoredEvent, to record: SagaRecord) async throws(Failure) -> Bool {
        do throws(PostgresError) {
            let result = try await reader.pool.query(
                "SELECT saga.append_operator_event($1, $2, $3, $4)",
                [
                    .uuid(record.id.uuid), .int4(Int32(clamping: event.sequence - 1)), .int2(event.type),
                    .json(event.data),
                ],
                timeout: reader.timeout
            )
            return try result.rows.first?.decode(0) ?? false
        } catch {
            throw .database(error)
        }
    }
}
