import JSON

/// Makes steps of what was read: applies `defaults` and what is built in.
struct StepAssembly {
    /// What one attempt may take when nothing is stated.
    static let builtInTimeout = TimeSpan.seconds(30)

    let drafts: [StepDraft]
    let defaults: StepDefaults
    let graph: StepGraph?
    let pivot: Int?
    let log: FindingLog

    /// The steps that are whole: all of them when the file has no errors.
    func steps() -> [Step] {
        drafts.enumerated().compactMap { index, draft in
            let action = draft.action.flatMap { self.action($0, index: index) }
            var compensation: Operation?
            if case .operation(let operation) = draft.compensation {
                compensation = self.compensation(operation)
            }
            guard let name = draft.name else { return nil }
            return Step(
                name: name,
                when: draft.when,
                action: action,
                compensation: compensation,
                compensateWhen: draft.compensateWhen ?? defaults.compensateWhen ?? .uncertain,
                isPivot: draft.isPivot
            )
        }
    }

    /// Steps after the pivot only go forward: they are tried again as compensations are.
    private func action(_ draft: OperationDraft, index: Int) -> Operation? {
        let isAfterPivot = pivot.map { graph?.ancestors[index].contains($0) ?? false } ?? false
        let retry =
            isAfterPivot
            ? PartialRetry.resolved(draft.retry, defaults: defaults.compensationRetry, builtIn: .compensation, log: log)
            : PartialRetry.resolved(draft.retry, defaults: defaults.retry, builtIn: .action, log: log)
        return operation(draft, timeout: defaults.timeout, retry: retry)
    }

    private func compensation(_ draft: OperationDraft) -> Operation? {
        let retry = PartialRetry.resolved(
            draft.retry,
            defaults: defaults.compensationRetry,
            builtIn: .compensation,
            log: log
        )
        return operation(draft, timeout: defaults.compensationTimeout, retry: retry)
    }

    private func operation(_ draft: OperationDraft, timeout: TimeSpan?, retry: RetryPolicy) -> Operation? {
        draft.kind.map {
            Operation(
                kind: $0,
                timeout: draft.timeout ?? timeout ?? Self.builtInTimeout,
                retry: retry,
                outcomes: draft.outcomes
            )
        }
    }
}
