import PostgresClient
import SagaDatabase
import SagaHTTP
import SagaPostgres

/// Why the daemon didn't start: one line for people, and the exit code.
struct StartFailure: Error, Hashable {
    /// nil when all has been said.
    let message: String?
    let status: Int32

    init(_ message: String?, status: Int32 = ExitStatus.refused) {
        self.message = message
        self.status = status
    }

    init(_ error: EmbeddedClusterError) {
        self.init(error.description, status: ExitStatus.unavailable)
    }

    init(_ error: DatabaseLocationError) {
        self.init(error.description, status: ExitStatus.usage)
    }

    /// A variable that isn't set is the environment's fault, all else the caller's.
    init(_ error: UnusableAlertTarget) {
        switch error {
        case .missingVariable: self.init(error.description)
        case .invalid: self.init(error.description, status: ExitStatus.usage)
        }
    }

    /// - Parameters:
    ///   - target: where the database should be.
    ///   - waited: how long it was waited for; nil when that was no use.
    init(_ error: PostgresError, target: ConnectionTarget, waited: Duration?) {
        let when = waited.map { " within \($0)" } ?? ""
        switch error.kind {
        case .timeout:
            self.init("the database at \(target) doesn't answer\(when)", status: ExitStatus.unavailable)
        case .connectFailed, .connectionLost, .poolClosed, .cancelled:
            self.init(
                "the database at \(target) can't be reached\(when): \(error.message)",
                status: ExitStatus.unavailable
            )
        case .server where error.isServerUnavailable || waited != nil:
            self.init("the database at \(target) can't be used now: \(error.message)", status: ExitStatus.unavailable)
        case .server, .decoding, .invalidRequest:
            self.init("the database at \(target) refuses: \(error.description)")
        }
    }
}
