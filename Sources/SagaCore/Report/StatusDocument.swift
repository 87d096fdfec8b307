import JSON

/// One saga as people and programs see it: what `saga status --format json` prints.
public struct StatusDocument: Sendable, Hashable {
    public let id: SagaID
    /// The definition's name.
    public let saga: String
    /// The first 12 digits of the definition's digest.
    public let version: String
    public let key: String?
    public let status: SagaStatus
    public let isPaused: Bool
    public let input: RawJSON
    /// nil unless completed.
    public let output: RawJSON?
    public let startedAt: Instant
    public let endedAt: Instant?
    public let failure: Failure?
    /// In the order of the definition file; nil in a list, where sagas are shown without their steps.
    public let steps: [Step]?
    /// What a person needs to know; nil unless stuck.
    public var stuck: StuckReport?

    /// What a saga failed on.
    public struct Failure: Sendable, Hashable {
        /// nil for a cancel, a deadline, a refused input and a saga that can't be read.
        public let step: String?
        public let error: String
        public let message: String

        public init(step: String?, error: String, message: String) {
            self.step = step
            self.error = error
            self.message = message
        }
    }

    /// One step of it.
    public struct Step: Sendable, Hashable {
        public let name: String
        public let status: StepStatus
        public let outcome: Outcome?
        public let attempts: Int
        public let output: RawJSON?
        /// Of the last attempt that wasn't done; nil once succeeded.
        public let error: String?
        public let message: String?
        /// When the action is taken up again; nil unless it waits.
        public let nextAttemptAt: Instant?
        /// nil for a step that has none.
        public let compensation: Compensation?
    }

    /// A step's compensation.
    public struct Compensation: Sendable, Hashable {
        /// nil while none is called for.
        public let status: CompensationStatus?
        public let attempts: Int
        public let error: String?
        public let message: String?
        /// When it is taken up again; nil unless it waits.
        public let nextAttemptAt: Instant?
    }

    public init(
        id: SagaID,
        saga: String,
        version: String,
        key: String?,
        status: SagaStatus,
        isPaused: Bool,
        input: RawJSON,
        output: RawJSON?,
        startedAt: Instant,
        endedAt: Instant?,
        failure: Failure?,
        steps: [Step]?
    ) {
        self.id = id
        self.saga = saga
        self.version = version
        self.key = key
        self.status = status
        self.isPaused = isPaused
        self.input = input
        self.output = output
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.failure = failure
        self.steps = steps
    }
}

extension StatusDocument {
    /// The document of a saga whose events fold to `state`.
    public init(_ state: SagaState, definition: Definition) {
        let failure = state.failure.map { failure in
            Failure(
                step: failure.step.flatMap { definition.steps.indices.contains($0) ? definition.steps[$0].name : nil },
                error: failure.error,
                message: failure.message
            )
        }
        self.init(
            id: state.id,
            saga: definition.name,
            version: definition.digest.version,
            key: state.key,
            status: state.status,
            isPaused: state.isPaused,
            input: state.input,
            output: state.output,
            startedAt: state.startedAt,
            endedAt: state.endedAt,
            failure: failure,
            steps: definition.steps.indices.map { Step(state, index: $0, definition: definition) }
        )
    }

    /// The document of a saga that can't be read: stuck, unless it has ended, and without its steps' states.
    ///
    /// - Parameter status: the one on its row.
    public init(
        unreadable reason: String,
        id: SagaID,
        saga: String,
        version: String,
        key: String?,
        status: SagaStatus,
        isPaused: Bool,
        input: RawJSON,
        startedAt: Instant,
        endedAt: Instant?
    ) {
        self.init(
            id: id,
            saga: saga,
            version: version,
            key: key,
            status: status.isEnded ? status : .stuck,
            isPaused: isPaused,
            input: input,
            output: nil,
            startedAt: startedAt,
            endedAt: endedAt,
            failure: Failure(step: nil, error: EngineError.unreadable, message: reason),
            steps: []
        )
    }
}

extension StatusDocument.Step {
    fileprivate init(_ state: SagaState, index: Int, definition: Definition) {
        let step = definition.steps[index]
        let own = state.steps.indices.contains(index) ? state.steps[index] : StepState()
        let status = state.status(ofStep: index)
        // A saga that needs a person or has ended takes up nothing, whatever its operations waited for.
        let isMoving = state.status != .stuck && !state.status.isEnded
        let showsError = own.action.phase != .succeeded && !own.isSkipped
        name = step.name
        self.status = status
        outcome = own.outcome
        attempts = own.action.attempts
        output = own.action.phase == .succeeded ? own.output : nil
        error = showsError ? own.action.error : nil
        message = showsError ? own.action.message : nil
        nextAttemptAt = isMoving && (status == .backoff || status == .deferred) ? own.action.dueAt : nil
        guard step.compensation != nil, !step.isPivot else {
            compensation = nil
            return
        }
        compensation = StatusDocument.Compensation(
            status: state.compensationStatus(ofStep: index, in: definition),
            attempts: own.compensation.attempts,
            error: own.compensation.error,
            message: own.compensation.message,
            nextAttemptAt: isMoving ? own.compensation.dueAt : nil
        )
    }
}

// MARK: - JSON

extension StatusDocument {
    /// The document as one line of JSON, strings and numbers of its payloads byte for byte.
    public var json: RawJSON {
        var writer = JSONWriter(reservingCapacity: 1_024)
        write(to: &writer)
        return writer.finished()
    }

    /// Writes the document as one JSON object; `steps` and `stuck` only where it is shown with its steps.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("id", id.description)
        writer.field("saga", saga)
        writer.field("version", version)
        writer.field("key", key)
        writer.field("status", status.name)
        writer.field("paused", isPaused)
        writer.field("input", input.onOneLine)
        writer.field("output", output?.onOneLine)
        writer.field("startedAt", startedAt.text)
        writer.field("endedAt", endedAt?.text)
        if let failure {
            writer.key("failure")
            failure.write(to: &writer)
        } else {
            writer.field("failure", .null)
        }
        if let steps {
            writer.key("steps")
            writer.beginArray()
            for step in steps { step.write(to: &writer) }
            writer.endArray()
            writer.key("stuck")
            if let stuck { stuck.write(to: &writer) } else { writer.null() }
        }
        writer.endObject()
    }
}

extension StatusDocument.Failure {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("step", step)
        writer.field("error", error)
        writer.field("message", message)
        writer.endObject()
    }
}

extension StatusDocument.Step {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", name)
        writer.field("status", status.rawValue)
        writer.field("outcome", outcome?.rawValue)
        writer.field("attempts", attempts)
        writer.field("output", output?.onOneLine)
        writer.field("error", error)
        writer.field("message", message)
        writer.field("nextAttemptAt", nextAttemptAt?.text)
        if let compensation {
            writer.key("compensation")
            writer.beginObject()
            writer.field("status", compensation.status?.rawValue)
            writer.field("attempts", compensation.attempts)
            writer.field("error", compensation.error)
            writer.field("message", compensation.message)
            writer.field("nextAttemptAt", compensation.nextAttemptAt?.text)
            writer.endObject()
        } else {
            writer.field("compensation", .null)
        }
        writer.endObject()
    }
}
