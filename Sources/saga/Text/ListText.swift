import SagaCore

/// A list of sagas, for people.
struct ListText {
    let sagas: [StatusDocument]
    /// The database's clock.
    let now: Instant
    let terminal: Terminal

    var lines: [String] {
        if sagas.isEmpty { return [] }
        var table = Table([
            .init("ID"), .init("SAGA", minimum: 8), .init("STATUS"), .init("STARTED"), .init("KEY", minimum: 8),
            .init("FAILURE", minimum: 12),
        ])
        for saga in sagas {
            let failure = saga.failure.map { [$0.step, $0.error].compactMap { $0 }.joined(separator: ": ") }
            let paused = saga.isPaused && !saga.status.isEnded ? " (paused)" : ""
            table.add([
                .init(saga.id.description), .init(saga.saga), .init(saga.status.name + paused, saga.status.style),
                .init(saga.startedAt.relative(to: now)), .init(saga.key ?? ""), .init(failure ?? ""),
            ])
        }
        return table.lines(for: terminal)
    }
}
