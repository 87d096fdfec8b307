import JSON
import Logging
import SagaCore
import SagaEngine
import SagaTestKit
import Synchronization
import Testing

/// Runs everything it is given on one thread, as the engine wants it.
final class OneThread: SerialExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        continuation.yield(job)
    }

    private let continuation: AsyncStream<UnownedJob>.Continuation

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: UnownedJob.self)
        self.continuation = continuation
        let executor = self
        Task.detached {
            for await job in stream { job.runSynchronously(on: executor.asUnownedSerialExecutor()) }
        }
    }
}

/// The machine's monotonic clock.
struct TestClock: EngineClock {
    private let clock = ContinuousClock()
    private let origin = ContinuousClock().now

    func now() -> Int64 {
        let elapsed = origin.duration(to: clock.now).components
        return elapsed.seconds * 1_000_000 + elapsed.attoseconds / 1_000_000_000_000
    }

    nonisolated(nonsending) func sleep(until deadline: Int64) async {
        try? await clock.sleep(until: origin.advanced(by: .microseconds(deadline)))
    }
}

/// Participants that answer by script and remember who called.
final class ScriptedInvoker: StepInvoker {
    private let script: @Sendable (Call) async -> Answer
    private let log = Mutex<[String]>([])

    init(_ script: @escaping @Sendable (Call) async -> Answer) {
        self.script = script
    }

    var calls: [String] { log.withLock { $0 } }

    func invoke(_ call: Call) async -> Answer {
        let side = call.operation.side == .action ? "" : "undo "
        log.withLock { $0.append("\(side)\(call.stepName) #\(call.attempt)") }
        return await script(call)
    }
}

/// A gate that calls wait at until it is opened.
actor Gate {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiters.append($0) }
    }

    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }
}

/// An engine on a store in memory.
struct EngineHarness {
    let clock = TestClock()
    let store: InMemoryStore
    let definition: Definition
    let definitionID: DefinitionID
    private let other: Definition?
    let otherID: DefinitionID

    /// - Parameter other: with steps of the same names.
    init(_ definition: Definition, other: Definition? = nil) async {
        let clock = self.clock
        store = InMemoryStore { Instant(microseconds: 1_700_000_000_000_000 + clock.now()) }
        self.definition = definition
        self.other = other
        definitionID = await store.register(Array("{}".utf8))
        otherID = await store.register(Array("other".utf8))
    }

    func engine(
        _ invoker: any StepInvoker, configure: (inout EngineConfiguration) -> Void = { _ in }
    ) -> SagaEngine {
        var configuration = EngineConfiguration()
        configuration.leaseLength = .seconds(2)
        configuration.probeInterval = .milliseconds(2)
        configure(&configuration)
        let (definition, other) = (definition, other)
        return SagaEngine(
            configuration: configuration, store: store, invoker: invoker, clock: clock,
            identity: DaemonIdentity(host: "here", pid: 1, version: "test"),
            parse: { $0 == Array("other".utf8) ? other : definition },
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), executor: OneThread())
    }

    /// The saga's events, folded; nil until there are any.
    func state(_ saga: SagaID) async throws -> SagaState? {
        guard let stored = await store.history(saga) else { return nil }
        let events = try stored.map { try EventCodec.decode($0, definition: definition) }
        return SagaState(folding: events, id: saga, key: nil, definition: definition)
    }

    func types(_ saga: SagaID) async -> [String] {
        (await store.history(saga) ?? []).compactMap { EventType(rawValue: $0.type)?.name }
    }

    /// Waits until the saga is so; a test that waits for nothing fails after ten seconds.
    func wait(
        for saga: SagaID, _ what: String, location: SourceLocation = #_sourceLocation, until isSo: (SagaState) -> Bool
    ) async throws {
        let end = clock.now() + 10_000_000
        while clock.now() < end {
            if let state = try await state(saga), isSo(state) { return }
            await clock.sleep(until: clock.now() + 1_000)
        }
        Issue.record("never \(what): \(await types(saga))", sourceLocation: location)
    }

    func wait(_ what: String, location: SourceLocation = #_sourceLocation, until isSo: () async throws -> Bool)
        async rethrows
    {
        let end = clock.now() + 10_000_000
        while clock.now() < end {
            if try await isSo() { return }
            await clock.sleep(until: clock.now() + 1_000)
        }
        Issue.record("never \(what)", sourceLocation: location)
    }
}

func list(
    _ names: [String], kind: Operation.Kind = call, retry: RetryPolicy = quick(), timeout: TimeSpan = .seconds(30),
    pivot: String? = nil
) -> Definition {
    Definition(
        name: "test", description: nil, digest: Digest(bytes: Array(repeating: 7, count: 32)), inputSchema: nil,
        deadline: nil, services: [Service(name: "s", url: "http://s")],
        steps: names.map { name in
            Step(
                name: name, when: nil, action: Operation(kind: kind, timeout: timeout, retry: retry),
                compensation: name == pivot ? nil : Operation(kind: kind, timeout: timeout, retry: retry),
                compensateWhen: .uncertain, isPivot: name == pivot)
        },
        graph: StepGraph(predecessors: names.indices.map { $0 == 0 ? [] : [$0 - 1] })!, onCompensationFailure: .halt,
        output: nil)
}

/// A call that goes out.
let call = Operation.Kind.http(
    HTTPOperation(service: 0, method: "POST", path: .constant("/"), query: [], headers: [], body: nil))

func quick(attempts: Int = 3, interval: TimeSpan = .milliseconds(1)) -> RetryPolicy {
    RetryPolicy(maximumAttempts: attempts, initialInterval: interval, jitter: .none)
}
