import SagaPostgres

/// How much filters found, the first of it, and what is to be done to each.
struct BulkSummary {
    let found: FoundSagas
    let intention: String
    let terminal: Terminal

    var lines: [String] {
        var table = Table([
            .init("ID"), .init("SAGA", minimum: 8), .init("KEY", minimum: 8), .init("STATUS"),
            .init("STEP", minimum: 8), .init("ERROR", minimum: 12),
        ])
        for saga in found.sample {
            table.add([
                .init(saga.id.description), .init(saga.saga), .init(saga.key ?? ""),
                .init(saga.status.name, saga.status.style), .init(saga.step ?? ""), .init(saga.error ?? ""),
            ])
        }
        let title = "\(found.count) \(found.count == 1 ? "saga matches" : "sagas match")"
        let rest = found.count - found.sample.count
        return [terminal.paint(title, .bold)] + table.lines(for: terminal).map { "  \($0)" }
            + (rest > 0 ? ["  … and \(rest) more"] : []) + [intention]
    }
}
