/// Finds what a definition states in vain: steps and compensations that never run, services that nobody calls.
struct UseChecks {
    let drafts: [StepDraft]
    let steps: [Step]
    let graph: StepGraph
    let pivot: Int?
    let log: FindingLog

    func check(_ services: ServiceTable) {
        for index in steps.indices {
            checkWhen(of: index)
            checkCompensation(of: index)
        }
        checkServices(services)
    }

    /// Finds a `when` that decides nothing.
    ///
    /// A step is always reached, since what comes before it succeeds or is skipped: the only one that never runs is one
    /// whose `when` is always false.
    private func checkWhen(of index: Int) {
        let draft = drafts[index]
        switch draft.constantWhen {
        case true?:
            log.warning(
                .noEffect, at: draft.whenOffset, "`when` has no effect: it is always true", hint: "leave it out")
        case false?:
            log.warning(.neverRuns, at: draft.whenOffset, "\(draft.title) never runs: its `when` is always false")
        case nil: break
        }
    }

    private func checkCompensation(of index: Int) {
        let draft = drafts[index]
        guard steps[index].compensation != nil, draft.constantWhen != false else { return }
        if let pivot, graph.ancestors[index].contains(pivot) {
            log.warning(
                .compensationNeverRuns,
                at: draft.compensationOffset,
                "the compensation of \(draft.title) never runs: the step comes after the pivot `\(steps[pivot].name)`",
                hint: "leave it out"
            )
        }
    }

    private func checkServices(_ services: ServiceTable) {
        var isUsed = Array(repeating: false, count: services.services.count)
        for operation in steps.flatMap({ [$0.action, $0.compensation] }) {
            if case .http(let http)? = operation?.kind, isUsed.indices.contains(http.service) {
                isUsed[http.service] = true
            }
        }
        for (index, offset) in services.offsets.enumerated() where !isUsed[index] {
            log.warning(
                .unusedService,
                at: offset,
                "no step calls the service `\(services.services[index].name)`",
                hint: "leave it out"
            )
        }
    }
}
