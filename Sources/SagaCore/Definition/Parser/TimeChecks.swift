/// Compares the times of a definition with each other: what the retries of a step take, the deadline, and how long
/// a step is tried on which everything depends.
struct TimeChecks {
    /// Shorter than this an outage is nothing unusual: a step that nobody can undo any more should outlast it.
    static let leastAfterPivot = TimeSpan.minutes(10)

    let drafts: [StepDraft]
    let steps: [Step]
    let graph: StepGraph
    let pivot: Int?
    let deadline: TimeSpan?
    /// Where the `deadline` stands.
    let deadlineOffset: Int
    let log: FindingLog

    func check() {
        var isReported = false
        for index in steps.indices {
            guard let action = steps[index].action, case .http = action.kind else { continue }
            if isAfterPivot(index) {
                checkRetry(action, of: index)
            } else if let deadline, checkDeadline(deadline, action, of: index) {
                isReported = true
            }
        }
        if let deadline, !isReported { checkLongestWay(deadline) }
    }

    private func isAfterPivot(_ index: Int) -> Bool { pivot.map { graph.ancestors[index].contains($0) } ?? false }

    // MARK: After the pivot

    private func checkRetry(_ action: Operation, of index: Int) {
        let retry = action.retry
        guard retry.maximumAttempts > 0 else { return }
        let sum = retry.longestWait
        guard sum < Self.leastAfterPivot else { return }
        log.warning(
            .retryTooShortAfterPivot,
            at: drafts[index].action?.retry?.offset ?? drafts[index].offset,
            "\(drafts[index].title) comes after the pivot and can't be undone, but is given up after "
                + attempts(retry) + (sum > .zero ? " and at most \(sum.written) of waiting" : "")
                + "; then the saga is stuck",
            hint: "write \"maximumAttempts\": 0 for no limit, or more attempts"
        )
    }

    // MARK: The deadline

    /// - Returns: whether there was something to report.
    private func checkDeadline(_ deadline: TimeSpan, _ action: Operation, of index: Int) -> Bool {
        let draft = drafts[index].action
        let retry = action.retry
        if action.timeout > deadline {
            log.warning(
                .deadlineTooShort,
                at: draft?.timeoutOffset ?? drafts[index].offset,
                "one attempt of \(drafts[index].title) may take \(action.timeout.written), longer than the saga's "
                    + "`deadline` of \(deadline.written)",
                hint: draft?.timeoutOffset == nil
                    ? "lengthen the deadline, or give the action a shorter `timeout`"
                    : "lengthen the deadline, or shorten the `timeout`"
            )
            return true
        }
        let offset = draft?.retry?.offset ?? drafts[index].offset
        if retry.maximumAttempts != 1, retry.delay(afterFailures: 1) >= deadline {
            log.warning(
                .deadlineTooShort,
                at: offset,
                "\(drafts[index].title) waits up to \(retry.delay(afterFailures: 1).written) before its second attempt: "
                    + "by then the saga's `deadline` of \(deadline.written) has passed",
                hint: "lengthen the deadline, or shorten `initialInterval`"
            )
            return true
        }
        guard retry.maximumAttempts > 0 else { return false }
        let calls = TimeSpan.scaled(Int64(retry.maximumAttempts), action.timeout.microseconds)
        let sum = calls.adding(retry.longestWait)
        guard sum > deadline else { return false }
        log.warning(
            .deadlineTooShort,
            at: offset,
            "\(attempts(retry)) of \(drafts[index].title) may take \(sum.written) (\(calls.written) of calls, "
                + "\(retry.longestWait.written) of waiting), longer than the saga's `deadline` of \(deadline.written)",
            hint: "lengthen the deadline, or shorten `timeout` or `retry`"
        )
        return true
    }

    /// The longest way to the pivot, or to the end, with a single attempt of each step.
    private func checkLongestWay(_ deadline: TimeSpan) {
        var ends = Array(repeating: TimeSpan.zero, count: steps.count)
        for index in graph.topologicalOrder where !isAfterPivot(index) {
            let start = graph.predecessors[index].map { ends[$0] }.max() ?? .zero
            var own = TimeSpan.zero
            if let action = steps[index].action, case .http = action.kind { own = action.timeout }
            ends[index] = start.adding(own)
        }
        guard let longest = ends.max(), longest > deadline else { return }
        log.warning(
            .deadlineTooShort,
            at: deadlineOffset,
            "the steps may take \(longest.written) one after the other without any being tried again, longer than "
                + "the `deadline` of \(deadline.written)",
            hint: "lengthen it, or shorten timeouts"
        )
    }

    private func attempts(_ retry: RetryPolicy) -> String {
        retry.maximumAttempts == 1 ? "one attempt" : "\(retry.maximumAttempts) attempts"
    }
}

extension RetryPolicy {
    /// The sum of all delays at most, without jitter's shortening; zero when there is no limit to attempts.
    fileprivate var longestWait: TimeSpan {
        let delays = maximumAttempts - 1
        guard delays > 0 else { return .zero }
        // By then most policies have reached their longest delay; what still grows is counted short.
        let counted = min(delays, 500)
        var sum = TimeSpan.zero
        for failures in 1...counted { sum = sum.adding(delay(afterFailures: failures)) }
        return sum.adding(.scaled(Int64(delays - counted), delay(afterFailures: counted).microseconds))
    }
}

extension TimeSpan {
    /// The sum, saturating.
    fileprivate func adding(_ other: TimeSpan) -> TimeSpan {
        let (sum, overflow) = microseconds.addingReportingOverflow(other.microseconds)
        return TimeSpan(microseconds: overflow ? .max : sum)
    }
}
