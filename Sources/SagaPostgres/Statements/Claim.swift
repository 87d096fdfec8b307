import PostgresClient
import SagaCore
import SagaEngine

extension PostgresStore {
    /// Long enough that asking costs the daemon next to nothing; short enough that no log of slow statements fills up, and
    /// that who changes partitions, and waits 100 to 200 ms for their locks, gets them.
    private static let longestWait = TimeSpan.milliseconds(100)

    /// The server does the waiting. Nothing is locked or written, and no transaction lasts.
    public func waitForDueSagas(
        _ lease: Lease, every interval: TimeSpan, upTo limit: TimeSpan
    ) async throws(StoreError) -> Bool {
        let isWide = wideLooks.isDue()
        do throws(PostgresError) {
            let result = try await pool.query(
                "SELECT saga.wait_for_work($1, $2 * interval '1 us', $3 * interval '1 us', $4)",
                [
                    .int4(lease.daemon), .int8(interval.microseconds),
                    .int8(min(limit, Self.longestWait).microseconds),
                    .bool(isWide),
                ], timeout: timeout)
            let found = try result.rows.first?.decode(0, as: Bool.self) ?? false
            if found, isWide { wideLooks.mayHaveMore = true }
            return found
        } catch {
            // Nobody waits any more: a daemon that stops has nothing to warn of.
            if error.kind == .cancelled { return false }
            await aimAnew(after: error)
            throw StoreError(error)
        }
    }

    /// Somebody has dropped or detached a day by hand that the functions name: the next call finds them written anew, if
    /// this daemon's role may.
    private func aimAnew(after error: PostgresError) async {
        guard error.sqlState == "42P01" else { return }
        _ = try? await pool.query("SELECT saga.aim_probe()", timeout: timeout)
    }

    public func reclaim(_ lease: Lease, except known: [SagaID: Int]) async throws(StoreError) {
        let known = known.sorted { $0.key < $1.key }
        do throws(PostgresError) {
            _ = try await fenced(
                lease,
                [
                    PostgresStatement(
                        """
                        UPDATE saga.state s SET due_at = clock_timestamp()
                        FROM (
                            SELECT o.id FROM saga.state o
                            LEFT JOIN unnest($2::uuid[], $3::int4[]) AS known (id, sequence) ON known.id = o.id
                            WHERE o.owner = $1 AND o.due_at IS NULL AND (known.id IS NULL OR EXISTS (
                                SELECT FROM saga.event e WHERE e.saga_id = o.id
                                    AND e.sequence = known.sequence + 1 AND e.type BETWEEN 17 AND 23))
                        ) missed
                        WHERE s.id = missed.id AND s.owner = $1
                        """,
                        [
                            .int4(lease.daemon), .uuidArray(known.map(\.key.uuid)),
                            .int4Array(known.map { Int32(truncatingIfNeeded: $0.value) }),
                        ])
                ])
        } catch {
            throw StoreError(error)
        }
    }

    /// Skips what another daemon is claiming. On an owned row a due time means that something was appended from
    /// outside; taking it resets that, before the history is read. Claims go on being wide while sagas of earlier days are
    /// due, so that these aren't kept waiting by those of today.
    public func claim(_ lease: Lease, limit: Int, ownLimit: Int) async throws(StoreError) -> [SagaID] {
        let isWide = wideLooks.mayHaveMore
        do throws(PostgresError) {
            let results = try await fenced(
                lease,
                [
                    PostgresStatement(
                        "SELECT saga.claim($1, $2, $3, $4)",
                        [.int4(lease.daemon), .int8(Int64(limit)), .int8(Int64(ownLimit)), .bool(isWide)])
                ])
            var ids: [SagaID] = []
            var hasMore = false
            for row in results.first?.rows ?? [] {
                if let id = try row.decode(0, as: PostgresUUID?.self) {
                    ids.append(SagaID(id))
                } else {
                    hasMore = true
                }
            }
            if isWide { wideLooks.mayHaveMore = hasMore }
            return ids.sorted()
        } catch {
            await aimAnew(after: error)
            throw StoreError(error)
        }
    }
}
