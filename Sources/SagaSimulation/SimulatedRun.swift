import JSON
import SagaCore
import SagaEngine
import Synchronization

/// One saga, run from its start to its end in virtual time with the engine of the daemon: no database, no network, no
/// threads, and no waiting.
///
/// The same run gives the same result, to the last byte.
public struct SimulatedRun: Sendable {
    /// What a person does from outside.
    public struct Signal: Sendable, Hashable {
        /// After the start.
        public let at: TimeSpan
        public let command: OperatorCommand
        public let reason: String?

        public init(at: TimeSpan, _ command: OperatorCommand, reason: String? = nil) {
            self.at = at
            self.command = command
            self.reason = reason
        }
    }

    /// A service whose circuit breaker a person forces open and closes again.
    public struct Outage: Sendable, Hashable {
        /// One of the definition's.
        public let service: Service
        /// After the start; what is negative is zero, and opens it before the saga begins.
        public let from: TimeSpan
        public let until: TimeSpan

        public init(_ service: Service, from: TimeSpan, until: TimeSpan) {
            self.service = service
            self.from = from
            self.until = until
        }
    }

    public internal(set) var definition: Definition
    public var input: RawJSON
    public var script: SimulationScript
    /// Decides the saga's id, and so the jitter of its delays.
    public var seed: UInt64
    public var signals: [Signal]
    /// A new daemon starts at once where one has died, and takes over when the dead one's lease is over.
    public var crashes: [CrashPoint]
    public var outages: [Outage]
    /// The run ends so long after the start, if it hasn't before.
    public var horizon: TimeSpan

    public init(
        _ definition: Definition, input: RawJSON, script: SimulationScript = SimulationScript(), seed: UInt64 = 0,
        signals: [Signal] = [], crashes: [CrashPoint] = [], outages: [Outage] = [],
        horizon: TimeSpan = .minutes(7 * 24 * 60)
    ) {
        self.definition = definition
        self.input = input
        self.script = script
        self.seed = seed
        self.signals = signals
        self.crashes = crashes
        self.outages = outages
        self.horizon = horizon
    }

    /// When every simulated saga starts: 2026-01-01T00:00:00Z.
    public static let start = Instant(microseconds: 1_767_225_600_000_000)

    /// Runs the saga on the calling thread.
    ///
    /// - Throws: `SimulationFault` for a run that comes to no end.
    public func run() throws(SimulationFault) -> SimulationResult {
        let executor = SimulatedExecutor()
        let clock = VirtualClock()
        let result = ResultBox()
        let room = SimulationRoom(self, clock: clock, executor: executor)
        Task(executorPreference: executor) { result.set(await room.play()) }
        let ending = executor.run(clock) { result.value != nil }
        guard let found = result.value else { throw SimulationFault(ending, at: clock.now()) }
        // What is left are tasks that have to notice that it is over.
        _ = executor.run(clock) { false }
        guard executor.strayJobs == 0 else { throw SimulationFault(message: "the order of its jobs isn't given") }
        switch found {
        case .success(let result): return result
        case .failure(let fault): throw fault
        }
    }

    /// A UUID of version 7 from the start's milliseconds and the seed.
    var sagaID: SagaID {
        var generator = SplitMix64(state: seed)
        let milliseconds = UInt64(clamping: SimulatedRun.start.microseconds / 1_000)
        return SagaID(
            high: milliseconds << 16 | 0x7000 | generator.next() >> 52,
            low: 0x8000_0000_0000_0000 | generator.next() >> 2)
    }
}

/// Why a simulation gave no result: a defect of the engine or of the simulation, never of a definition.
public struct SimulationFault: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(message: String) {
        description = message
    }

    init(_ ending: SimulatedExecutor.Ending, at now: Int64) {
        let reason =
            switch ending {
            case .idle: "nothing is left to run"
            case .standstill: "time stands still"
            case .endless: "there is no end of work"
            case .over: "it gave no result"
            }
        description = "the simulation came to no end: \(reason) at \(now) µs"
    }
}

/// The generator of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

private final class ResultBox: Sendable {
    private let state = Mutex<Result<SimulationResult, SimulationFault>?>(nil)

    var value: Result<SimulationResult, SimulationFault>? { state.withLock { $0 } }

    func set(_ value: Result<SimulationResult, SimulationFault>) { state.withLock { $0 = value } }
}
