import JSON

/// An event as a store keeps it.
public struct StoredEvent: Sendable, Hashable {
    public let sequence: Int
    public let cause: Int?
    /// An `EventType`'s code.
    public let type: Int16
    public let at: Instant
    /// A JSON object, payloads in it byte for byte; nil for an event that has none.
    public let data: [UInt8]?

    public init(sequence: Int, cause: Int?, type: Int16, at: Instant, data: [UInt8]?) {
        self.sequence = sequence
        self.cause = cause
        self.type = type
        self.at = at
        self.data = data
    }
}

/// A stored event that can't be read.
public struct EventCodecError: Error, Sendable, Hashable {
    public let message: String

    public init(_ message: String) {
        self.message = message
    }
}

/// Turns events into what is stored and back. Steps stand in it by name.
public enum EventCodec {
    public static func encode(_ recorded: RecordedEvent, definition: Definition) -> StoredEvent {
        var writer = EventWriter(definition: definition)
        return StoredEvent(
            sequence: recorded.sequence, cause: recorded.cause, type: recorded.event.type.rawValue, at: recorded.at,
            data: writer.data(of: recorded.event))
    }

    /// - Throws: an error that says what is missing or wrong, never trapping on any bytes.
    public static func decode(_ stored: StoredEvent, definition: Definition) throws(EventCodecError) -> RecordedEvent {
        guard let type = EventType(rawValue: stored.type) else {
            throw EventCodecError("event \(stored.sequence) has the unknown type \(stored.type)")
        }
        do throws(EventCodecError) {
            let reader = try EventReader(data: stored.data, definition: definition)
            return RecordedEvent(
                sequence: stored.sequence, cause: stored.cause, at: stored.at, event: try reader.event(type))
        } catch {
            throw EventCodecError("event \(stored.sequence), \(type.name): \(error.message)")
        }
    }
}

private struct EventWriter {
    let definition: Definition
    var writer = JSONWriter(reservingCapacity: 64)

    init(definition: Definition) {
        self.definition = definition
    }

    mutating func data(of event: Event) -> [UInt8]? {
        if case .sagaCompensated = event { return nil }
        writer.beginObject()
        switch event {
        case .sagaStarted(let input): writer.field("input", input)
        case .started(let operation, let attempt): write(operation, attempt: attempt)
        case .succeeded(let operation, let attempt, let output):
            write(operation, attempt: attempt)
            writer.field("outcome", Outcome.done.rawValue)
            writer.field("output", output)
        case .attemptFailed(let operation, let failure, let next):
            write(operation, failure)
            writer.field("nextAttemptAt", next.text)
        case .failed(let operation, let failure): write(operation, failure)
        case .stepSkipped(let step): writeStep(step)
        case .deferred(let operation, let until, let reason):
            writeStep(operation.step)
            writer.field("until", until.text)
            writer.field("reason", reason)
        case .sagaCompensating(let failure), .sagaStuck(let failure): write(failure)
        case .sagaCompleted(let output, let failure):
            writer.field("output", output)
            if let failure {
                writer.field("error", failure.error)
                writer.field("message", failure.message)
            }
        case .sagaCompensated: break
        case .cancelRequested(let act), .paused(let act), .resumed(let act), .terminated(let act),
            .compensationRequested(let act):
            write(act)
        case .retried(let act, let patch):
            write(act)
            if let patch { writer.field("patch", patch) }
        case .stepResolved(let operation, let resolution, let output, let act):
            writeStep(operation.step)
            writer.field("operation", operation.side.rawValue)
            writer.field("resolution", resolution.rawValue)
            if let output { writer.field("output", output) }
            write(act)
        }
        writer.endObject()
        return writer.bytes
    }

    private mutating func writeStep(_ step: Int) {
        if definition.steps.indices.contains(step) { writer.field("step", definition.steps[step].name) }
    }

    private mutating func write(_ operation: OperationReference, attempt: Int) {
        writeStep(operation.step)
        writer.field("attempt", attempt)
    }

    private mutating func write(_ operation: OperationReference, _ failure: Event.AttemptFailure) {
        write(operation, attempt: failure.attempt)
        writer.field("outcome", failure.outcome.rawValue)
        writer.field("error", failure.error)
        writer.field("message", failure.message)
    }

    private mutating func write(_ failure: SagaFailure) {
        if let step = failure.step { writeStep(step) }
        writer.field("error", failure.error)
        writer.field("message", failure.message)
    }

    private mutating func write(_ act: Event.Act) {
        writer.field("actor", act.actor)
        if let reason = act.reason { writer.field("reason", reason) }
    }
}

private struct EventReader {
    let definition: Definition
    let bytes: [UInt8]
    let root: LocatedJSON?

