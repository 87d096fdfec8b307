import CLibpq
import Glibc
import Synchronization

/// A request to the server to cancel what a connection is running.
///
/// `PQcancel` opens a connection of its own and blocks, possibly for long, so it runs on a thread of its own while the
/// connection's thread goes on reading the answer.
final class CancelRequest: Sendable {
    private let isFinished = Atomic(false)

    /// Whether the server (or the pooler in front of it) has taken the request.
    ///
    /// Before that it may still strike, so the connection must not be used for anything else.
    var hasFinished: Bool { isFinished.load(ordering: .acquiring) }

    /// Sends the request; wakes the executor when it is done.
    init(for connection: OpaquePointer, waking executor: ConnectionExecutor) {
        guard let cancel = PQgetCancel(connection).map(LibpqPointer.init) else {
            isFinished.store(true, ordering: .releasing)
            return
        }
        do {
            try ConnectionExecutor.startThread(self) { request in
                withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                    _ = PQcancel(cancel.raw, buffer.baseAddress, 256)
                }
                PQfreeCancel(cancel.raw)
                request.isFinished.store(true, ordering: .releasing)
                executor.wake()
            }
        } catch {
            PQfreeCancel(cancel.raw)
            isFinished.store(true, ordering: .releasing)
        }
    }
}

/// Whether the caller of one request has lost interest in it.
final class Interruption: Sendable {
    private let flag = Atomic(false)

    var isCancelled: Bool { flag.load(ordering: .acquiring) }

    func cancel() {
        flag.store(true, ordering: .releasing)
    }
}
