import Dispatch
import Glibc
import SagaDatabase
import Synchronization

/// Ends the program in order when the user presses Ctrl-C.
struct Interruption {
    private let source: any DispatchSourceSignal

    /// - Parameter message: what is said on standard error before the end, exit code 130.
    init(message: @escaping @Sendable () -> String) {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            Output.error(message())
            exit(ExitStatus.interrupted)
        }
        source.resume()
    }

    /// Gives Ctrl-C its usual meaning back.
    func end() {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}

/// Notes that the user pressed Ctrl-C, for work that ends in order between two of its parts; a second Ctrl-C ends the
/// program at once.
struct InterruptionNote {
    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    private let flag = Flag()
    private let source: any DispatchSourceSignal

    init() {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler { [flag] in
            if flag.isSet.exchange(true, ordering: .relaxed) { exit(ExitStatus.interrupted) }
        }
        source.resume()
    }

    var isNoted: Bool { flag.isSet.load(ordering: .relaxed) }

    /// Gives Ctrl-C its usual meaning back.
    func end() {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}
