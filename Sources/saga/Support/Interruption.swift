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

/// Notes that the user pressed Ctrl-C, or that the program is to end, for work that ends in order between two of its
/// parts; a second signal ends the program at once.
struct InterruptionNote {
    private final class Flag: Sendable {
        /// The signal; 0 before any came.
        let signal = Atomic<Int32>(0)
    }

    /// SIGTERM comes from `timeout` and service managers.
    private static let signals = [SIGINT, SIGTERM]

    private let flag = Flag()
    private let sources: [any DispatchSourceSignal]

    init() {
        sources = Self.signals.map { number in
            signal(number, SIG_IGN)
            return DispatchSource.makeSignalSource(signal: number, queue: .global())
        }
        for (source, number) in zip(sources, Self.signals) {
            source.setEventHandler { [flag] in
                if flag.signal.exchange(number, ordering: .relaxed) != 0 { exit(128 + number) }
            }
            source.resume()
        }
    }

    /// The exit code once a signal came, as a shell has it: 130 for Ctrl-C.
    var exitStatus: Int32? {
        let signal = flag.signal.load(ordering: .relaxed)
        return signal == 0 ? nil : 128 + signal
    }

    var isNoted: Bool { exitStatus != nil }

    /// Gives the signals their usual meaning back.
    func end() {
        for source in sources { source.cancel() }
        for number in Self.signals { signal(number, SIG_DFL) }
    }
}
