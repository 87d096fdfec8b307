import SagaCore
import Synchronization

/// The sagas that a run has started, in about the order of their starts.
final class BenchLedger: Sendable {
    private struct Entries {
        var ids: [SagaID] = []
        /// By id the number of the start, which tells when it was due; kept only when starts are due at times.
        var numbers: [SagaID: Int] = [:]
    }

    private let entries = Mutex(Entries())

    /// Takes down starts.
    ///
    /// - Parameter first: the number of the first of them, when starts are due at times.
    func add(_ ids: [SagaID], first: Int?) {
        entries.withLock { entries in
            entries.ids += ids
            guard let first else { return }
            for (offset, id) in ids.enumerated() { entries.numbers[id] = first + offset }
        }
    }

    var count: Int { entries.withLock { $0.ids.count } }

    /// At most `most` sagas from the place on.
    func ids(from place: Int, most: Int) -> ArraySlice<SagaID> {
        entries.withLock { $0.ids.dropFirst(place).prefix(most) }
    }

    func number(of id: SagaID) -> Int? { entries.withLock { $0.numbers[id] } }
}
