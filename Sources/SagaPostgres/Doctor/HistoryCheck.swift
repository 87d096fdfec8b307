import JSON
import PostgresClient
import SagaCore
import SagaEngine

/// Folds sagas from their events and compares them with their rows and views: state equals the fold, always.
///
/// Each batch is read in one short transaction, so its rows, events and views are of one moment, and no snapshot lasts.
struct HistoryCheck: DoctorCheck {
    static let code = DoctorCode.history

    /// Whether all sagas are looked at, not just a sample.
    let isDeep: Bool

    func findings(in database: DoctorDatabase) async throws(PostgresError) -> [DoctorFinding] {
        var tally = HistoryTally()
        try await look(database, &tally)
        return tally.findings(isDeep: isDeep)
    }

    /// What was found before it was cut off is told all the same.
    func examine(in database: DoctorDatabase, _ findings: inout [DoctorFinding]) async throws(PostgresError) {
        var tally = HistoryTally()
        do throws(PostgresError) { try await look(database, &tally) } catch {
            findings += tally.findings(isDeep: isDeep, isCut: true)
            throw error
        }
        findings += tally.findings(isDeep: isDeep)
    }

    private func look(_ database: DoctorDatabase, _ tally: inout HistoryTally) async throws(PostgresError) {
        var (definitions, changed): ([Int32: Definition?], Set<Int32>) = ([:], [])
        guard !isDeep else {
            var last = PostgresUUID(high: 0, low: 0)
            while true {
                let ids = try await Self.ids(
                    database, "SELECT id FROM saga.state WHERE id > $1 ORDER BY id LIMIT $2",
                    [.uuid(last), .int8(Int64(database.limits.batch))])
                let end = ids.last ?? PostgresUUID(high: .max, low: .max)
                try await StrayRows.findEvents(after: last, through: end, database, &tally)
                if ids.isEmpty { break }
                last = end
                try await compare(ids, database, &definitions, &changed, &tally)
            }
            return try await StrayRows.findKeys(database, &tally)
        }
        let ids = try await Self.ids(
            database,
            """
            (SELECT id FROM saga.state WHERE owner IS NOT NULL OR due_at IS NOT NULL ORDER BY id LIMIT $1)
            UNION (SELECT id FROM saga.state ORDER BY id DESC LIMIT $1) ORDER BY id
            """, [.int8(Int64(database.limits.sample))])
        var start = 0
        while start < ids.count {
            let end = min(ids.count, start + max(1, database.limits.batch))
            try await compare(Array(ids[start..<end]), database, &definitions, &changed, &tally)
            start = end
        }
    }

    private static func ids(
        _ database: DoctorDatabase, _ sql: String, _ parameters: [PostgresValue]
    ) async throws(PostgresError) -> [PostgresUUID] {
        var ids: [PostgresUUID] = []
        for row in try await database.rows(sql, parameters) { ids.append(try row.decode(0)) }
        return ids
    }

    private func compare(
        _ ids: [PostgresUUID], _ database: DoctorDatabase, _ definitions: inout [Int32: Definition?],
        _ changed: inout Set<Int32>, _ tally: inout HistoryTally
    ) async throws(PostgresError) {
        let batch: HistoryBatch
        do throws(PostgresError) { batch = try await HistoryBatch.read(ids, database) } catch {
            guard error.isOfRows else { throw error }
            // One row that can't be read hides none of the others.
            guard ids.count > 1 else {
                if let id = ids.first { tally.addBroken(SagaID(id), error.message) }
                return
            }
            let middle = ids.count / 2
            try await compare(Array(ids[..<middle]), database, &definitions, &changed, &tally)
            return try await compare(Array(ids[middle...]), database, &definitions, &changed, &tally)
        }
        let missing = Set(batch.sagas.map(\.definition)).filter { definitions[$0] == nil }.sorted()
        for row in try await database.rows(
            "SELECT id, document, digest FROM saga.definition WHERE id = ANY ($1)", [.int4Array(missing)])
        {
            let definition = DefinitionParser.parse(try row.decode(1, as: [UInt8].self), checks: .stored).definition
            let id = try row.decode(0, as: Int32.self)
            definitions.updateValue(definition, forKey: id)
            if let definition, definition.digest.bytes != (try row.decode(2, as: [UInt8].self)) { changed.insert(id) }
        }
        for saga in batch.sagas {
            let verdict = saga.verdict(
                definition: definitions[saga.definition].flatMap { $0 }, now: batch.readAt,
                grace: database.limits.forgotten)
            if case .unreadable = verdict, saga.saga == nil || changed.contains(saga.definition) {
                tally.addLost(saga.id, definition: saga.definition, isThere: saga.saga != nil)
            } else {
                tally.add(saga.id, verdict, hasEnded: saga.endedAt != nil)
            }
            if let fault = saga.keyFault { tally.note(.keyDiffers, saga.id, fault) }
        }
    }
}

extension PostgresError {
    /// Whether it is about what some row holds: it can't be decoded, or an expression fails on it.
    fileprivate var isOfRows: Bool { kind == .decoding || sqlState?.hasPrefix("22") == true }
}
