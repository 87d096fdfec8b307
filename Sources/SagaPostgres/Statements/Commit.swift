import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    /// One transaction, one round trip: the fence, all events, all rows. A taken sequence fails the whole; then the
    /// sagas that it was are found and the others go through without them.
    public func commit(_ appends: [Append], under lease: Lease) async throws(StoreError) -> Set<SagaID> {
        var conflicts: Set<SagaID> = []
        while true {
            let batch = appends.filter { !conflicts.contains($0.saga) }
            if batch.isEmpty { return conflicts }
            do throws(PostgresError) {
                _ = try await fenced(lease, CommitStatements(batch: batch, lease: lease).statements)
                return conflicts
            } catch {
                if error.kind == .connectionLost { throw .inDoubt(error.description, conflicts: conflicts) }
                // 57014: the role's statement_timeout, which a smaller batch may keep to.
                let isTooSlow = error.kind == .timeout && !error.nothingWasSent
                if isTooSlow || ["55P03", "57014"].contains(error.sqlState) { throw .blocked(error.description) }
                guard error.isTakenSequence else { throw StoreError(error) }
                let found = try await taken(batch)
                if found.isEmpty {
                    throw .unavailable("a sequence was taken by a transaction that isn't there any more")
                }
                conflicts.formUnion(found)
            }
        }
    }

    /// The sagas whose history already reaches the place where the append would begin.
    private func taken(_ batch: [Append]) async throws(StoreError) -> Set<SagaID> {
        let withEvents = batch.filter { !$0.events.isEmpty }
        do throws(PostgresError) {
            let result = try await pool.query(
                """
                SELECT DISTINCT e.saga_id FROM saga.event e
                JOIN unnest($1::uuid[], $2::int4[]) AS mine (saga_id, sequence)
                    ON e.saga_id = mine.saga_id AND e.sequence = mine.sequence
                """,
                [
                    .uuidArray(withEvents.map(\.saga.uuid)),
                    .int4Array(withEvents.map { Int32(truncatingIfNeeded: $0.events[0].sequence) }),
                ], timeout: timeout)
            var ids: Set<SagaID> = []
            for row in result.rows { ids.insert(SagaID(try row.decode(0, as: PostgresUUID.self))) }
            return ids
        } catch {
            throw StoreError(error)
        }
    }

    /// Locks the daemon's row against the batch in doubt, which either has ended by then or is refused later by the
    /// raised epoch; after that the history tells whether it was committed.
    public func readBack(_ appends: [Append], under lease: Lease) async throws(StoreError) -> ReadBack {
        try await locking { connection in
            let raised = try await connection.pipeline(
                begin(lease.length) + [
                    // A lease that was taken over is marked so: that row is only waiting to be deleted.
                    PostgresStatement(
                        "SELECT 1 FROM saga.daemon WHERE id = $1 AND lease_until > '-infinity' FOR UPDATE",
                        [.int4(lease.daemon)]),
                    PostgresStatement(
                        """
                        UPDATE saga.daemon SET epoch = epoch + 1 WHERE id = $1 AND lease_until > '-infinity'
                        RETURNING epoch
                        """, [.int4(lease.daemon)]),
                ], timeout: timeout)
            guard let row = raised.last?.rows.first else { throw StoreError.leaseLost }
            let epoch = try row.decode(0, as: Int32.self)
            let wasCommitted = try await isThere(appends, on: connection)
            _ = try await connection.query("COMMIT", timeout: timeout)
            return ReadBack(
                wasCommitted: wasCommitted, lease: Lease(daemon: lease.daemon, epoch: epoch, length: lease.length))
        }
    }

    /// A batch is there whole or not at all, so its first event tells. What an operator appended at that place is of
    /// a type that no daemon writes. A batch of rows alone counts as not there: doing it again changes nothing.
    private func isThere(_ appends: [Append], on connection: PostgresConnection) async throws -> Bool {
        guard let append = appends.first(where: { !$0.events.isEmpty }) else { return false }
        let event = append.events[0]
        let result = try await connection.query(
            "SELECT type FROM saga.event WHERE saga_id = $1 AND sequence = $2",
            [.uuid(append.saga.uuid), .int4(Int32(truncatingIfNeeded: event.sequence))], timeout: timeout)
        return try result.rows.first?.decode(0, as: Int16.self) == event.type
    }
}

/// The statements of one batch, with a saga's events and its row in arrays.
struct CommitStatements {
    let batch: [Append]
    let lease: Lease

