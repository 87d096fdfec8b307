import Logging
import SagaCore

/// Makes the calls whose decision is committed, as many at once as the configuration allows.
extension SagaEngine {
    func enqueue(_ call: Call) {
        callQueue.append(call)
    }

    /// Sends out what waits, while there is room and the lease holds.
    func dispatchCalls() {
        while leaseHolds, let call = callQueue.first {
            if call.request == .noop {
                callQueue.removeFirst()
                answer(call, .done(output: .null))
                continue
            }
            guard callsOut.count < configuration.concurrency else { return }
            callQueue.removeFirst()
            if let gate = gate(of: call), gate.hasMissedSlot(key(call), now()) {
                gate.loseSlot(key(call))
                gate.late.append(call)
                requestExchange(gate)
                continue
            }
            send(call)
        }
    }

    /// Sends out one call, if it is still wanted.
    private func send(_ queued: Call) {
        guard timed(queued) != nil else { return }
        let number = nextCallNumber
        nextCallNumber += 1
        let incarnation = incarnation
        callsOut[number] = task { await $0.make(queued, number: number, incarnation: incarnation) }
    }

    /// The call with what is left of its timeout; nil when it isn't wanted any more, or when its time is over.
    ///
    /// The time it has waited for its turn is part of its timeout: when that is over, nothing of the attempt can be under
    /// way any more, and an undo may rely on it.
    private func timed(_ queued: Call) -> Call? {
        guard case .running(queued.attempt, let since)? = runners[queued.saga]?.state[queued.operation].phase else {
            release(queued, nil, duration: .zero)
            return nil
        }
        var call = queued
        call.timeout = since + queued.timeout - now()
        guard call.timeout > .zero else {
            let refusal = Answer.Refusal(
                error: EngineError.connectFailed, message: "the attempt's time was over before it had its turn",
                isRetryable: true)
            release(call, nil, duration: .zero)
            answer(call, .failed(refusal))
            return nil
        }
        return call
    }

    private func make(_ queued: Call, number: Int, incarnation: Int) async {
        let sent = clock.now()
        // The process may have stood still since it was sent out.
        guard leaseHolds, incarnation == self.incarnation else {
            callsOut[number] = nil
            if incarnation == self.incarnation { callQueue.prepend(queued) }
            return
        }
        guard let call = timed(queued) else {
            callsOut[number] = nil
            return dispatchCalls()
        }
        let answer = await invoker.invoke(call)
        callsOut[number] = nil
        if incarnation == self.incarnation {
            release(call, answer, duration: TimeSpan(microseconds: clock.now() - sent))
            self.answer(call, answer)
        }
        dispatchCalls()
    }

    private func answer(_ call: Call, _ answer: Answer) {
        log(answer, to: call)
        guard let runner = runners[call.saga] else {
            return noteLate(answer, saga: call.saga, step: call.stepName, attempt: call.attempt)
        }
        advance(runner, .answered(call.operation, attempt: call.attempt, answer))
    }

    /// An answer that no event can hold any more: the saga was ended while the call was out.
    func noteLate(_ answer: Answer, saga: SagaID, step: String, attempt: Int) {
        let outcome =
            switch answer {
            case .done: "done"
            case .failed(let refusal): "failed, \(refusal.error)"
            case .unknown(let refusal): "unknown, \(refusal.error)"
            }
        logger.notice(
            "an answer came after the saga's end and isn't recorded",
            metadata: ["saga": "\(saga)", "step": "\(step)", "attempt": "\(attempt)", "outcome": "\(outcome)"])
    }

    private func log(_ answer: Answer, to call: Call) {
        switch answer {
        case .done:
            guard logger.logLevel <= .debug else { return }
            logger.debug("call done", metadata: metadata(call))
        case .failed(let refusal), .unknown(let refusal):
            guard logger.logLevel <= .info else { return }
            var metadata = metadata(call)
            if case .failed = answer { metadata["outcome"] = "failed" } else { metadata["outcome"] = "unknown" }
            metadata["error"] = "\(refusal.error)"
            metadata["message"] = "\(refusal.message)"
            logger.info("call not done", metadata: metadata)
        }
    }

    private func metadata(_ call: Call) -> Logger.Metadata {
        [
            "saga": "\(call.saga)", "step": "\(call.stepName)", "operation": "\(call.operation.side.rawValue)",
            "attempt": "\(call.attempt)",
        ]
    }
}
