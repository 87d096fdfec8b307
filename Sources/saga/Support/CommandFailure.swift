import ArgumentParser
import PostgresClient
import SagaDatabase
import SagaPostgres

/// Why a call did nothing: one line for standard error and the exit code.
struct CommandFailure: Error, Hashable {
    let message: String
    let status: Int32

    /// - Parameter message: a clause without capital and full stop; control characters in it are replaced.
    init(_ message: String, status: Int32 = ExitStatus.refused) {
        self.message = message.sanitized
        self.status = status
    }

    /// What an error of any room comes to; nil for those of the argument parser, which knows how to tell them.
    init?(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as PostgresError: self.init(database: error)
        case let error as EmbeddedClusterError: self.init(error.description, status: ExitStatus.unavailable)
        case let error as DatabaseLocationError: self.init(error.description, status: ExitStatus.usage)
        case MigrationError.failed(_, _, let cause) where cause.isConnectionFailure || cause.isServerUnavailable:
            self.init(database: cause)
        case let error as UnreadableArguments: self.init(error.description, status: ExitStatus.usage)
        case let error as MigrationError: self.init(error.description)
        case let error as SagaOperator.Failure: self.init(error)
        default: return nil
        }
    }

    private init(_ failure: SagaOperator.Failure) {
        switch failure {
        case .notFound: self.init("the saga is no longer there")
        case .refused(let reason): self.init(reason)
        case .database(let error): self.init(database: error)
        }
    }

    private init(database error: PostgresError) {
        switch error.kind {
        case .connectFailed:
            self.init("the database can't be reached: \(error.message)", status: ExitStatus.unavailable)
        case .connectionLost:
            self.init(
                "the connection to the database was lost, and whether anything was done isn't known: \(error.message)",
                status: ExitStatus.unavailable
            )
        case .timeout:
            self.init("the database doesn't answer: \(error.message)", status: ExitStatus.unavailable)
        case .server where error.isServerUnavailable:
            self.init("the database can't be used now: \(error.message)", status: ExitStatus.unavailable)
        // Undefined table, function and column; invalid schema.
        case .server(let state) where ["42P01", "42883", "42703", "3F000"].contains(state):
            self.init("the database's schema is missing or older than this program: run `saga migrate`")
        // The functions of the schema say in the detail what exactly is wrong with what the user gave.
        case .server(let state) where ["22023", "23505"].contains(state):
            let detail = error.detail.map { " (\($0.hasSuffix(".") ? String($0.dropLast()) : $0))" } ?? ""
            self.init(error.message + detail)
        case .server, .cancelled, .decoding, .poolClosed, .invalidRequest:
            self.init(error.message)
        }
    }
}
