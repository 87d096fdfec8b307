import JSON

/// One attempt to be made, whole: everything that goes out is settled before the decision is committed.
public struct Call: Sendable, Hashable {
    public let saga: SagaID
    public let sagaName: String
    public let stepName: String
    public let operation: OperationReference
    /// From 1, counting on over a person's `retry`.
    public let attempt: Int
    /// From when the attempt was decided on; whoever makes the call later has so much less.
    public var timeout: TimeSpan
    public let request: Request
    /// Counts the keys that this operation went out under; more than one only after an input was patched.
    public let keyRevision: Int
    /// The same of the step's action.
    public let actionKeyRevision: Int

    public enum Request: Sendable, Hashable {
        case noop
        case http(HTTPRequest)
    }

    public init(
        saga: SagaID, sagaName: String, stepName: String, operation: OperationReference, attempt: Int,
        timeout: TimeSpan, request: Request, keyRevision: Int = 1, actionKeyRevision: Int = 1
    ) {
        self.saga = saga
        self.sagaName = sagaName
        self.stepName = stepName
        self.operation = operation
        self.attempt = attempt
        self.timeout = timeout
        self.request = request
        self.keyRevision = keyRevision
        self.actionKeyRevision = actionKeyRevision
    }

    /// The same on every attempt: `SAGA_ID:STEP:action` or `…:compensation`; `…:2`, `…:3` and so on once the input that
    /// it is made of was patched.
    public var idempotencyKey: String { key(operation.side, keyRevision) }

    /// The key of the action that this call undoes; nil for an action.
    public var compensates: String? { operation.side == .compensation ? key(.action, actionKeyRevision) : nil }

    private func key(_ side: OperationSide, _ revision: Int) -> String {
        "\(saga):\(stepName):\(side.rawValue)\(revision > 1 ? ":\(revision)" : "")"
    }
}

/// An HTTP request with its expressions evaluated.
public struct HTTPRequest: Sendable, Hashable {
    /// The service as its definition writes it, `${env:…}` unresolved.
    public let service: Service
    public let method: String
    /// Path and query, percent-encoded, to be appended to the service's URL without its last `/`.
    public let target: String
    /// Beside the service's own; they win over those of the same name.
    public let headers: [Service.Header]
    /// nil sends nothing.
    public let body: RawJSON?
    /// HTTP statuses whose outcome the definition changes.
    public let outcomes: [Int: Outcome]

    public init(
        service: Service, method: String, target: String, headers: [Service.Header], body: RawJSON?,
        outcomes: [Int: Outcome]
    ) {
        self.service = service
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.outcomes = outcomes
    }
}
