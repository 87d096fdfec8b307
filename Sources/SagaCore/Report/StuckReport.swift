import JSON

/// What a person needs to know of a stuck saga: where its steps stand, what it is stuck on, and what each choice would
/// lead to.
public struct StuckReport: Sendable, Hashable {
    /// Steps whose effect is there, in the order of the file.
    public let done: [String]
    /// Steps that may have an effect, in the order of the file.
    public let inDoubt: [String]
    /// Steps that were undone, in the order of the file.
    public let undone: [String]
    /// Steps that going back has yet to undo, the next first; empty while the saga goes forward.
    public let left: [String]
    /// What failed for good and keeps the saga from going on.
    public let operations: [Operation]
    public let choices: [Choice]

    /// An operation that failed for good.
    public struct Operation: Sendable, Hashable {
        public let step: String
        public let side: OperationSide
        public let attempts: Int
        /// What every attempt sent; nil for one that makes no call, or never could.
        public let request: Request?
        /// Of the last attempt.
        public let outcome: Outcome?
        public let error: String?
        public let message: String?
    }

    /// A call as it went out, secrets masked.
    public struct Request: Sendable, Hashable {
        public let method: String
        /// As the definition writes it: `${env:…}` is not resolved.
        public let url: String
        /// The definition's own and those by which the participant knows the operation.
        public let headers: [Service.Header]
        /// nil when nothing is sent.
        public let body: Body?
    }

    /// A body as it may be shown.
    public struct Body: Sendable, Hashable {
        /// Compact JSON; only its beginning when `isCut`.
        public let text: String
        public let isCut: Bool
        /// How many bytes are sent.
        public let length: Int
    }

    /// Something a person can do.
    public struct Choice: Sendable, Hashable {
        /// To be pasted into a shell.
        public let command: String
        /// What a person says by it, in a few words.
        public let meaning: String
        /// What would happen next to this saga.
        public let leadsTo: String
    }

    /// - Parameters:
    ///   - outcomes: how the last attempt of each failed operation ended, as its events tell.
    ///   - now: the database's clock.
    /// - Returns: nil unless the saga is stuck.
    public init?(
        _ state: SagaState, definition: Definition, outcomes: [OperationReference: Outcome] = [:], now: Instant
    ) {
        guard state.status == .stuck, state.steps.count == definition.steps.count else { return nil }
        let names = definition.steps.map(\.name)
        let standing = Standing(state, definition: definition)
        (done, inDoubt, undone) = (standing.done, standing.inDoubt, standing.undone)
        left = definition.graph.topologicalOrder.reversed().filter { index in
            let status = state.compensationStatus(ofStep: index, in: definition)
            return status != nil && status != .succeeded
        }.map { names[$0] }
        let failed = state.operationsStuckOn
        operations = failed.map { operation in
            Operation(
                step: names[operation.step], side: operation.side, attempts: state[operation].attempts,
                request: state.lastRequest(of: operation, definition: definition, now: now),
                outcome: outcomes[operation], error: state[operation].error, message: state[operation].message)
        }
        choices = Self.choices(state, definition: definition, stuckOn: failed, now: now)
    }

    /// The report of a saga that can't be read, of whose steps nothing is known.
    ///
    /// - Parameter canBeRetried: whether this program can read it, so that a daemon of its version could go on.
    public init(unreadable id: SagaID, canBeRetried: Bool) {
        (done, inDoubt, undone, left, operations) = ([], [], [], [], [])
        let retry = Choice(
            command: "saga retry \(id)", meaning: "have a daemon read it again",
            leadsTo: "goes on from where it stood, if the daemon can read it")
        let terminate = Choice(
            command: "saga terminate \(id) --reason TEXT", meaning: "end it as it stands", leadsTo: "ends terminated")
        choices = canBeRetried ? [retry, terminate] : [terminate]
    }
}

/// Where the effects of a saga's steps stand, by name in the order of the file.
struct Standing {
    private(set) var done: [String] = []
    private(set) var inDoubt: [String] = []
    private(set) var undone: [String] = []

    init(_ state: SagaState, definition: Definition) {
        for (step, own) in zip(definition.steps, state.steps) {
            if own.compensation.phase == .succeeded {
                undone.append(step.name)
            } else if own.outcome == .done {
                done.append(step.name)
            } else if own.outcome == .unknown {
                inDoubt.append(step.name)
            }
        }
    }
}

extension SagaState {
    /// What failed for good on the way that the saga goes, in the order of the file.
    public var operationsStuckOn: [OperationReference] {
        let side: OperationSide = turnedBackBy == nil ? .action : .compensation
        return steps.indices.map { OperationReference(step: $0, side: side) }.filter { self[$0].phase == .failed }
    }

    /// The request of the operation's last attempt, made again as `decide` made it.
    fileprivate func lastRequest(
        of operation: OperationReference, definition: Definition, now: Instant
    ) -> StuckReport.Request? {
        guard self[operation].attempts > 0 else { return nil }
        var before = self
        before[operation].phase = self[operation].attempts > 1 ? .waiting(until: now) : .idle
        var decider = Decider(state: before, now: now, definition: definition, beginsOperations: true)
        decider.begin(operation)
        return decider.calls.first.flatMap(StuckReport.Request.init)
    }
}

extension StuckReport.Request {
    /// More of a body is not shown, in bytes.
    private static let shownBody = 2_000

    fileprivate init?(_ call: Call) {
        guard case .http(let request) = call.request else { return nil }
        let base = request.service.url
        var headers = request.service.headers.filter { header in
            !request.headers.contains { $0.name.lowercased() == header.name.lowercased() }
        }
        headers += request.headers
        headers.append(.init(name: "Idempotency-Key", value: "\"\(call.idempotencyKey)\""))
        if let compensates = call.compensates {
            headers.append(.init(name: "Saga-Compensates", value: "\"\(compensates)\""))
        }
        method = request.method
        url = SecretMask.url((base.hasSuffix("/") ? String(base.dropLast()) : base) + request.target)
        self.headers = headers.map { .init(name: $0.name, value: SecretMask.header($0.name, value: $0.value)) }
        body = request.body.map { body in
            // What isn't JSON can't be masked, so nothing of it is shown.
            let masked = (try? body.parsed()).map { RawJSON(SecretMask.json($0)).text } ?? SecretMask.mask
            let isCut = masked.utf8.count > Self.shownBody
            let end = masked.utf8.index(masked.startIndex, offsetBy: Self.shownBody, limitedBy: masked.endIndex)
            let shown = isCut ? String(masked[..<masked.index(roundedDown: end)]) : masked
            return StuckReport.Body(text: shown, isCut: isCut, length: body.bytes.count)
        }
    }
}

extension String {
    /// The start of the character that `index` lies in; the end for nil.
    fileprivate func index(roundedDown index: String.Index?) -> String.Index {
        guard let index, index < endIndex else { return endIndex }
        return self[...index].indices.last ?? startIndex
    }
}
