import SagaCore

/// What must be so of every run of a fleet, by the ledger of what really happened.
///
/// Three things are nobody's fault: what a person said of a step isn't held against the engine; `compensateWhen:
/// succeeded` leaves the effect of a step whose answer was lost, as documented; and a call that a daemon sends after it
/// stood still comes when it comes, so that only the participant's guard is left.
struct FleetChecks {
    let ledger: FleetLedger.State
    let plan: FleetPlan

    init(_ ledger: FleetLedger.State, plan: FleetPlan) {
        self.ledger = ledger
        self.plan = plan
    }

    /// All that is wrong, each a sentence.
    var problems: [String] {
        ledger.sagas.indices.flatMap { saga in
            (historyProblems(saga) + effectProblems(saga) + callProblems(saga)).map { "saga \(saga): \($0)" }
        } + FleetServiceChecks(ledger, plan: plan).problems
    }

    private func definition(_ saga: Int) -> Definition { plan.definitions[ledger.sagas[saga].definition] }

    private func isHalting(_ saga: Int) -> Bool { plan.isHalting[ledger.sagas[saga].definition] }

    private func state(_ saga: Int) -> SagaState? {
        SagaState(
            folding: ledger.sagas[saga].history.map(\.event), id: ledger.sagas[saga].id, key: nil,
            definition: definition(saga))
    }

    // MARK: Events

    private struct Attempt: Hashable {
        let operation: OperationReference
        let number: Int
    }

    private func historyProblems(_ saga: Int) -> [String] {
        let definition = definition(saga)
        var problems: [String] = []
        var begun: Set<Attempt> = []
        var ended: Set<Attempt> = []
        var succeeded: Set<OperationReference> = []
        var undone: Set<Int> = []
        var lostCallsEnd = Instant(microseconds: .min)
        let history = ledger.sagas[saga].history.map(\.event)
        guard
            var state = SagaState(
                folding: history.prefix(1), id: ledger.sagas[saga].id, key: nil, definition: definition)
        else { return ["its history doesn't begin with a start"] }
        for recorded in history.dropFirst() {
            let place = "event \(recorded.sequence)"
            if state.status.isEnded, recorded.event.type != .sagaCompensationRequested {
                problems.append("\(place) comes after its end")
            }
            switch recorded.event {
            case .started(let operation, let attempt):
                if !begun.insert(Attempt(operation: operation, number: attempt)).inserted {
                    problems.append("\(place) begins an attempt that was begun before")
                }
                if operation.side == .compensation, undone.insert(operation.step).inserted {
                    problems += orderProblems(operation.step, state, definition, isHalting(saga)).map {
                        "\(place): \($0)"
                    }
                }
                if operation.side == .compensation, recorded.at < lostCallsEnd {
                    problems.append("\(place) undoes while a lost call may still arrive")
                }
                if operation.side == .compensation, state.steps.contains(where: { $0.action.isRunning }) {
                    problems.append("\(place) undoes while an action is under way")
                }
                if operation.side == .action, undone.contains(operation.step) {
                    problems.append("\(place) begins an action after its undo")
                }
            case .succeeded(let operation, let attempt, _):
                if !succeeded.insert(operation).inserted { problems.append("\(place) is a second success") }
                if attempt > 0, !ended.insert(Attempt(operation: operation, number: attempt)).inserted {
                    problems.append("\(place) is a second outcome of an attempt")
                }
            case .attemptFailed(let operation, let failure, _), .failed(let operation, let failure):
                if failure.error == EngineError.daemonLost, operation.side == .action,
                    case .running(_, let since) = state[operation].phase
                {
                    lostCallsEnd = max(lostCallsEnd, since + (definition.operation(operation)?.timeout ?? .zero))
                }
                if failure.error != EngineError.expression,
                    !ended.insert(Attempt(operation: operation, number: failure.attempt)).inserted
                {
                    problems.append("\(place) is a second outcome of an attempt")
                }
            default: break
            }
            state.evolve(recorded, definition: definition)
        }
        problems += decisionProblems(saga)
        // What the doctor would say of it.
        if let fault = HistoryOrder.fault(of: history, id: ledger.sagas[saga].id, definition: definition) {
            problems.append(fault)
        }
        if let row = ledger.sagas[saga].rowStatus, row != state.status {
            problems.append("its row says \(row.name), its events say \(state.status.name)")
        }
        return problems
    }

    private func decisionProblems(_ saga: Int) -> [String] {
        let definition = definition(saga)
        let history = ledger.sagas[saga].history
        let start = SagaState(
            folding: history.prefix(1).map(\.event), id: ledger.sagas[saga].id, key: nil, definition: definition)
        guard let start else { return [] }
        let sent = ledger.sent.filter { $0.saga == saga }
        return FleetDecisionChecks(
            history, from: start, sent: sent, definition: definition, isHalting: isHalting(saga)
        ).problems + leavingProblems(history)
    }

