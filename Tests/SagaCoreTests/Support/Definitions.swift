import JSON
import SagaCore

/// A step as tests write it: an HTTP-less call (`noop` is a call like any other to the core).
func step(
    _ name: String, after: [String]? = nil, timeout: TimeSpan = .seconds(30), retry: RetryPolicy = noJitter(),
    compensation: Bool = true, compensationRetry: RetryPolicy = noJitter(),
    compensateWhen: CompensateWhen = .uncertain, pivot: Bool = false, action: Operation.Kind? = .noop,
    compensationKind: Operation.Kind = .noop
) -> TestStep {
    TestStep(
        after: after,
        step: Step(
            name: name, when: nil, action: action.map { Operation(kind: $0, timeout: timeout, retry: retry) },
            compensation: compensation
                ? Operation(kind: compensationKind, timeout: timeout, retry: compensationRetry) : nil,
            compensateWhen: compensateWhen, isPivot: pivot))
}

struct TestStep {
    let after: [String]?
    let step: Step
}

/// Three attempts, one second, doubling, without jitter: delays that a table can state.
func noJitter(attempts: Int = 3, nonRetryable: [String] = [], retryable: [String] = []) -> RetryPolicy {
    RetryPolicy(
        maximumAttempts: attempts, initialInterval: .seconds(1), backoffCoefficient: 2, jitter: .none,
        retryableErrors: retryable, nonRetryableErrors: nonRetryable)
}

func definition(
    _ steps: [TestStep], deadline: TimeSpan? = nil, onCompensationFailure: CompensationFailurePolicy = .halt,
    inputSchema: InputSchema? = nil
) -> Definition {
    let names = steps.map(\.step.name)
    let predecessors = steps.enumerated().map { index, step in
        step.after.map { $0.compactMap { names.firstIndex(of: $0) } } ?? (index == 0 ? [] : [index - 1])
    }
    return Definition(
        name: "test", description: nil, digest: Digest(bytes: Array(repeating: 7, count: 32)), inputSchema: inputSchema,
        deadline: deadline, services: [Service(name: "s", url: "http://s")], steps: steps.map(\.step),
        graph: StepGraph(predecessors: predecessors) ?? StepGraph(predecessors: [])!,
        onCompensationFailure: onCompensationFailure, output: nil)
}

/// A call whose body is what the expression gives.
func call(body: String) -> Operation.Kind {
    let text = """
        {"saga": "s", "services": {"s": {"url": "http://s"}}, "steps": [{"name": "a", "compensation": "none",
         "action": {"http": {"service": "s", "path": "/", "body": "\(body)"}}}]}
        """
    return DefinitionParser.parse(Array(text.utf8)).definition!.steps[0].action!.kind
}

let sagaID = SagaID(high: 0x0190_0000_0000_7000, low: 0x8000_0000_0000_0001)

func at(_ seconds: Double) -> Instant { Instant(microseconds: Int64(seconds * 1e6)) }
