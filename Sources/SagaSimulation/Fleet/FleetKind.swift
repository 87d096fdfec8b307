/// What can happen in a fleet's simulation, counted so that one sees that it does.
public enum FleetKind: Int, Sendable, CaseIterable {
    // Daemons.
    case daemonStarted, daemonDied, diedBeforeCommit, diedAfterCommit, diedBeforeCall, diedAfterCall, daemonPaused
    case pausedBeforeCommit, pausedBeforeCall, pausedBetweenJobs, pausedOnTheWay, daemonDrained, leaseTakenOver,
        writeUnderLostLease, callAfterLostLease
    // The store.
    case outage, partition, slowStore, renewalLost, answerLost, commitDoubtfulDone, commitDoubtfulUndone
    case commitDoubtfulLater, doubtWithConflict, conflict, commitRefused, commitBlocked, setAside, serviceWriteDoubtful,
        serviceWriteRaced
    // Participants.
    case effect, refusal, undoRefused, unreachable, unhealthy, answerLostByParticipant, timeout, straggler,
        stragglerRefused
    case deliveredTwice, retryAfter, tooMany, undone, tombstone
    // Persons.
    case cancel, pause, resume, retry, resolve, terminate, compensate, breakerCommand, refusedCommand
    // Services.
    case breakerOpened, breakerHalfOpened, breakerClosed, deferred, circuitOpen
    // Sagas.
    case sagaStarted, skipped, pivotPassed, deadlinePassed, compensating, compensated, completed, terminated, stuck
    case daemonLost, parked, wokenForService

    /// Its name, as the command prints it.
    public var name: String { String(describing: self) }
}

/// How often each kind of thing happened.
public struct FleetCoverage: Sendable, Hashable {
    private var counts = Array(repeating: 0, count: FleetKind.allCases.count)

    public init() {}

    public subscript(_ kind: FleetKind) -> Int {
        get { counts[kind.rawValue] }
        set { counts[kind.rawValue] = newValue }
    }

    public static func += (left: inout FleetCoverage, right: FleetCoverage) {
        for index in left.counts.indices { left.counts[index] += right.counts[index] }
    }

    /// Those that never happened.
    public var missing: [FleetKind] { FleetKind.allCases.filter { self[$0] == 0 } }

    /// All of them with their names, four in a row.
    public var table: String {
        let width = (FleetKind.allCases.map(\.name.count).max() ?? 0) + 1
        let cells = FleetKind.allCases.map { kind in
            let number = String(self[kind])
            let name = kind.name + String(repeating: " ", count: width - kind.name.count)
            return name + String(repeating: " ", count: max(0, 9 - number.count)) + number
        }
        let rows = (cells.count + 3) / 4
        return (0..<rows).map { row in
            stride(from: row, to: cells.count, by: rows).map { cells[$0] }.joined(separator: "   ")
        }.joined(separator: "\n")
    }
}