    /// What a daemon has begun it ends; one that leaves tells that it doesn't know: nobody has to find out.
    private func leavingProblems(_ history: [FleetLedger.Written]) -> [String] {
        // One whose content is refused is let go at once.
        if ledger.coverage[.commitRefused] > 0 { return [] }
        var begun: [OperationReference: Int32] = [:]
        var problems: [String] = []
        for written in history {
            switch written.event.event {
            case .started(let operation, _): begun[operation] = written.by
            case .attemptFailed(let operation, let failure, _), .failed(let operation, let failure):
                guard failure.error == EngineError.daemonLost, let lease = begun[operation],
                    let incarnation = ledger.incarnations[lease]
                else { continue }
                let place = "event \(written.event.sequence)"
                if lease == written.by {
                    if ledger.leaving.contains(incarnation.daemon) { continue }
                    problems.append("\(place) gives up a call that lease \(lease) itself has begun")
                } else if incarnation.hasLeft {
                    problems.append("\(place) finds a call that lease \(lease) left without a word")
                }
            default: continue
            }
        }
        return problems
    }

    /// Everything that came after a step is undone before it, and nothing past the point of no return.
    private func orderProblems(
        _ step: Int, _ state: SagaState, _ definition: Definition, _ isHalting: Bool
    ) -> [String] {
        var problems: [String] = []
        let name = definition.steps[step].name
        if state.isPastPivot(in: definition) { problems.append("\(name) is undone past the point of no return") }
        for later in definition.graph.descendants[step] where state.mustBeUndone(step: later, in: definition) {
            switch state.steps[later].compensation.phase {
            case .succeeded: continue
            case .failed where !isHalting: continue
            default: problems.append("\(name) is undone before \(definition.steps[later].name), which came after it")
            }
        }
        return problems
    }

    // MARK: Effects

    private func effectProblems(_ saga: Int) -> [String] {
        var problems: [String] = []
        var standing: [String: Set<String>] = [:]
        var closed: Set<String> = []
        for effect in ledger.effects where effect.saga == saga {
            if let action = effect.compensates {
                if effect.kind == .undone || effect.kind == .tombstone { closed.insert(action) }
                standing[effect.step]?.remove(action)
            } else if effect.kind == .done {
                if closed.contains(effect.key) { problems.append("\(effect.step) has its effect after its undo") }
                standing[effect.step, default: []].insert(effect.key)
            }
        }
        guard let state = state(saga) else { return problems }
        let definition = definition(saga)
        for (index, step) in definition.steps.enumerated() where !isResolved(saga, index) {
            let stands = !(standing[step.name] ?? []).isEmpty
            switch state.status {
            case .completed where hasEffect(step) && !state.steps[index].isSkipped && !stands:
                problems.append("\(step.name) has no effect, though the saga is completed")
            case .compensated where stands && step.compensation != nil:
                if step.compensateWhen == .succeeded, state.steps[index].outcome != .done { continue }
                problems.append("\(step.name) still has its effect, though the saga is compensated")
            default: continue
            }
        }
        return problems
    }

    private func hasEffect(_ step: Step) -> Bool {
        guard case .http(let http)? = step.action?.kind else { return false }
        return http.method != "GET"
    }

    private func isResolved(_ saga: Int, _ step: Int) -> Bool {
        ledger.sagas[saga].history.contains {
            if case .stepResolved(let operation, _, _, _) = $0.event.event { operation.step == step } else { false }
        }
    }

    // MARK: Calls

    private func callProblems(_ saga: Int) -> [String] {
        var problems: [String] = []
        var last: [OperationReference: FleetLedger.Sent] = [:]
        for sent in ledger.sent where sent.saga == saga {
            let operation = sent.call.operation
            let name = "\(sent.call.stepName):\(operation.side.rawValue)"
            if let before = last[operation] {
                if before.call.idempotencyKey != sent.call.idempotencyKey {
                    problems.append("the key of \(name) changes")
                }
                let isLetGo = ledger.sagas[saga].setAsideAt.map { $0 >= before.at } ?? false
                if before.endedAt.map({ $0 > sent.at }) ?? true, !isLetGo, !isLost(before, by: sent.at),
                    !isLost(sent, by: sent.at)
                {
                    problems.append("\(name) #\(sent.call.attempt) goes out while #\(before.call.attempt) is under way")
                }
            }
            if let lease = sent.lease, ledger.incarnations[lease]?.daemon != sent.daemon {
                problems.append("\(name) #\(sent.call.attempt) goes out from a daemon that didn't decide on it")
            }
            if isLost(sent, by: sent.askedAt) {
                problems.append("\(name) #\(sent.call.attempt) goes out after its daemon's lease has ended")
            }
            if isTooLong(sent) {
                problems.append("\(name) #\(sent.call.attempt) may last longer than an undo waits for it")
            }
            last[operation] = sent
        }
        return problems
    }

    /// Whether the call was given more time than was left of its attempt's.
    private func isTooLong(_ sent: FleetLedger.Sent) -> Bool {
        guard let decided = sent.decidedAt, let timeout = definition(sent.saga).operation(sent.call.operation)?.timeout
        else { return false }
        return sent.askedAt + sent.call.timeout > decided + timeout + ledger.skew
    }

    /// Whether the lease under which the call was made had ended.
    private func isLost(_ sent: FleetLedger.Sent, by instant: Instant) -> Bool {
        guard let lease = sent.lease, let freed = ledger.incarnations[lease]?.freedAt else { return false }
        return freed <= instant
    }
}
