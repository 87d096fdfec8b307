import CEL
import JSON

/// One version of a saga's definition, validated and compiled: what a definition file says.
///
/// A class, since every decision about a saga hands it on: copying its parts took a fifth of the engine's time.
public final class Definition: Sendable {
    public let name: String
    public let description: String?
    public let digest: Digest
    /// The JSON Schema of the input, if the file states one.
    public let inputSchema: InputSchema?
    /// How long a saga may go forward, counted from its start; nil is without end.
    public let deadline: TimeSpan?
    /// In the order of the file.
    public let services: [Service]
    /// In the order of the file; never empty.
    public let steps: [Step]
    public let graph: StepGraph
    public let onCompensationFailure: CompensationFailurePolicy
    public let output: Template?
    /// The index of the step that is the point of no return.
    public let pivot: Int?

    public init(
        name: String, description: String?, digest: Digest, inputSchema: InputSchema?, deadline: TimeSpan?,
        services: [Service], steps: [Step], graph: StepGraph, onCompensationFailure: CompensationFailurePolicy,
        output: Template?
    ) {
        self.name = name
        self.description = description
        self.digest = digest
        self.inputSchema = inputSchema
        self.deadline = deadline
        self.services = services
        self.steps = steps
        self.graph = graph
        self.onCompensationFailure = onCompensationFailure
        self.output = output
        self.pivot = steps.firstIndex { $0.isPivot }
        self.stepIndices = Dictionary(steps.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private let stepIndices: [String: Int]

    /// The place of the step of this name in `steps`.
    public func index(ofStep name: String) -> Int? { stepIndices[name] }

    /// The operation meant; nil when the step has none such.
    public func operation(_ reference: OperationReference) -> Operation? {
        guard steps.indices.contains(reference.step) else { return nil }
        return reference.side == .action ? steps[reference.step].action : steps[reference.step].compensation
    }
}

/// The SHA-256 of a definition's canonical JSON (RFC 8785, numbers as written).
public struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// All 64 hexadecimal digits.
    public var description: String { hexadecimal(bytes[...]) }

    /// The 12 digits by which a version is shown.
    public var version: String { hexadecimal(bytes.prefix(6)) }

    private func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// What stays of a saga's undoing when one compensation fails for good.
public enum CompensationFailurePolicy: String, Sendable, CaseIterable {
    /// Those in flight finish, none begins, the saga is stuck.
    case halt
    /// It counts as ended for the order, the others are still undone, then the saga is stuck.
    case `continue`
}

/// When a step that was begun has to be undone.
public enum CompensateWhen: String, Sendable, CaseIterable {
    /// When its outcome is done.
    case succeeded
    /// When its outcome is done or unknown.
    case uncertain
    /// Whatever its outcome, once an attempt was begun.
    case attempted
}

/// One step: an action and how to undo it.
public struct Step: Sendable {
    public let name: String
    /// The expression that decides whether the step runs; nil always does.
    public let when: CELProgram?
    /// What the step does; nil when it has only a compensation.
    public let action: Operation?
    /// How it is undone; nil for `"none"` and for a step that states nothing.
    public let compensation: Operation?
    public let compensateWhen: CompensateWhen
    public let isPivot: Bool

    public init(
        name: String, when: CELProgram?, action: Operation?, compensation: Operation?, compensateWhen: CompensateWhen,
        isPivot: Bool
    ) {
        self.name = name
        self.when = when
        self.action = action
        self.compensation = compensation
        self.compensateWhen = compensateWhen
        self.isPivot = isPivot
    }
}

/// One thing to be done at a participant or inside the daemon, with its limits.
public struct Operation: Sendable {
    public enum Kind: Sendable {
        case http(HTTPOperation)
        /// No call: the template's value is the output, at once.
        case pass(Template)
        /// Answers at once inside the daemon, otherwise treated as a call.
        case noop
    }

    public let kind: Kind
    /// How long one attempt may take.
    public let timeout: TimeSpan
    public let retry: RetryPolicy
    /// HTTP statuses whose outcome the definition changes.
    public let outcomes: [Int: Outcome]

    public init(kind: Kind, timeout: TimeSpan, retry: RetryPolicy, outcomes: [Int: Outcome] = [:]) {
        self.kind = kind
        self.timeout = timeout
        self.retry = retry
        self.outcomes = outcomes
    }
}

/// An HTTP call as a definition describes it.
public struct HTTPOperation: Sendable {
    /// The index of the service in `Definition.services`.
    public let service: Int
    public let method: String
    /// What follows the service's URL; interpolated values are percent-encoded.
    public let path: Template
    /// In the order of the file.
    public let query: [(name: String, value: Template)]
    public let headers: [(name: String, value: Template)]
    /// nil sends nothing.
    public let body: Template?

    public init(
        service: Int, method: String, path: Template, query: [(name: String, value: Template)],
        headers: [(name: String, value: Template)], body: Template?
    ) {
        self.service = service
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }
}

/// A participant that steps call: one per name and URL in a database.
public struct Service: Sendable, Hashable {
    public let name: String
    /// As written: may hold `${env:NAME}` and `${env:NAME:-default}`, which the daemon resolves when it starts.
    public let url: String
    /// As written, in the order of the file; values may hold `${env:NAME}`.
    public let headers: [Header]
    public let settings: ServiceSettings

    public var maxConcurrent: Int? { settings.maxConcurrent }
    public var rateLimit: RateLimit? { settings.rateLimit }
    /// nil when the definition says `false`.
    public var circuitBreaker: CircuitBreakerSettings? { settings.circuitBreaker }

    public struct Header: Sendable, Hashable {
        public let name: String
        public let value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(
        name: String, url: String, headers: [Header] = [], maxConcurrent: Int? = nil, rateLimit: RateLimit? = nil,
        circuitBreaker: CircuitBreakerSettings? = CircuitBreakerSettings(), whenOpen: WhenOpen = .defer
    ) {
        self.init(
            name: name, url: url, headers: headers,
            settings: ServiceSettings(
                maxConcurrent: maxConcurrent, rateLimit: rateLimit, circuitBreaker: circuitBreaker, whenOpen: whenOpen))
    }

    public init(name: String, url: String, headers: [Header] = [], settings: ServiceSettings) {
        self.name = name
        self.url = url
        self.headers = headers
        self.settings = settings
    }
}
