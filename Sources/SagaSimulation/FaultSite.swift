import JSON
import SagaCore

/// A call of a run, as the place at which a fault can be laid.
struct FaultSite: Sendable {
    let target: SimulationScript.Target
    /// The attempt that is meant; what lasts holds from it on.
    let attempt: Int
    /// When it goes out, after the start.
    let at: TimeSpan
    /// Of the event that records its answer; nil without one.
    let answerSequence: Int?
    /// It was done.
    let isAnswered: Bool
    /// It is tried again without limit.
    let isEndless: Bool
    let service: Service

    /// nil when the run doesn't make the call.
    ///
    /// - Parameter events: the run's.
    init?(
        _ target: SimulationScript.Target, attempt: Int, in calls: [SimulatedCall], _ events: [RecordedEvent],
        of definition: Definition
    ) {
        guard let made = calls.first(where: { $0.target == target && $0.call.attempt == attempt }),
            case .http(let request) = made.call.request
        else { return nil }
        self.target = target
        self.attempt = attempt
        at = made.at - SimulatedRun.start
        isEndless = definition.operation(made.call.operation)?.retry.maximumAttempts == 0
        service = request.service
        let answer = events.first { $0.event.answers(made.call.operation, attempt) }
        answerSequence = answer?.sequence
        if case .succeeded? = answer?.event { isAnswered = true } else { isAnswered = false }
    }
}

extension SimulationResult {
    /// The events that can be read.
    func decodedEvents(of definition: Definition) -> [RecordedEvent] {
        events.compactMap { try? EventCodec.decode($0, definition: definition) }
    }
}

extension Event {
    /// Whether it records what came of that attempt.
    fileprivate func answers(_ operation: OperationReference, _ attempt: Int) -> Bool {
        switch self {
        case .succeeded(let other, let number, _): other == operation && number == attempt
        case .attemptFailed(let other, let failure, _), .failed(let other, let failure):
            other == operation && failure.attempt == attempt
        default: false
        }
    }
}

extension FaultMatrix {
    /// What is tried again without limit gets through after so many faults; else its run would have no end.
    private static let attemptsOfEndless = 8

    /// The run with one fault more.
    ///
    /// - Parameter isOnce: what a participant does holds for that one attempt, and not for those that follow.
    func laying(
        _ fault: Fault, at site: FaultSite, on ground: SimulatedRun, isOnce: Bool = false
    ) throws(SimulationFault) -> SimulatedRun {
        let half = TimeSpan(microseconds: pace.microseconds / 2)
        let whileOut = site.at + half
        var run = ground
        func reply(_ reply: SimulationScript.Reply) { script(reply, at: site, isOnce: isOnce, in: &run.script) }
        switch fault {
        case .refuses: reply(.status(422, error: "Refused"))
        case .unreachable: reply(.unreachable)
        case .lost: reply(.lost)
        case .timeout: reply(.timeout(hasEffect: false))
        case .straggles:
            // To the engine it is a timeout: so long does that run take.
            let end = try laying(.timeout, at: site, on: ground, isOnce: isOnce).run().duration
            reply(.straggles(after: end - site.at + pace))
        case .breakerOpen:
            run.outages.append(.init(site.service, from: site.at - half, until: site.at + .minutes(1)))
        case .daemonDiesBeforeCall: run.crashes.append(.beforeCall(site.target, attempt: site.attempt))
        case .daemonDiesAfterCall: run.crashes.append(.afterCall(site.target, attempt: site.attempt))
        case .daemonDiesAfterCommit:
            if let sequence = site.answerSequence { run.crashes.append(.afterCommit(sequence: sequence)) }
        case .cancel: run.signals.append(.init(at: whileOut, .cancel))
        case .deadline: run.definition = run.definition.with(deadline: whileOut)
        }
        return run
    }

    private func script(
        _ reply: SimulationScript.Reply, at site: FaultSite, isOnce: Bool, in script: inout SimulationScript
    ) {
        // A rule for all attempts would speak of those before as well, if nothing else did.
        let before = (1..<max(1, site.attempt)).map {
            SimulationScript.Rule(site.target, attempt: $0, reply: .done(output: nil))
        }
        var attempts: [Int?] = [nil]
        if isOnce {
            attempts = [site.attempt]
        } else if site.isEndless {
            attempts = (0..<FaultMatrix.attemptsOfEndless).map { site.attempt + $0 }
        }
        script.rules = before + script.rules + attempts.map { .init(site.target, attempt: $0, reply: reply) }
    }
}

extension Definition {
    /// The same with another deadline.
    fileprivate func with(deadline: TimeSpan) -> Definition {
        Definition(
            name: name, description: description, digest: digest, inputSchema: inputSchema, deadline: deadline,
            services: services, steps: steps, graph: graph, onCompensationFailure: onCompensationFailure,
            output: output)
    }
}

extension TimeSpan {
    fileprivate static func + (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        Instant(microseconds: left.microseconds) + right - Instant(microseconds: 0)
    }

    fileprivate static func - (left: TimeSpan, right: TimeSpan) -> TimeSpan {
        Instant(microseconds: left.microseconds) - Instant(microseconds: right.microseconds)
    }
}
