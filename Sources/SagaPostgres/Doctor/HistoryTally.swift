import JSON
import SagaCore

/// What has been found so far: counts, and the first few of each kind.
struct HistoryTally: Sendable {
    /// One of those that have something in common.
    private struct Example {
        let id: SagaID
        let what: String
        let hasEnded: Bool
        /// What to do, where that depends on more than the kind.
        let advice: String?
    }

    /// Sagas that were looked at.
    private(set) var count = 0
    private var found: [(code: DoctorCode, count: Int, examples: [Example])] = []
    private static let shown = 20

    mutating func add(_ id: SagaID, _ verdict: HistoryVerdict, hasEnded: Bool) {
        count += 1
        switch verdict {
        case .sound: return
        case .hole(let text): note(.historyHole, id, text, hasEnded: hasEnded)
        case .unreadable(let text): note(.historyUnreadable, id, text, hasEnded: hasEnded)
        case .illegal(let text, let end):
            let advice = hasEnded ? nil : end.map { Self.ending(id, $0) }
            note(.historyIllegal, id, text, hasEnded: hasEnded, advice: advice)
        case .stateDiffers(let text, let repair):
            note(.stateDiffers, id, text, hasEnded: hasEnded, advice: repair)
        case .forgotten(let text): note(.sagasForgotten, id, text)
        case .viewDiffers(let text): note(.viewDiffers, id, text, hasEnded: hasEnded)
        }
    }

    /// Of a saga whose rows can't even be read from the database.
    mutating func addBroken(_ id: SagaID, _ reason: String) {
        count += 1
        note(
            .historyUnreadable, id, reason,
            advice:
                """
                somebody wrote into the tables: SELECT * FROM saga.state WHERE id = '\(id)'; \
                SELECT * FROM saga.event WHERE saga_id = '\(id)' ORDER BY sequence; put right what can't be, or \
                restore it from a backup
                """)
    }

    /// Of a saga whose definition was deleted or changed, as `DefinitionsCheck` tells of those that matter.
    mutating func addLost(_ id: SagaID, definition: Int32, isThere: Bool) {
        count += 1
        let what = isThere ? "was changed" : "isn't there"
        note(
            .historyUnreadable, id, "its definition, \(definition) in saga.definition, \(what)",
            advice: "restore that row of saga.definition, with its id, from a backup")
    }

    mutating func note(
        _ code: DoctorCode, _ id: SagaID, _ what: String, hasEnded: Bool = false, advice: String? = nil
    ) {
        let place = found.firstIndex { $0.code == code } ?? found.endIndex
        if place == found.endIndex { found.append((code, 0, [])) }
        found[place].count += 1
        if found[place].examples.count < Self.shown {
            found[place].examples.append(Example(id: id, what: what, hasEnded: hasEnded, advice: advice))
        }
    }

    /// Whether one more of that kind would be shown.
    func wantsExample(of code: DoctorCode) -> Bool {
        found.first { $0.code == code }.map { $0.examples.count < Self.shown } ?? true
    }

    /// - Parameter isCut: whether it ended before all were looked at.
    func findings(isDeep: Bool, isCut: Bool = false) -> [DoctorFinding] {
        let whole = isDeep ? "all of them" : "a sample; --deep looks at all"
        let scope = isCut ? "cut off" : whole
        if isCut, count == 0, found.isEmpty { return [] }
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
                "\(Self.claim(code, kind.count))\(Self.isOfSagas(code) ? " of \(count)" : "") (\(scope)): \(first.id): \(first.what)",
                advice: first.advice ?? Self.advice(code, kind.examples),
                data: [
                    "checked": .int(count), "deep": .bool(isDeep), "count": .int(kind.count),
                    "sagas": .array(
                        kind.examples.map { ["id": .string($0.id.description), "difference": .string($0.what)] }),
                ])
        }
    }

    /// Whether it is some of the sagas that were looked at; else sagas that aren't among them.
    private static func isOfSagas(_ code: DoctorCode) -> Bool { code != .stateMissing && code != .keyDangling }

    private static func claim(_ code: DoctorCode, _ count: Int) -> String {
        let sagas = DoctorText.count(count, "saga")
        return switch code {
        case .historyHole: "events are missing from the history of \(sagas)"
        case .historyUnreadable: "this program can't read the history of \(sagas)"
        case .historyIllegal: "events that can't follow one another are in the history of \(sagas)"
        case .stateDiffers: "the row differs from the events for \(sagas)"
        case .sagasForgotten: "no daemon looks at \(sagas) any more, or not in time"
        case .stateMissing: "\(sagas) \(count == 1 ? "has" : "have") events and no row in saga.state: nobody runs it"
        case .keyDangling: "\(DoctorText.count(count, "key leads", "keys lead")) to a saga that isn't there"
        case .keyDiffers: "saga.key and the row differ for \(sagas)"
        default: "the views differ from the events for \(sagas)"
        }
    }

    /// Of a saga that is over by its events and not by its row: no command changes it any more.
    private static func ending(_ id: SagaID, _ status: SagaStatus) -> String {
        """
        somebody wrote events by hand, or it is a defect: keep the output of saga events \(id) --format json and report \
        it; its events end it, and its row doesn't: as the schema's owner UPDATE saga.state SET status = \
        \(status.rawValue), ended_at = (SELECT max(at) FROM saga.event WHERE saga_id = '\(id)' AND type IN (14, 15, \
        22)), owner = NULL, due_at = NULL WHERE id = '\(id)';
        """
    }

    private static func advice(_ code: DoctorCode, _ examples: [Example]) -> String {
        guard let example = examples.first else { return "" }
        let id = example.id
        let settled = "it has ended, so nothing acts on it any more, and it goes with its day (saga prune)"
        return switch code {
        case .historyHole:
            "somebody deleted events: restore them from a backup"
                + (example.hasEnded
                    ? "; \(settled)" : ", or undo by hand what it did and run saga terminate \(id) --reason TEXT")
        case .historyUnreadable: "run the newest version of Saga that worked on this database, then saga events \(id)"
        case .historyIllegal:
            "somebody wrote events by hand, or it is a defect: keep the output of saga events \(id) --format json and "
                + "report it; "
                + (example.hasEnded
                    ? "see whether what it did is right; \(settled)"
                    : "see what it did, put that right by hand and run saga terminate \(id) --reason TEXT")
        case .sagasForgotten:
            """
            somebody wrote into the tables; as the schema's owner: UPDATE saga.state SET due_at = now() WHERE owner IS \
            NULL AND id IN (\(examples.map { "'\($0.id)'" }.joined(separator: ", ")));
            """
        case .stateMissing:
            """
            somebody deleted the row: restore it from a backup; what the saga did until then: SELECT * FROM saga.event \
            WHERE saga_id = '\(id)' ORDER BY sequence;
            """
        case .keyDiffers:
            """
            somebody wrote into the tables; compare, and put the wrong one right as the schema's owner: SELECT \
            s.key, k.* FROM saga.state s LEFT JOIN saga.key k ON k.key = s.key OR k.saga_id = s.id WHERE s.id = '\(id)';
            """
        default:
            """
            somebody wrote into the tables, or it is a defect: keep the output of saga events \(id) --format json and \
            report it
            """
        }
    }
}