    var statements: [PostgresStatement] { [events, rows, SagaAlerts.statement(of: batch)].compactMap { $0 } }

    private var events: PostgresStatement? {
        var sagas: [PostgresUUID?] = []
        var sequences: [Int32?] = []
        var causes: [Int32?] = []
        var types: [Int16?] = []
        var times: [PostgresTimestamp?] = []
        var data: [[UInt8]?] = []
        for append in batch {
            for event in append.events {
                sagas.append(append.saga.uuid)
                sequences.append(Int32(truncatingIfNeeded: event.sequence))
                causes.append(event.cause.map { Int32(truncatingIfNeeded: $0) })
                types.append(event.type)
                times.append(event.at.timestamp)
                data.append(event.data)
            }
        }
        if sagas.isEmpty { return nil }
        return PostgresStatement(
            """
            INSERT INTO saga.event (saga_id, sequence, cause, type, at, data)
            SELECT * FROM unnest($1::uuid[], $2::int4[], $3::int4[], $4::int2[], $5::timestamptz[], $6::json[])
            """,
            [
                .uuidArray(sagas), .int4Array(sequences), .int4Array(causes), .int2Array(types),
                .timestamptzArray(times), .jsonArray(data),
            ])
    }

    /// A due time that someone set on the owned row meanwhile outlives parking, and so does an event that was appended
    /// and whose due time the daemon has taken, but too late to read the history before this batch.
    private var rows: PostgresStatement? {
        var sagas: [PostgresUUID?] = []
        var statuses: [Int16?] = []
        var keeps: [Bool?] = []
        var dueTimes: [PostgresTimestamp?] = []
        var endTimes: [PostgresTimestamp?] = []
        var lastSequences: [Int32?] = []
        var awaited: [AwaitedService?] = []
        for append in batch {
            guard let row = append.row else { continue }
            sagas.append(append.saga.uuid)
            statuses.append(row.status.rawValue)
            keeps.append(row.hold == .keep)
            var service: AwaitedService?
            switch row.hold {
            case .keep:
                dueTimes.append(nil)
                endTimes.append(nil)
                lastSequences.append(nil)
            case .park(let dueAt, let lastSequence, let awaiting):
                service = awaiting
                dueTimes.append(dueAt?.timestamp ?? .infinity)
                endTimes.append(nil)
                lastSequences.append(Int32(truncatingIfNeeded: lastSequence))
            case .end(let at):
                dueTimes.append(nil)
                endTimes.append(at.timestamp)
                lastSequences.append(nil)
            }
            awaited.append(service)
        }
        guard let days = DayRange(batch.map(\.saga)) else { return nil }
        if sagas.isEmpty { return nil }
        return PostgresStatement(
            """
            UPDATE saga.state s SET status = new.status, ended_at = new.ended_at,
                owner = CASE WHEN new.keeps THEN s.owner END,
                due_at = CASE
                    WHEN new.keeps THEN s.due_at
                    WHEN new.ended_at IS NOT NULL THEN NULL
                    WHEN EXISTS (
                        SELECT FROM saga.event e WHERE e.saga_id = s.id AND e.sequence = new.last_sequence + 1
                            AND e.saga_id BETWEEN $11 AND $12) THEN clock_timestamp()
                    ELSE least(s.due_at, new.due_at)
                END,
                waits_for = new.waits_for, waits_attempts = new.waits_attempts, waits_since = new.waits_since
            FROM unnest($1::uuid[], $2::int2[], $3::bool[], $4::timestamptz[], $5::timestamptz[], $6::int4[],
                $8::int4[], $9::int2[], $10::timestamptz[]) AS new (
                id, status, keeps, due_at, ended_at, last_sequence, waits_for, waits_attempts, waits_since)
            WHERE s.id = new.id AND s.owner = $7 AND s.id BETWEEN $11 AND $12
            """,
            [
                .uuidArray(sagas), .int2Array(statuses), .boolArray(keeps), .timestamptzArray(dueTimes),
                .timestamptzArray(endTimes), .int4Array(lastSequences), .int4(lease.daemon),
                .int4Array(awaited.map { $0?.id.number }),
                .int2Array(awaited.map { $0.map { Int16(clamping: $0.attempts) } }),
                .timestamptzArray(awaited.map { $0?.since.timestamp }), .uuid(days.first), .uuid(days.last),
            ])
    }
}
