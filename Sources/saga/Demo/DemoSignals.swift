import Dispatch
import Glibc
import Synchronization

/// Turns the first of the signals that end a program into a call.
///
/// All that come later are ignored: stopping is under way then.
struct DemoSignals {
    private let memory = Memory()
    private let sources: [any DispatchSourceSignal]

    private final class Memory: Sendable {
        let first = Mutex<Int32?>(nil)

        /// - Returns: whether it is the first.
        func note(_ number: Int32) -> Bool {
            first.withLock { first in
                guard first == nil else { return false }
                first = number
                return true
            }
        }
    }

    /// Listens from now on to the end of the process.
    init(onFirst: @escaping @Sendable () -> Void) {
        let memory = memory
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if memory.note(number) { onFirst() }
            }
            source.resume()
            return source
        }
    }

    /// The signal that came first; nil while there was none.
    var received: Int32? { memory.first.withLock { $0 } }
}