    init(data: [UInt8]?, definition: Definition) throws(EventCodecError) {
        self.definition = definition
        bytes = data ?? []
        guard let data else {
            root = nil
            return
        }
        do throws(JSONError) { root = try LocatedJSON.parse(data) } catch {
            throw EventCodecError("its data isn't JSON: \(error.message)")
        }
    }

    func event(_ type: EventType) throws(EventCodecError) -> Event {
        switch type {
        case .sagaStarted: .sagaStarted(input: try payload("input"))
        case .stepStarted: .started(try operation(.action), attempt: try attempt())
        case .compensationStarted: .started(try operation(.compensation), attempt: try attempt())
        case .stepSucceeded: .succeeded(try operation(.action), attempt: try attempt(), output: try payload("output"))
        case .compensationSucceeded:
            .succeeded(try operation(.compensation), attempt: try attempt(), output: try payload("output"))
        case .stepAttemptFailed:
            .attemptFailed(try operation(.action), try attemptFailure(), next: try time("nextAttemptAt"))
        case .compensationAttemptFailed:
            .attemptFailed(try operation(.compensation), try attemptFailure(), next: try time("nextAttemptAt"))
        case .stepFailed: .failed(try operation(.action), try attemptFailure())
        case .compensationFailed: .failed(try operation(.compensation), try attemptFailure())
        case .stepSkipped: .stepSkipped(step: try step())
        case .stepDeferred: .deferred(try operation(.action), until: try time("until"), reason: try string("reason"))
        case .compensationDeferred:
            .deferred(try operation(.compensation), until: try time("until"), reason: try string("reason"))
        case .sagaCompensating: .sagaCompensating(try sagaFailure())
        case .sagaStuck: .sagaStuck(try sagaFailure())
        case .sagaCompleted:
            .sagaCompleted(output: try payload("output"), failure: root?["error"] == nil ? nil : try sagaFailure())
        case .sagaCompensated: .sagaCompensated
        case .sagaCancelRequested: .cancelRequested(try act())
        case .sagaPaused: .paused(try act())
        case .sagaResumed: .resumed(try act())
        case .sagaRetried: .retried(try act(), patch: root?["patch"] == nil ? nil : try payload("patch"))
        case .sagaTerminated: .terminated(try act())
        case .sagaCompensationRequested: .compensationRequested(try act())
        case .stepResolved: try resolved()
        }
    }

    private func string(_ key: String) throws(EventCodecError) -> String {
        guard let text = root?[key]?.stringValue else { throw EventCodecError("`\(key)` isn't a string") }
        return text
    }

    private func choice<Choice: RawRepresentable<String>>(_ key: String) throws(EventCodecError) -> Choice {
        let text = try string(key)
        guard let choice = Choice(rawValue: text) else { throw EventCodecError("`\(key)` can't be \(text)") }
        return choice
    }

    private func attempt() throws(EventCodecError) -> Int {
        guard let number = root?["attempt"]?.numberValue?.int64, (0...Int64(Int32.max)).contains(number) else {
            throw EventCodecError("`attempt` isn't a number of attempts")
        }
        return Int(number)
    }

    private func time(_ key: String) throws(EventCodecError) -> Instant {
        guard let instant = Instant(text: try string(key)) else { throw EventCodecError("`\(key)` isn't a time") }
        return instant
    }

    /// The bytes as they came; absent is null.
    private func payload(_ key: String) throws(EventCodecError) -> RawJSON {
        guard let value = root?[key] else { return .null }
        return RawJSON(unchecked: Array(bytes[value.range]))
    }

    private func step() throws(EventCodecError) -> Int {
        let name = try string("step")
        guard let index = definition.index(ofStep: name) else {
            throw EventCodecError("its definition has no step \(name)")
        }
        return index
    }

    private func operation(_ side: OperationSide) throws(EventCodecError) -> OperationReference {
        OperationReference(step: try step(), side: side)
    }

    private func attemptFailure() throws(EventCodecError) -> Event.AttemptFailure {
        Event.AttemptFailure(
            attempt: try attempt(), outcome: try choice("outcome"), error: try string("error"),
            message: try string("message"))
    }

    private func sagaFailure() throws(EventCodecError) -> SagaFailure {
        SagaFailure(
            step: root?["step"]?.stringValue == nil ? nil : try step(), error: try string("error"),
            message: try string("message"))
    }

    private func act() throws(EventCodecError) -> Event.Act {
        Event.Act(actor: try string("actor"), reason: root?["reason"]?.stringValue)
    }

    private func resolved() throws(EventCodecError) -> Event {
        let output: RawJSON? = root?["output"] == nil ? nil : try payload("output")
        return .stepResolved(
            try operation(try choice("operation")), try choice("resolution"), output: output, try act())
    }
}
