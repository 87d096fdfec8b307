import Dispatch
import Glibc
import SagaDatabase

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
