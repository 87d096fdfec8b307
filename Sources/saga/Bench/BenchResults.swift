import SagaCore
import SagaPostgres

/// What became of a run's sagas, all of which ended as they should.
struct BenchResults: Sendable, Hashable {
    /// From the start to the end of each saga in microseconds, shortest first; from when it was due, if it was.
    let latencies: [Int64]
    let lastEnd: Instant
    let events: Int
    /// How late the latest start was, in microseconds; nil without times at which they were due.
    let behind: Int64?

    /// Checks the ends.
    ///
    /// - Parameter due: when a saga's start was due, by the database's clock; nil for starts as fast as they go.
    /// - Throws: `CommandFailure` that says what was wrong: figures of such a run mean nothing.
    init(
        of ends: [BenchDatabase.End],
        settings: BenchSettings,
        due: (SagaID) -> Instant?
    ) throws(CommandFailure) {
        try Self.check(ends, settings)
        var latencies: [Int64] = []
        latencies.reserveCapacity(ends.count)
        var (last, behind): (Instant?, Int64?) = (nil, nil)
        for end in ends {
            guard let endedAt = end.endedAt else { continue }
            // A start can't be early; if it seems so, that is how exactly two clocks can be compared.
            let lateness = due(end.id).map { max(0, (end.startedAt - $0).microseconds) }
            if let lateness { behind = max(behind ?? 0, lateness) }
            latencies.append((endedAt - end.startedAt).microseconds + (lateness ?? 0))
            last = max(last ?? endedAt, endedAt)
        }
        latencies.sort()
        self.latencies = latencies
        self.behind = behind
        lastEnd = last ?? Instant(microseconds: 0)
        events = ends.reduce(0) { $0 + $1.events }
    }

    /// The latency in milliseconds that so many percent of the sagas didn't exceed: the nearest rank, no interpolation.
    func percentile(_ percent: Int) -> Double? {
        guard !latencies.isEmpty else { return nil }
        let rank = (latencies.count * percent + 99) / 100
        return Double(latencies[min(max(rank, 1), latencies.count) - 1]) / 1_000
    }

    private static func check(_ ends: [BenchDatabase.End], _ settings: BenchSettings) throws(CommandFailure) {
        guard ends.count == settings.sagas else {
            throw CommandFailure("\(settings.sagas) sagas were started, but \(ends.count) are in the database")
        }
        let wrong = ends.filter { $0.status != .completed || $0.endedAt == nil }
        if let example = wrong.first {
            let counts = SagaStatus.allCases.compactMap { status -> String? in
                let count = wrong.count { $0.status == status }
                return count > 0 ? "\(count) \(status.name)" : nil
            }
            throw CommandFailure(
                "\(wrong.count) of \(settings.sagas) sagas aren't completed (\(counts.joined(separator: ", "))), such as "
                    + "\(example.id): look at it with saga events"
            )
        }
        let odd = ends.filter { $0.events != settings.eventsPerSaga }
        if let example = odd.first {
            throw CommandFailure(
                "\(odd.count) of \(settings.sagas) sagas don't have \(settings.eventsPerSaga) events (a step was tried "
                    + "again, or events are missing or twice), such as \(example.id) with \(example.events)"
            )
        }
    }
}
