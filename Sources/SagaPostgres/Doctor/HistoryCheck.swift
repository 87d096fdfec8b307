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
        var definitions: [Int32: Definition?] = [:]
        if isDeep {
            var last = PostgresUUID(high: 0, low: 0)
            while true {
                let ids = try await Self.ids(
                    database, "SELECT id FROM saga.state WHERE id > $1 ORDER BY id LIMIT $2",
                    [.uuid(last), .int8(Int64(database.limits.batch))])
                guard let end = ids.last else { break }
                last = end
                try await compare(ids, database, &definitions, &tally)
            }
        } else {
            let ids = try await Self.ids(
                database,
                """
                (SELECT id FROM saga.state WHERE owner IS NOT NULL OR due_at IS NOT NULL ORDER BY id LIMIT $1)
                UNION (SELECT id FROM saga.state ORDER BY id DESC LIMIT $1) ORDER BY id
                """, [.int8(Int64(database.limits.sample))])
            var start = 0
            while start < ids.count {
                let end = min(ids.count, start + max(1, database.limits.batch))
                try await compare(Array(ids[start..<end]), database, &definitions, &tally)
                start = end
            }
        }
        return tally.findings(isDeep: isDeep)
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
        _ tally: inout HistoryTally
    ) async throws(PostgresError) {
        let batch = try await HistoryBatch.read(ids, database)
        let missing = Set(batch.sagas.map(\.definition)).filter { definitions[$0] == nil }.sorted()
        for row in try await database.rows(
            "SELECT id, document FROM saga.definition WHERE id = ANY ($1)", [.int4Array(missing)])
        {
            definitions.updateValue(
                DefinitionParser.parse(try row.decode(1, as: [UInt8].self), checks: .stored).definition,
                forKey: try row.decode(0))
        }
        for saga in batch.sagas {
            tally.add(saga.id, saga.verdict(definition: definitions[saga.definition].flatMap { $0 }))
        }
    }
}

/// What has been found so far: counts, and the first few of each kind.
struct HistoryTally: Sendable {
    private(set) var count = 0
    private var found: [(code: DoctorCode, count: Int, examples: [(id: SagaID, what: String)])] = []
    private static let shown = 20

    mutating func add(_ id: SagaID, _ verdict: HistoryVerdict) {
        count += 1
        let (code, what): (DoctorCode, String)
        switch verdict {
        case .sound: return
        case .hole(let text): (code, what) = (.historyHole, text)
        case .unreadable(let text): (code, what) = (.historyUnreadable, text)
        case .stateDiffers(let text): (code, what) = (.stateDiffers, text)
        case .viewDiffers(let text): (code, what) = (.viewDiffers, text)
        }
        let place = found.firstIndex { $0.code == code } ?? found.endIndex
        if place == found.endIndex { found.append((code, 0, [])) }
        found[place].count += 1
        if found[place].examples.count < Self.shown { found[place].examples.append((id, what)) }
    }

    func findings(isDeep: Bool) -> [DoctorFinding] {
        let scope = isDeep ? "all of them" : "a sample; --deep looks at all"
        guard !found.isEmpty else {
            return [
                DoctorFinding(
                    .history, .ok,
                    """
                    \(DoctorText.count(count, "saga is", "sagas are")) what \(count == 1 ? "its" : "their") events \
                    say (\(scope))
                    """,
                    data: ["checked": .int(count), "deep": .bool(isDeep)])
            ]
        }
        return DoctorCode.allCases.compactMap { code in
            guard let kind = found.first(where: { $0.code == code }), let first = kind.examples.first else {
                return nil
            }
            return DoctorFinding(
                code, .error,
                "\(Self.claim(code, kind.count)) of \(count) (\(scope)): \(first.id): \(first.what)",
                advice: Self.advice(code, first.id),
                data: [
                    "checked": .int(count), "deep": .bool(isDeep), "count": .int(kind.count),
                    "sagas": .array(
                        kind.examples.map { ["id": .string($0.id.description), "difference": .string($0.what)] }),
                ])
        }
    }

    private static func claim(_ code: DoctorCode, _ count: Int) -> String {
        switch code {
        case .historyHole: "events are missing from the history of \(DoctorText.count(count, "saga"))"
        case .historyUnreadable: "this program can't read the history of \(DoctorText.count(count, "saga"))"
        case .stateDiffers: "the row differs from the events for \(DoctorText.count(count, "saga"))"
        default: "the views differ from the events for \(DoctorText.count(count, "saga"))"
        }
    }

    private static func advice(_ code: DoctorCode, _ id: SagaID) -> String {
        switch code {
        case .historyHole:
            """
            somebody deleted events: restore them from a backup, or undo by hand what it did and run saga terminate \
            \(id) --reason TEXT
            """
        case .historyUnreadable: "run the newest version of Saga that worked on this database, then saga events \(id)"
        default:
            """
            somebody wrote into the tables, or it is a defect: keep the output of saga events \(id) --format json and \
            report it
            """
        }
    }
}
