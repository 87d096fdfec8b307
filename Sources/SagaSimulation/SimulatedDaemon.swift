import SagaCore
import SagaEngine
import Synchronization

/// A point at which a daemon of a simulation dies, each once; another then takes its place.
public enum CrashPoint: Sendable, Hashable {
    /// The call is committed and never goes out.
    case beforeCall(SimulationScript.Target, attempt: Int)
    /// The participant has answered, and nobody hears it.
    case afterCall(SimulationScript.Target, attempt: Int)
    /// The saga's event of this sequence is decided on and never written.
    case beforeCommit(sequence: Int)
    /// The saga's event of this sequence is written, and nobody acts on it.
    case afterCommit(sequence: Int)
}

/// The points at which daemons have yet to die.
final class CrashPlan: Sendable {
    private let points: Mutex<[CrashPoint]>

    init(_ points: [CrashPoint]) {
        self.points = Mutex(points)
    }

    /// Whether a daemon dies here; not again at the same point.
    func isDue(where isMeant: (CrashPoint) -> Bool) -> Bool {
        points.withLock { points in
            guard let index = points.firstIndex(where: isMeant) else { return false }
            points.remove(at: index)
            return true
        }
    }
}

/// Whether one daemon is alive.
///
/// Nothing gets out of a dead one: whatever it asks of the world waits until the
/// simulation is over and then fails.
final class DaemonLife: Sendable {
    private struct State {
        var isDead = false
        var isOver = false
        var buried: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var isDead: Bool { state.withLock { $0.isDead } }

    func end() { state.withLock { $0.isDead = true } }

    /// Returns at once while the daemon lives, else at the end of the simulation: then false.
    nonisolated(nonsending) func holds() async -> Bool {
        guard isDead else { return true }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.buried.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
        return false
    }

    /// The simulation is over.
    func release() {
        let buried = state.withLock { state in
            state.isOver = true
            defer { state.buried = [] }
            return state.buried
        }
        for continuation in buried { continuation.resume() }
    }
}

/// A daemon's way to the participants.
actor SimulatedInvoker: StepInvoker {
    private let participant: ScriptedParticipant
    private let life: DaemonLife
    private let crashes: CrashPlan
    private let clock: VirtualClock
    private nonisolated let executor: SimulatedExecutor

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        participant: ScriptedParticipant, life: DaemonLife, crashes: CrashPlan, clock: VirtualClock,
        executor: SimulatedExecutor
    ) {
        self.participant = participant
        self.life = life
        self.crashes = crashes
        self.clock = clock
        self.executor = executor
    }

    func invoke(_ call: Call) async -> Answer {
        let target = SimulationScript.Target(call.stepName, call.operation.side)
        dieIf { $0 == .beforeCall(target, attempt: call.attempt) }
        guard await life.holds() else { return .daemonLost }
        let answer = await participant.invoke(call)
        dieIf { $0 == .afterCall(target, attempt: call.attempt) }
        guard await life.holds() else { return .daemonLost }
        return answer
    }

    private func dieIf(_ isMeant: (CrashPoint) -> Bool) {
        guard !life.isDead, crashes.isDue(where: isMeant) else { return }
        life.end()
        clock.ring()
    }
}

extension Answer {
    fileprivate static var daemonLost: Answer {
        .unknown(.init(error: EngineError.daemonLost, message: "the daemon died", isRetryable: true))
    }
}
