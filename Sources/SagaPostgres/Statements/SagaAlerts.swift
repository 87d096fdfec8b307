import JSON
import PostgresClient
import SagaCore
import SagaEngine

/// What sagas have to tell a person: that they are stuck, or past their deadline.
///
/// The database adds a saga's name and key. Texts come from participants: what PostgreSQL couldn't hold is replaced,
/// since an alert may never be why a batch is refused.
struct SagaAlerts {
    static let stuck = "saga.SagaStuck"
    static let deadlineExceeded = "saga.SagaDeadlineExceeded"

    /// The document as SQL, of a row `a` with the alert's own, `s` of `saga.state` and `d` of `saga.definition`.
    private static let document = """
        json_build_object('specversion', '1.0', 'id', a.id, 'source', '/sagas/' || d.saga, 'type', a.type,
            'subject', s.id::text, 'time', a.at, 'datacontenttype', 'application/json',
            'correlationid', coalesce(s.correlation_id, s.id::text),
            'data', json_build_object('saga', d.saga, 'key', s.key, 'step', a.step, 'error', a.error,
                'message', a.message, 'status', a.status, 'commands', a.commands))
        """

    /// The alerts of a batch in one statement; nil for nearly every batch, at the cost of a look at each event's type.
    static func statement(of batch: [Append]) -> PostgresStatement? {
        let alerts = batch.flatMap { append in append.events.compactMap { SagaAlert($0, of: append) } }
        if alerts.isEmpty { return nil }
        return PostgresStatement(
            """
            INSERT INTO saga.alert (event) SELECT \(document)
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::json[]) AS a (saga, id, type, at, step, error, message, status, commands)
            JOIN saga.state s ON s.id = a.saga
            JOIN saga.definition d ON d.id = s.definition_id
            """,
            [
                .uuidArray(alerts.map(\.saga.uuid)), .textArray(alerts.map(\.id)), .textArray(alerts.map(\.type)),
                .textArray(alerts.map(\.time)), .textArray(alerts.map(\.step)), .textArray(alerts.map(\.error)),
                .textArray(alerts.map(\.message)), .textArray(alerts.map(\.status)),
                .jsonArray(alerts.map(\.commands)),
            ])
    }

    /// Sets a saga aside and tells of it.
    ///
    /// Its events can't be trusted to be shown, so the message is ours.
    static func settingAside(_ saga: SagaID, reason: String, daemon: Int32) -> PostgresStatement {
        PostgresStatement(
            """
            WITH s AS (
                UPDATE saga.state SET unreadable = $3, owner = NULL, due_at = 'infinity'
                WHERE id = $1 AND owner = $2
                RETURNING id, key, correlation_id, definition_id
            )
            INSERT INTO saga.alert (event) SELECT \(document)
            FROM s
            JOIN saga.definition d ON d.id = s.definition_id
            CROSS JOIN to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now (at)
            CROSS JOIN LATERAL (
                SELECT s.id || '/unreadable/' || now.at AS id, $4::text AS type, now.at, NULL::text AS step,
                    $5::text AS error, $6::text AS message, $7::text AS status, $8::json AS commands
            ) a
            """,
            [
                .uuid(saga.uuid), .int4(daemon), .text(reason), .text(stuck), .text(EngineError.unreadable),
                .text("its events can't be read or written; saga status says why"), .text(SagaStatus.stuck.name),
                .json(SagaAlert.commands(for: saga, canRetry: true)),
            ])
    }
}

/// One of them.
private struct SagaAlert {
    let saga: SagaID
    let id: String
    let type: String
    let time: String
    let step: String?
    let error: String?
    let message: String?
    let status: String
    let commands: [UInt8]

    /// nil for an event that needs nobody's attention.
    init?(_ event: StoredEvent, of append: Append) {
        let isStuck = event.type == EventType.sagaStuck.rawValue
        guard isStuck || event.type == EventType.sagaCompensating.rawValue else { return nil }
        let failure = event.data.flatMap { try? JSON.parse($0) }
        error = Self.text("error", of: failure)
        guard isStuck || error == EngineError.deadlineExceeded else { return nil }
        saga = append.saga
        let digits = String(event.sequence)
        id = "\(saga)/\(String(repeating: "0", count: max(0, 10 - digits.count)))\(digits)"
        type = isStuck ? SagaAlerts.stuck : SagaAlerts.deadlineExceeded
        time = event.at.text
        step = Self.text("step", of: failure)
        message = Self.text("message", of: failure)
        status = (append.row?.status ?? (isStuck ? .stuck : .compensating)).name
        commands = Self.commands(for: saga, canRetry: isStuck)
    }

    /// What a person can call to look and to act.
    static func commands(for saga: SagaID, canRetry: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginArray()
        writer.string("saga status \(saga)")
        if canRetry { writer.string("saga retry \(saga)") }
        writer.endArray()
        return writer.bytes
    }

    private static func text(_ key: String, of failure: JSON?) -> String? {
        guard let text = failure?[key]?.stringValue else { return nil }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
    }
}
